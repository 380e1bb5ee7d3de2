// Stories that chance rarely tells, told once each: with the rule they end well, without it the model notices.

import { describe, expect, it } from 'vitest'
import type { PlantedFaults } from './faults.ts'
import { Rounds } from './rounds.ts'
import { Violation, World } from './world.ts'

function start(
  promoters: number,
  faults: Partial<PlantedFaults>,
): { world: World; rounds: Rounds; turns: (count: number) => void } {
  const world = new World(promoters, faults)
  world.form()
  const rounds = new Rounds(world)
  const turns = (count: number) => {
    for (let turn = 0; turn < count; turn += 1) rounds.turn()
  }
  return { world, rounds, turns }
}

/** An operator of eu promotes eu, dies before ap is attached, and its statement for ap arrives when ap has promised itself to another term. */
function lateAttach(faults: Partial<PlantedFaults>): 'serving' | 'refused' {
  const { world, rounds, turns } = start(3, faults)
  const [us, eu, ap] = world.promoters as [
    (typeof world.promoters)[0],
    (typeof world.promoters)[0],
    (typeof world.promoters)[0],
  ]
  turns(3)
  world.crashServer(world.serverOf('us'))
  for (const operator of [us, ap]) if (operator !== undefined) world.crashPromoter(operator)
  const isAttach = (statement: { readonly kind: string }) => statement.kind === 'attach'
  for (let look = 0; look < 60 && world.late.length === 0; look += 1) {
    if (eu !== undefined) world.step(eu, 4, (statement) => (isAttach(statement) ? 'late' : 'now'))
    for (const server of world.servers) server.apply()
  }
  expect(world.late.map(({ statement }) => statement)).toMatchObject([{ kind: 'attach', server: 'ap', source: 'eu' }])
  if (eu !== undefined) world.crashPromoter(eu)
  world.cut('eu', 'us')
  world.cut('eu', 'ap')
  world.serverOf('us').isUp = true
  for (const server of world.servers) world.expireLock(server)
  ap?.start()
  for (let look = 0; look < 60 && !world.serverOf('us').isOpen; look += 1)
    if (ap !== undefined) world.step(ap, 4, () => 'now')
  expect(world.serverOf('us').isOpen).toBe(true)
  world.executeLate(0)
  world.heal()
  for (let count = 0; count < 4; count += 1) {
    world.commit(world.serverOf('eu'))
    world.stream(world.serverOf('ap'))
    world.stream(world.serverOf('ap'))
    while (world.acks.length > 0) world.deliverAck(0)
    world.check()
  }
  return rounds.settle()
}

/** Between the locks and the fences the lost primary reaches ap once more, and gets a commit acknowledged that eu never saw. */
function lastGasp(faults: Partial<PlantedFaults>): 'serving' | 'refused' {
  const { world, rounds, turns } = start(2, faults)
  const [us, ap] = [world.serverOf('us'), world.serverOf('ap')]
  turns(3)
  world.cut('us', 'eu')
  world.cut('us', 'ap')
  const operator = world.promoters.find((promoter) => promoter.region === 'eu')
  const look = () => operator !== undefined && world.step(operator, 4, () => 'now')
  for (let count = 0; count < 60 && ap.lock === null; count += 1) look()
  for (let count = 0; count < 2; count += 1) look()
  world.heal()
  world.cut('us', 'eu')
  const before = world.counts.acknowledged
  world.commit(us)
  world.stream(ap)
  while (world.acks.length > 0) world.deliverAck(0)
  expect(world.counts.acknowledged).toBeGreaterThan(before)
  world.cut('us', 'ap')
  turns(40)
  world.crashServer(us)
  return rounds.settle()
}

/** The reader alone received what `us` never got acknowledged; `us` is cloned, and later counts its transactions from there again. */
function numbersGivenTwice(faults: Partial<PlantedFaults>): 'serving' | 'refused' {
  const { world, rounds, turns } = start(2, faults)
  const us = world.serverOf('us')
  turns(3)
  world.cut('us', 'eu')
  world.cut('us', 'ap')
  for (let count = 0; count < 3; count += 1) {
    world.commit(us)
    world.stream(world.serverOf('us_reader'))
  }
  world.crashServer(world.serverOf('us_reader'))
  world.crashServer(us)
  world.heal()
  turns(20)
  us.isUp = true
  turns(30)
  expect(world.counts.cloned).toBe(1)
  for (let turn = 0; turn < 60 && !us.isOpen; turn += 1) {
    for (const promoter of world.promoters) promoter.promoteTo = 'us'
    rounds.turn()
  }
  expect(us.isOpen).toBe(true)
  turns(10)
  return rounds.settle()
}

describe.each([
  ['a commit between the locks and the fences', lastGasp, { setsBeforeFence: true }],
  ['a late statement of a dead operator', lateAttach, { ignoreTerm: true }],
  ['transaction numbers after a clone', numbersGivenTwice, { cloneKeepsUuid: true }],
] as const)('%s', (_name, story, fault) => {
  it('does no harm', () => {
    expect(story({})).toBe('serving')
  })

  it(`is noticed under ${Object.keys(fault)[0]}`, () => {
    expect(() => story(fault)).toThrow(Violation)
  })
})
