// One-cancels-the-other and brackets, as tables. The legs come one after the other, each naming an earlier one; nothing is live before
// the last leg is there, and a leg that is refused takes with it those it names.

import { LIMITS } from '@wintrades/domain'
import { describe, expect, test } from 'vitest'
import { play, type Row, Scenario } from './support/scenario.ts'
import { BTC, hex, USD } from './support/shard.ts'

const LAST_100: readonly Row[] = [
  ['4 open1: sell 1 @ 100', ''],
  ['5 open2: buy 1 @ 100', 'trade open2 open1 1 @ 100, open1 filled, open2 filled'],
]
/** Account 1 sells 5: at 110, or when the price falls to 95. */
const OCO: readonly Row[] = [
  ['1 stop: sell 5 stop trigger 95 pending', ''],
  ['1 target: sell 5 @ 110 pair stop', ''],
]
const BRACKET: readonly Row[] = [
  ['1 stop: sell 5 stop trigger 95 pending', ''],
  ['1 target: sell 5 @ 110 pending_pair stop', ''],
  ['1 entry: buy 5 @ 99 entry target', ''],
]

describe('one cancels the other', () => {
  test('the target trades, even in part: the stop ends', () => {
    play([
      ...LAST_100,
      ...OCO,
      ['book', ' / 110x5'],
      ['2 buy: buy 2 @ 110', 'trade buy target 2 @ 110, stop linked_order, buy filled'],
      ['book', ' / 110x3'],
    ])
  })

  test('the stop triggers: the target ends', () => {
    play([
      ...LAST_100,
      ...OCO,
      ['2 bid: buy 9 @ 95', ''],
      [
        '3 sell: sell 1 @ 95',
        'trade sell bid 1 @ 95, sell filled, stop triggered 95, target linked_order, trade stop bid 5 @ 95, stop filled',
      ],
      ['book', '95x3 / '],
    ])
  })

  test('cancelling one leg ends both; a mass cancel meets each once', () => {
    play([...LAST_100, ...OCO, ['cancel 1 stop', 'stop cancelled_by_client, target linked_order']])
    play([
      ...LAST_100,
      ...OCO,
      ['1 x: sell 1 @ 120', ''],
      ['mass 1', 'stop mass_cancel, target linked_order, x mass_cancel'],
    ])
  })

  test('the pair holds its lots once', () => {
    const scenario = new Scenario()
    scenario.shard.deposit(9, BTC, 5)
    scenario.play([
      ...LAST_100,
      ['9 stop: sell 5 stop trigger 95 pending', ''],
      ['9 target: sell 5 @ 110 pair stop', ''],
    ])
    expect(scenario.shard.balance(9, BTC)).toEqual({ available: 0, held: 5 })
  })

  test('a pair of purchases holds for its dearer leg, and gives the difference back when that one ends', () => {
    const scenario = new Scenario()
    scenario.shard.deposit(9, USD, 2_000)
    const held = () => scenario.shard.balance(9, USD).held
    scenario.play([
      ...LAST_100,
      ['9 stop: buy 5 stop trigger 105 @ 106 pending', ''],
      ['9 dip: buy 5 @ 90 pair stop', ''],
    ])
    expect(held()).toBe(530)
    scenario.play([['2 s: sell 1 @ 90', 'trade s dip 1 @ 90, stop linked_order, s filled']])
    expect(held()).toBe(360)
  })

  test('a target that trades as it comes in leaves no stop behind', () => {
    play([
      ...LAST_100,
      ['2 bid: buy 2 @ 110', ''],
      ['1 stop: sell 5 stop trigger 95 pending', ''],
      ['1 target: sell 5 @ 110 pair stop', 'trade target bid 2 @ 110, bid filled, stop linked_order'],
      ['book', ' / 110x3'],
    ])
  })

  test('a stop whose price has come meanwhile triggers as soon as it is live', () => {
    play([
      ...LAST_100,
      ['2 bid: buy 9 @ 90', ''],
      ['1 stop: sell 5 stop trigger 101 pending', ''],
      [
        '1 target: sell 5 @ 110 pair stop',
        'stop triggered 100, target linked_order, trade stop bid 5 @ 90, stop filled',
      ],
    ])
  })

  test('both legs may wait: a stop and a take-profit', () => {
    play([
      ...LAST_100,
      ['1 stop: sell 5 stop trigger 95 pending', ''],
      ['1 take: sell 5 take trigger 105 pair stop', ''],
      ['2 ask: sell 1 @ 105', ''],
      ['2 bid: buy 9 @ 104', ''],
      [
        '3 buy: buy 1 @ 105',
        'trade buy ask 1 @ 105, ask filled, buy filled, take triggered 105, stop linked_order, trade take bid 5 @ 104, take filled',
      ],
    ])
  })

  test('a leg of a pair is not replaced', () => {
    play([...LAST_100, ...OCO, ['replace 1 target 5 @ 111', 'rejected replace_not_supported']])
  })
})

describe('brackets', () => {
  test('the exits go live when the entry is filled', () => {
    play([
      ...LAST_100,
      ...BRACKET,
      ['book', '99x5 / '],
      ['2 part: sell 2 @ 99', 'trade part entry 2 @ 99, part filled'],
      ['book', '99x3 / '],
      ['2 rest: sell 3 @ 99', 'trade rest entry 3 @ 99, entry filled, rest filled, target live, stop live'],
      ['book', ' / 110x5'],
      ['3 buy: buy 5 @ 110', 'trade buy target 5 @ 110, stop linked_order, target filled, buy filled'],
    ])
  })

  test('an entry that trades at once has its exits at once', () => {
    play([
      ...LAST_100,
      ['2 ask: sell 9 @ 99', ''],
      ...BRACKET.slice(0, 2),
      ['1 entry: buy 5 market ioc entry target', 'trade entry ask 5 @ 99, entry filled, target live, stop live'],
      ['book', ' / 99x4 110x5'],
    ])
  })

  test('an entry cancelled after a part of it was filled leaves exits for that part', () => {
    play([
      ...LAST_100,
      ...BRACKET,
      ['2 part: sell 2 @ 99', 'trade part entry 2 @ 99, part filled'],
      ['cancel 1 entry', 'entry cancelled_by_client, stop reduced 3, target reduced 3, target live, stop live'],
      ['book', ' / 110x2'],
    ])
  })

  test('an entry that ends unfilled takes its exits with it', () => {
    play([
      ...LAST_100,
      ...BRACKET,
      ['cancel 1 entry', 'entry cancelled_by_client, stop linked_order, target linked_order'],
    ])
  })

  test('without its exits the entry goes on', () => {
    play([
      ...LAST_100,
      ...BRACKET,
      ['cancel 1 stop', 'stop cancelled_by_client, target linked_order'],
      ['2 s: sell 5 @ 99', 'trade s entry 5 @ 99, entry filled, s filled'],
      ['book', ' / '],
    ])
  })

  test('a stop may be the entry, and a single order the exit', () => {
    play([
      ...LAST_100,
      ['1 trail: sell 5 trail 4 pending', ''],
      ['1 entry: buy 5 stop trigger 105 entry trail', ''],
      ['2 ask: sell 9 @ 105', ''],
      [
        '3 buy: buy 1 @ 105',
        'trade buy ask 1 @ 105, buy filled, entry triggered 105, trade entry ask 5 @ 105, entry filled, trail live',
      ],
      ['2 bid: buy 9 @ 101', ''],
      [
        '3 sell: sell 1 @ 101',
        'trade sell bid 1 @ 101, sell filled, trail triggered 101, trade trail bid 5 @ 101, trail filled',
      ],
    ])
  })

  test('an entry may be moved, but keeps its quantity', () => {
    play([
      ...LAST_100,
      ...BRACKET,
      ['replace 1 entry 5 @ 98', 'replaced entry'],
      ['replace 1 entry 4 @ 98', 'rejected replace_not_supported'],
    ])
  })

  test('exits that cannot be paid when they go live end', () => {
    const scenario = new Scenario()
    scenario.shard.deposit(9, BTC, 5)
    scenario.play([
      ...LAST_100,
      ['9 back: buy 5 @ 110 pending', ''],
      ['9 entry: sell 5 @ 101 entry back', ''],
      ['2 b: buy 5 @ 101', 'trade b entry 5 @ 101, entry filled, b filled, back trigger_rejected'],
    ])
  })
})

describe('lists that do not come about', () => {
  test('a leg that is refused takes with it what it names', () => {
    play([
      ...LAST_100,
      ...BRACKET.slice(0, 2),
      ['1 entry: buy 5 @ 2000000 entry target', 'rejected price_out_of_range, target linked_order, stop linked_order'],
    ])
  })

  test('legs that do not fit together are refused', () => {
    const pending: Row = ['1 stop: sell 5 stop trigger 95 pending', '']
    const refused = 'rejected order_list_invalid, stop linked_order'
    play([...LAST_100, pending, ['1 t: sell 4 @ 110 pair stop', refused]])
    play([...LAST_100, pending, ['1 t: buy 5 @ 110 pair stop', refused]])
    play([...LAST_100, pending, ['1 t: sell 5 @ 110 ioc pair stop', refused]])
    play([...LAST_100, pending, ['1 t: sell 5 @ 110 entry stop', refused]])
    play([...LAST_100, ['1 stop: sell 5 @ 120 pending', ''], ['1 t: sell 5 @ 110 pair stop', refused]])
    play([...LAST_100, ['1 a: sell 5 market ioc pending', 'rejected order_list_invalid']])
  })

  test('only a pending order of the same account can be named', () => {
    play([
      ...LAST_100,
      ['1 live: sell 5 stop trigger 95', ''],
      ['1 a: sell 5 @ 110 pair live', 'rejected order_list_invalid'],
      ['1 b: sell 5 @ 110 pair nobody', 'rejected order_list_invalid'],
      ['1 mine: sell 5 stop trigger 95 pending', ''],
      ['2 c: sell 5 @ 110 pair mine', 'rejected order_list_invalid'],
      ['1 d: sell 5 @ 110 pair mine', ''],
      ['1 e: sell 5 @ 110 pair mine', 'rejected order_list_invalid'],
    ])
  })

  test('a leg that nobody names ends by itself', () => {
    const scenario = play([...LAST_100, ['1 stop: sell 5 stop trigger 95 pending', '']])
    expect(scenario.shard.engine.nextTimer()).toBe(scenario.shard.timestamp + LIMITS.pending_order_us)
    scenario.play([
      ['time 59000000', ''],
      ['time 1000000', 'stop expired'],
      ['1 target: sell 5 @ 110 pair stop', 'rejected order_list_invalid'],
    ])
  })
})

test('a snapshot keeps every link', () => {
  const scenario = play([
    ...LAST_100,
    ...BRACKET,
    ['2 a: sell 3 stop trigger 90 pending', ''],
    ['2 b: sell 3 @ 120 pair a', ''],
  ])
  const { shard } = scenario
  const before = hex(shard.engine.stateHash())
  shard.engine = (shard.engine.constructor as typeof import('../src/index.ts').Engine).restore(shard.engine.snapshot())
  shard.engine.checkInvariants()
  expect(hex(shard.engine.stateHash())).toBe(before)
  scenario.play([
    ['3 s: sell 5 @ 99', 'trade s entry 5 @ 99, entry filled, s filled, target live, stop live'],
    ['cancel 2 b', 'b cancelled_by_client, a linked_order'],
    ['cancel 1 target', 'target cancelled_by_client, stop linked_order'],
  ])
})
