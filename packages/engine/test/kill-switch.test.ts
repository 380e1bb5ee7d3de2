// The kill switch of an account, an instrument and the whole shard: what it ends at once, what it refuses, and what passes still.

import { DoneReason } from '@wintrades/domain'
import { describe, expect, test } from 'vitest'
import { Desk } from './support/desk.ts'
import { BTC, command, ETH, type Event, hex, instrument, USD } from './support/shard.ts'

/** Accounts 1 and 2 have orders in both instruments: in the book, waiting for their trigger, and in a list. */
function market(): Desk {
  const desk = new Desk()
  desk.apply(instrument({ instrument: 2, base: ETH }))
  for (const account of [1, 2]) {
    desk.shard.deposit(account, ETH, 1_000)
    desk.open(account, 'buy 1 @ 90')
    desk.open(account, 'sell 1 @ 110')
    desk.open(account, 'buy 1 @ 130 trigger 120')
    desk.open(account, 'buy 1 @ 90 instrument 2')
  }
  return desk
}

function ended(events: readonly Event[]): string[] {
  const done = events.filter((event) => event.type === 'done')
  expect(done.every((event) => event['reason'] === DoneReason.kill_switch)).toBe(true)
  return done.map((event) => `${event['account']}:${event['subject']}`)
}

describe('of an account', () => {
  test('its orders end, wherever they are, in the order of their ids; the others stay', () => {
    const desk = market()
    const events = desk.kill('account', 1)
    expect(ended(events)).toEqual(['1:1', '1:1', '1:1', '1:2'])
    expect(desk.openOrders(1)).toBe(0)
    expect(desk.openOrders(2)).toBe(4)
    expect(desk.shard.balance(1, USD).held + desk.shard.balance(1, BTC).held).toBe(0)
    expect(events.at(-1)?.type).toBe('balance')
  })

  test('its orders and replacements are refused until it is switched back; the others trade', () => {
    const desk = market()
    desk.kill('account', 1)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('ACCOUNT_BLOCKED 0 0')
    expect(desk.send(1, 'sell 1 market')).toBe('ACCOUNT_BLOCKED 0 0')
    expect(desk.send(2, 'buy 1 @ 90')).toBe('accepted')
    desk.restore()
    expect(desk.send(1, 'buy 1 @ 90')).toBe('ACCOUNT_BLOCKED 0 0')
    desk.kill('account', 1, false)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
  })

  test('it may be blocked before it has ever been seen, and its money still moves', () => {
    const desk = new Desk()
    desk.kill('account', 77)
    desk.shard.deposit(77, USD, 500)
    expect(desk.send(77, 'buy 1 @ 90')).toBe('ACCOUNT_BLOCKED 0 0')
    const events = desk.apply(command('withdraw', { account: 77, asset: USD, amount: 500, transferId: 'out' }))
    expect(events.some((event) => event.type === 'funds')).toBe(true)
  })
})

describe('of an instrument', () => {
  test('its orders end, those that wait too; the other instrument trades on', () => {
    const desk = market()
    expect(ended(desk.kill('instrument', 1)).sort()).toEqual(['1:1', '1:1', '1:1', '2:1', '2:1', '2:1'])
    expect(desk.send(1, 'buy 1 @ 90')).toBe('INSTRUMENT_BLOCKED 0 0')
    expect(desk.send(1, 'sell 1 @ 90 instrument 2')).toBe('accepted')
    desk.restore()
    expect(desk.send(1, 'buy 1 @ 90')).toBe('INSTRUMENT_BLOCKED 0 0')
    desk.kill('instrument', 1, false)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
  })

  test('one that does not exist is refused', () => {
    const [event] = new Desk().kill('instrument', 9)
    expect(event?.type).toBe('rejected')
  })
})

describe('of the shard', () => {
  test('every order ends and none comes in, until it is switched back', () => {
    const desk = market()
    expect(ended(desk.kill('shard', 0))).toHaveLength(8)
    expect(desk.openOrders(1) + desk.openOrders(2)).toBe(0)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('SHARD_BLOCKED 0 0')
    expect(desk.send(2, 'buy 1 @ 90 instrument 2')).toBe('SHARD_BLOCKED 0 0')
    expect(desk.shard.deposit(1, USD, 5).some((event) => event.type === 'funds')).toBe(true)
    desk.restore()
    expect(desk.send(1, 'buy 1 @ 90')).toBe('SHARD_BLOCKED 0 0')
    desk.kill('shard', 0, false)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
  })

  test('switches of an account and an instrument stand beside it', () => {
    const desk = market()
    desk.kill('account', 1)
    desk.kill('instrument', 1)
    desk.kill('shard', 0)
    desk.kill('shard', 0, false)
    expect(desk.send(2, 'buy 1 @ 90')).toBe('INSTRUMENT_BLOCKED 0 0')
    expect(desk.send(1, 'buy 1 @ 90 instrument 2')).toBe('ACCOUNT_BLOCKED 0 0')
  })

  test('what is told twice is done once, and a replay comes to the same state', () => {
    const desk = market()
    desk.kill('shard', 0)
    expect(ended(desk.kill('shard', 0))).toEqual([])
    expect(hex(desk.shard.replayed().stateHash())).toBe(hex(desk.shard.engine.stateHash()))
  })
})
