// Every order type and time in force as a table of what is sent and what happens. Read them as the documentation of the types.

import { LIMITS } from '@wintrades/domain'
import { describe, expect, test } from 'vitest'
import { play, type Row, Scenario } from './support/scenario.ts'
import { BTC, command, hex, TestShard, USD } from './support/shard.ts'

/** A last trade at 100 between accounts 4 and 5. */
const LAST_100: readonly Row[] = [
  ['4 open1: sell 1 @ 100', ''],
  ['5 open2: buy 1 @ 100', 'trade open2 open1 1 @ 100, open1 filled, open2 filled'],
]

describe('stops and take-profits', () => {
  test('a stop to sell becomes a market order when a trade is at its stop price or below', () => {
    play([
      ...LAST_100,
      ['2 bid: buy 9 @ 93', ''],
      ['3 high: buy 1 @ 95', ''],
      ['1 stop: sell 5 stop trigger 95', ''],
      ['book', '95x1 93x9 / '],
      [
        '4 sell: sell 1 @ 95',
        'trade sell high 1 @ 95, high filled, sell filled, stop triggered 95, trade stop bid 5 @ 93, stop filled',
      ],
    ])
  })

  test('a stop to buy becomes a market order when a trade is at its stop price or above', () => {
    play([
      ...LAST_100,
      ['2 ask: sell 9 @ 107', ''],
      ['2 near: sell 1 @ 105', ''],
      ['1 stop: buy 5 stop trigger 105', ''],
      [
        '4 buy: buy 1 @ 105',
        'trade buy near 1 @ 105, near filled, buy filled, stop triggered 105, trade stop ask 5 @ 107, stop filled',
      ],
    ])
  })

  test('a stop-limit rests at its limit price once it has been triggered', () => {
    play([
      ...LAST_100,
      ['1 stop: sell 5 stop trigger 95 @ 96', ''],
      ['3 bid: buy 1 @ 95', ''],
      ['4 sell: sell 1 @ 95', 'trade sell bid 1 @ 95, bid filled, sell filled, stop triggered 95'],
      ['book', ' / 96x5'],
      ['2 buy: buy 2 @ 96', 'trade buy stop 2 @ 96, buy filled'],
    ])
  })

  test('a take-profit waits on the other side of the market', () => {
    play([
      ...LAST_100,
      ['1 take: sell 5 take trigger 110', ''],
      ['1 limit: sell 5 take trigger 110 @ 109', ''],
      ['2 ask: sell 1 @ 110', ''],
      ['3 bid: buy 9 @ 108', ''],
      [
        '4 buy: buy 1 @ 110',
        'trade buy ask 1 @ 110, ask filled, buy filled, take triggered 110, trade take bid 5 @ 108, take filled, limit triggered 110',
      ],
      ['book', '108x4 / 109x5'],
    ])
  })

  test('what a trigger would do at once, another order does: it is refused', () => {
    play([
      ...LAST_100,
      ['1 a: sell 5 stop trigger 100', 'rejected would_trigger_immediately'],
      ['1 b: buy 5 stop trigger 99', 'rejected would_trigger_immediately'],
      ['1 c: sell 5 take trigger 99', 'rejected would_trigger_immediately'],
      ['1 d: buy 5 take trigger 101 @ 90', 'rejected would_trigger_immediately'],
    ])
  })

  test('fields that a type does not have, or lacks, are refused', () => {
    play([
      ...LAST_100,
      ['1 a: sell 5 stop', 'rejected stop_price_out_of_range'],
      ['1 b: sell 5 stop trigger 95 ioc', 'rejected time_in_force_not_supported'],
      ['1 c: sell 5 stop trigger 2000000', 'rejected stop_price_out_of_range'],
      ['1 e: sell 5 stop trigger 95 post', 'rejected time_in_force_not_supported'],
      ['1 f: sell 5 stop trigger 95 min 2', 'rejected minimum_quantity_invalid'],
      ['1 g: sell 5 stop trigger 95 show 2', 'rejected display_quantity_invalid'],
    ])
  })

  test('order of triggering: falling before rising, nearest stop price first, then the one that has stood there longest', () => {
    play([
      ...LAST_100,
      ['1 far: sell 1 stop trigger 90', ''],
      ['1 near2: sell 1 stop trigger 95 @ 99', ''],
      ['2 near3: sell 1 stop trigger 95 @ 99', ''],
      ['1 nearest: sell 1 stop trigger 96 @ 99', ''],
      ['3 rising: sell 1 take trigger 104', ''],
      ['3 bid: buy 1 @ 90', ''],
      [
        '4 sell: sell 1 @ 90',
        'trade sell bid 1 @ 90, bid filled, sell filled, nearest triggered 90, near2 triggered 90, near3 triggered 90, far triggered 90, far immediate_remainder',
      ],
      ['book', ' / 99x3'],
    ])
  })

  test('every trade of a sweep counts, not only its last', () => {
    play([
      ...LAST_100,
      ['2 a1: sell 1 @ 97', ''],
      ['2 a2: sell 1 @ 103', ''],
      ['1 stop: sell 2 stop trigger 98 @ 104', ''],
      [
        '4 sweep: buy 2 @ 103',
        'trade sweep a1 1 @ 97, a1 filled, trade sweep a2 1 @ 103, a2 filled, sweep filled, stop triggered 97',
      ],
    ])
  })

  test('a triggered order trades, and what it trades triggers the next', () => {
    play([
      ...LAST_100,
      ['2 b1: buy 1 @ 95', ''],
      ['2 b2: buy 1 @ 92', ''],
      ['2 b3: buy 1 @ 90', ''],
      ['1 first: sell 1 stop trigger 95', ''],
      ['3 second: sell 1 stop trigger 92', ''],
      [
        '4 sell: sell 1 @ 95',
        'trade sell b1 1 @ 95, b1 filled, sell filled, first triggered 95, trade first b2 1 @ 92, b2 filled, first filled, second triggered 92, trade second b3 1 @ 90, b3 filled, second filled',
      ],
    ])
  })

  test('a stop to buy pays out of what is available when it triggers; with nothing it ends', () => {
    const scenario = new Scenario()
    scenario.shard.deposit(9, USD, 500)
    scenario.play([
      ...LAST_100,
      ['2 ask: sell 9 @ 110', ''],
      ['9 stop: buy 9 stop trigger 105', ''],
      ['9 later: buy 9 stop trigger 109', ''],
      ['2 near: sell 1 @ 105', ''],
      [
        '4 buy: buy 1 @ 105',
        'trade buy near 1 @ 105, near filled, buy filled, stop triggered 105, trade stop ask 4 @ 110, stop immediate_remainder, later triggered 110, later trigger_rejected',
      ],
    ])
    expect(scenario.shard.balance(9, USD)).toEqual({ available: 60, held: 0 })
  })

  test('a stop to sell holds its lots from the start, so that they are there when it triggers', () => {
    const scenario = new Scenario()
    scenario.shard.deposit(9, BTC, 5)
    scenario.play([
      ...LAST_100,
      ['9 stop: sell 5 stop trigger 95', ''],
      ['9 other: sell 1 @ 120', 'rejected funds_insufficient'],
      ['cancel 9 stop', 'stop cancelled_by_client'],
      ['9 again: sell 1 @ 120', ''],
    ])
  })

  test('reduce-only is looked at when the stop triggers', () => {
    play([
      ['1 b: buy 3 @ 100', ''],
      ['2 s: sell 3 @ 100', 'trade s b 3 @ 100, b filled, s filled'],
      ['1 stop: sell 5 stop trigger 95 reduce', ''],
      ['1 good: sell 3 stop trigger 94 reduce', ''],
      ['3 bid: buy 9 @ 94', ''],
      [
        '4 sell: sell 1 @ 94',
        'trade sell bid 1 @ 94, sell filled, stop triggered 94, stop trigger_rejected, good triggered 94, trade good bid 3 @ 94, good filled',
      ],
    ])
  })

  test('an order that waits is not replaced but cancelled', () => {
    play([...LAST_100, ['1 s: sell 5 stop trigger 95', ''], ['replace 1 s 4 @ 0', 'rejected replace_not_supported']])
  })

  test('one command lets a bounded number of triggered orders in; the others follow with the next batches, by themselves', () => {
    const scenario = new Scenario().play([...LAST_100, ['2 bid: buy 1000 @ 90', '']])
    const count = LIMITS.triggers_per_command_max * 2 + 10
    const { shard } = scenario
    const one = (i: number) =>
      command('new_order', { account: 1, side: 1, orderType: 2, quantity: 1, stopPrice: 90, clientOrderId: `s${i}` })
    shard.apply(...Array.from({ length: count }, (_, i) => one(i)))
    const triggered = (events: readonly { type: string }[]) =>
      events.filter((event) => event.type === 'triggered').length
    expect(shard.engine.nextTimer()).toBe(0)
    expect(
      triggered(shard.apply(command('new_order', { account: 3, side: 1, price: 90, quantity: 1, clientOrderId: 'x' }))),
    ).toBe(64)
    expect(shard.engine.nextTimer()).toBe(shard.timestamp)
    expect(triggered(shard.apply())).toBe(64)
    expect(triggered(shard.apply())).toBe(10)
    expect(shard.engine.nextTimer()).toBe(0)
    expect(triggered(shard.apply())).toBe(0)
  })
})

describe('trailing stops', () => {
  test('a trailing stop to sell follows the price up and stays where it is when it falls', () => {
    const scenario = play([
      ...LAST_100,
      ['1 trail: sell 5 trail 5', ''],
      ['2 a: sell 2 @ 110', ''],
      ['3 b: buy 1 @ 110', 'trade b a 1 @ 110, b filled'],
    ])
    const stop = () => scenario.shard.engine.account(1 as never).openOrders[0]?.stopPrice
    expect(stop()).toBe(105)
    scenario.play([
      ['3 c: buy 1 @ 107', ''],
      ['2 d: sell 1 @ 107', 'trade d c 1 @ 107, c filled, d filled'],
    ])
    expect(stop()).toBe(105)
    scenario.play([
      ['3 e: buy 9 @ 105', ''],
      ['2 f: sell 1 @ 105', 'trade f e 1 @ 105, f filled, trail triggered 105, trade trail e 5 @ 105, trail filled'],
    ])
  })

  test('a trailing stop to buy follows the price down', () => {
    const scenario = play([
      ...LAST_100,
      ['1 trail: buy 5 trail 5', ''],
      ['2 a: buy 1 @ 90', ''],
      ['3 b: sell 1 @ 90', 'trade b a 1 @ 90, a filled, b filled'],
    ])
    expect(scenario.shard.engine.account(1 as never).openOrders[0]?.stopPrice).toBe(95)
  })

  test('it needs a last trade to start from, and room for its offset', () => {
    play([
      ['1 a: sell 5 trail 5', 'rejected stop_price_out_of_range'],
      ...LAST_100,
      ['1 b: sell 5 trail 100', 'rejected trailing_offset_invalid'],
      ['1 c: sell 5 trail 99', ''],
      ['1 d: sell 5 trail 5 ioc', 'rejected time_in_force_not_supported'],
    ])
  })

  test('there are at most so many of one direction', () => {
    const { shard } = new Scenario().play(LAST_100)
    const one = (i: number) =>
      command('new_order', {
        account: 1,
        side: 1,
        orderType: 6,
        quantity: 1,
        trailingOffset: 5,
        clientOrderId: `t${i}`,
      })
    const most = LIMITS.trailing_stops_per_instrument_max
    shard.apply(...Array.from({ length: most }, (_, i) => one(i)))
    expect(shard.apply(one(most))[0]).toMatchObject({ type: 'rejected', limit: most, value: most + 1 })
  })
})

describe('icebergs', () => {
  test('the depth shows what is displayed; when that is gone the next part comes to the end of the queue', () => {
    play([
      ['1 ice: sell 10 @ 100 show 3', ''],
      ['2 plain: sell 2 @ 100', ''],
      ['book', ' / 100x5'],
      ['3 b1: buy 3 @ 100', 'trade b1 ice 3 @ 100, b1 filled'],
      ['book', ' / 100x5'],
      ['3 b2: buy 3 @ 100', 'trade b2 plain 2 @ 100, plain filled, trade b2 ice 1 @ 100, b2 filled'],
      ['book', ' / 100x2'],
      [
        '3 b3: buy 20 @ 100 ioc',
        'trade b3 ice 2 @ 100, trade b3 ice 3 @ 100, trade b3 ice 1 @ 100, ice filled, b3 immediate_remainder',
      ],
    ])
  })

  test('what it does not trade on entry it displays in parts', () => {
    play([
      ['2 s: sell 4 @ 100', ''],
      ['1 ice: buy 10 @ 100 show 2', 'trade ice s 4 @ 100, s filled'],
      ['book', '100x2 / '],
    ])
  })

  test('a replace that only lowers the quantity takes from the hidden part and keeps the place', () => {
    play([
      ['1 ice: sell 10 @ 100 show 3', ''],
      ['2 s: sell 1 @ 100', ''],
      ['replace 1 ice 4', 'replaced ice in place'],
      ['3 b: buy 3 @ 100', 'trade b ice 3 @ 100, b filled'],
      ['book', ' / 100x2'],
      ['replace 1 ice 9', 'replaced ice'],
      ['book', ' / 100x4'],
    ])
  })

  test('it comes in at most so many parts, and displays no more than it has', () => {
    play([
      ['1 a: sell 101 @ 100 show 1', 'rejected display_quantity_invalid'],
      ['1 b: sell 100 @ 100 show 1', ''],
      ['1 c: sell 5 @ 100 show 6', 'rejected display_quantity_invalid'],
      ['1 d: sell 5 @ 100 show 2 ioc', 'rejected display_quantity_invalid'],
      ['replace 1 b 101', 'rejected display_quantity_invalid'],
    ])
  })
})

describe('time in force', () => {
  test('GTD ends when batch time reaches its date; the engine says when that is', () => {
    const scenario = play([
      ['1 a: buy 5 @ 100 until +500', ''],
      ['1 b: buy 5 @ 100 until +200', ''],
      ['1 c: sell 5 stop trigger 90 until +300', ''],
    ])
    expect(scenario.shard.engine.nextTimer()).toBe(scenario.shard.timestamp + 198)
    scenario.play([
      ['time 150', ''],
      ['time 100', 'b expired'],
      ['time 400', 'c expired, a expired'],
      ['book', ' / '],
    ])
    expect(scenario.shard.engine.nextTimer()).toBe(0)
  })

  test('nothing trades with an order that is due: what expires goes before the commands of its batch', () => {
    const scenario = play([['1 a: buy 5 @ 100 until +50', '']])
    scenario.shard.timestamp += 100
    scenario.play([
      ['2 s: sell 5 @ 100', 'a expired'],
      ['book', ' / 100x5'],
    ])
  })

  test('a date that has passed, or a date without GTD, is refused', () => {
    const scenario = new Scenario()
    const send = (fields: Record<string, unknown>) =>
      scenario.shard.apply(command('new_order', { account: 1, side: 0, price: 100, quantity: 1, ...fields }))[0]
    expect(send({ clientOrderId: 'a', timeInForce: 4, expireTime: 5 })).toMatchObject({ type: 'rejected', code: 110 })
    expect(send({ clientOrderId: 'b', timeInForce: 4 })).toMatchObject({ type: 'rejected', code: 110 })
    expect(send({ clientOrderId: 'c', expireTime: 9_000_000 })).toMatchObject({ type: 'rejected', code: 110 })
  })

  test('DAY ends when the instrument closes, wherever it waits; GTC stays', () => {
    play([
      ...LAST_100,
      ['1 day: buy 5 @ 99 day', ''],
      ['1 gtc: buy 5 @ 98', ''],
      ['2 stop: sell 5 stop trigger 90 day', ''],
      ['phase closed', 'day expired, stop expired'],
      ['book', '98x5 / '],
    ])
  })

  test('a minimum quantity trades at once or nothing does', () => {
    play([
      ['1 s: sell 3 @ 100', ''],
      ['2 a: buy 5 @ 100 min 4', 'a not_fillable'],
      ['2 b: buy 5 @ 100 min 3', 'trade b s 3 @ 100, s filled'],
      ['book', '100x2 / '],
      ['3 c: sell 5 market ioc min 3', 'c not_fillable'],
      ['3 d: sell 5 market ioc min 2', 'trade d b 2 @ 100, b filled, d immediate_remainder'],
      ['3 e: sell 5 @ 100 min 6', 'rejected minimum_quantity_invalid'],
      ['3 f: sell 5 @ 100 min 2 post', 'rejected minimum_quantity_invalid'],
    ])
  })
})

test('before version 2 is activated, a shard refuses what version 1 did not know', () => {
  const shard = new TestShard()
  shard.apply(command('define_asset', { asset: USD, scale: 2 }), command('define_asset', { asset: BTC, scale: 0 }))
  const fields = { account: 1, side: 0, quantity: 1, price: 100 }
  shard.open({}, 1).fund(1)
  const send = (more: Record<string, unknown>) => shard.apply(command('new_order', { ...fields, ...more }))[0]
  expect(send({ clientOrderId: 'a', orderType: 3, stopPrice: 110 })).toMatchObject({ type: 'rejected', code: 105 })
  expect(send({ clientOrderId: 'b', timeInForce: 3 })).toMatchObject({ type: 'rejected', code: 106 })
  expect(send({ clientOrderId: 'c', displayQuantity: 1 })).toMatchObject({ type: 'rejected', code: 108 })
  expect(send({ clientOrderId: 'd', link: 1 })).toMatchObject({ type: 'rejected', code: 106 })
  expect(send({ clientOrderId: 'e' })).toMatchObject({ type: 'accepted' })
  expect(hex(shard.replayed().stateHash())).toBe(hex(shard.engine.stateHash()))
})
