// Where load balancers are told to send clients: what an operator decides from what they say.

import { expect, test } from 'vitest'
import { decide, stillAsked, type View } from '../../src/operator/traffic/decide.ts'

const REGIONS = ['us', 'eu']
const views = (all: Record<string, View>) => new Map(Object.entries(all))
const OWN = { us: 'us', eu: 'eu' }

test('balancers that nobody has told yet are told that every region has its own clients', () => {
  const { wishes, tell } = decide(REGIONS, {}, {}, views({ a: { us: null, eu: null } }))
  expect(wishes).toEqual(OWN)
  expect(tell).toEqual([
    { balancer: 'a', region: 'us', to: 'us' },
    { balancer: 'a', region: 'eu', to: 'eu' },
  ])
})

test('one that has just started is told what the others do, by an operator that has just started too', () => {
  const { wishes, tell } = decide(REGIONS, {}, {}, views({ a: { us: 'eu', eu: 'eu' }, b: { us: null, eu: null } }))
  expect(wishes).toEqual({ us: 'eu', eu: 'eu' })
  expect(tell).toEqual([
    { balancer: 'b', region: 'us', to: 'eu' },
    { balancer: 'b', region: 'eu', to: 'eu' },
  ])
})

test('all of them restarted at once: what an operator remembers holds', () => {
  const { tell } = decide(REGIONS, { us: 'eu', eu: 'eu' }, {}, views({ a: { us: null, eu: 'eu' } }))
  expect(tell).toEqual([{ balancer: 'a', region: 'us', to: 'eu' }])
})

test('what a person told them counts, whatever an operator remembers', () => {
  const { wishes, tell } = decide(REGIONS, OWN, {}, views({ a: { us: 'eu', eu: 'eu' }, b: { us: 'eu', eu: 'eu' } }))
  expect(wishes).toEqual({ us: 'eu', eu: 'eu' })
  expect(tell).toEqual([])
})

test('who was asked tells every balancer; who was not does nothing while they disagree', () => {
  const both = views({ a: { us: 'eu', eu: 'eu' }, b: { us: 'us', eu: 'eu' } })
  expect(decide(REGIONS, OWN, { us: { to: 'eu', taken: [] } }, both).tell).toEqual([
    { balancer: 'b', region: 'us', to: 'eu' },
  ])
  const other = decide(REGIONS, OWN, {}, both)
  expect(other.tell).toEqual([])
  expect(other.disputed).toEqual(['us'])
})

test('what was asked for is pursued until every balancer has it, one that cannot be reached included', () => {
  const asked = { us: { to: 'eu', taken: [] } }
  const one = stillAsked(asked, ['a', 'b'], views({ a: { us: 'eu' } }))
  expect(one).toEqual({ us: { to: 'eu', taken: ['a'] } })
  expect(stillAsked(one, ['a', 'b'], views({ a: { us: 'eu' }, b: { us: 'eu' } }))).toEqual({})
  expect(stillAsked(asked, [], new Map())).toEqual(asked)
})

test('and given up once somebody else has changed what a balancer had taken', () => {
  const asked = { us: { to: 'eu', taken: ['a'] } }
  expect(stillAsked(asked, ['a', 'b'], views({ a: { us: 'us' } }))).toEqual({})
  // One that has just started says nothing of it: that is no change.
  expect(stillAsked(asked, ['a', 'b'], views({ a: { us: null } }))).toEqual(asked)
})

test('with no balancer in sight nothing is decided', () => {
  expect(decide(REGIONS, { us: 'eu', eu: 'eu' }, {}, new Map())).toEqual({
    wishes: { us: 'eu', eu: 'eu' },
    tell: [],
    disputed: [],
  })
})
