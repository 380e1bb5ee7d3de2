// Known ways in which matching engines have gone wrong, each as a table of what must happen instead.

import { describe, expect, test } from 'vitest'
import { play, Scenario } from './support/scenario.ts'
import { command, hex, TestShard } from './support/shard.ts'

describe('modify', () => {
  test('a sibling at the same price is not lost when an order is moved away', () => {
    play([
      ['1 a: buy 5 @ 100', ''],
      ['2 b: buy 6 @ 100', ''],
      ['3 c: buy 7 @ 100', ''],
      ['replace 2 b 6 @ 99', 'replaced b'],
      ['book', '100x12 99x6 / '],
      ['4 s: sell 12 @ 100', 'trade s a 5 @ 100, a filled, trade s c 7 @ 100, c filled, s filled'],
      ['5 t: sell 6 @ 99', 'trade t b 6 @ 99, b filled, t filled'],
    ])
  })

  test('the last order of a level, and the first, may be moved away and back', () => {
    play([
      ['1 a: buy 5 @ 100', ''],
      ['replace 1 a 5 @ 101', 'replaced a'],
      ['replace 1 a 5 @ 100', 'replaced a'],
      ['2 b: buy 5 @ 100', ''],
      ['replace 2 b 5 @ 101', 'replaced b'],
      ['book', '101x5 100x5 / '],
    ])
  })

  test('a modify that crosses trades; the book is not left crossed', () => {
    play([
      ['1 ask: sell 5 @ 105', ''],
      ['2 bid: buy 8 @ 100', ''],
      ['replace 2 bid 8 @ 106', 'replaced bid, trade bid ask 5 @ 105, ask filled'],
      ['book', '106x3 / '],
      ['3 s: sell 1 @ 107', ''],
      ['book', '106x3 / 107x1'],
    ])
  })

  test('fewer lots keep the place; more lots, or another price, lose it', () => {
    play([
      ['1 a: buy 5 @ 100', ''],
      ['2 b: buy 5 @ 100', ''],
      ['replace 1 a 3', 'replaced a in place'],
      ['3 s1: sell 1 @ 100', 'trade s1 a 1 @ 100, s1 filled'],
      ['replace 1 a 4', 'replaced a'],
      ['3 s2: sell 6 @ 100', 'trade s2 b 5 @ 100, b filled, trade s2 a 1 @ 100, s2 filled'],
    ])
  })

  test('a partly filled order keeps its place, and is not modified below what is filled', () => {
    play([
      ['1 a: buy 5 @ 100', ''],
      ['2 b: buy 5 @ 100', ''],
      ['3 s1: sell 3 @ 100', 'trade s1 a 3 @ 100, s1 filled'],
      ['replace 1 a 3', 'rejected replace_below_filled'],
      ['replace 1 a 4', 'replaced a in place'],
      ['3 s2: sell 2 @ 100', 'trade s2 a 1 @ 100, a filled, trade s2 b 1 @ 100, s2 filled'],
    ])
  })
})

describe('stale commands', () => {
  test('a cancel or modify after the fill is refused and touches nobody else', () => {
    play([
      ['1 a: buy 5 @ 100', ''],
      ['2 b: buy 5 @ 100', ''],
      ['3 s: sell 5 @ 100', 'trade s a 5 @ 100, a filled, s filled'],
      ['cancel 1 a', 'rejected order_not_open'],
      ['replace 1 a 9 @ 101', 'rejected order_not_open'],
      ['book', '100x5 / '],
      ['cancel 1 never', 'rejected order_unknown'],
    ])
  })

  test('a slot that is used again does not answer to the old order', () => {
    const scenario = play([['1 a: buy 5 @ 100', '']])
    const old = Number(scenario.shard.engine.nextCommand) * 16 - 16
    scenario.play([
      ['cancel 1 a', 'a cancelled_by_client'],
      ['1 b: buy 7 @ 101', ''],
    ])
    const events = scenario.shard.apply(command('cancel_order', { account: 1, order: old, clientOrderId: '' }))
    expect(events[0]).toMatchObject({ type: 'rejected', code: 501 })
    scenario.play([['book', '101x7 / ']])
  })

  test('a triggered stop that is done cannot be cancelled, nor triggered again', () => {
    play([
      ['4 o1: sell 1 @ 100', ''],
      ['5 o2: buy 1 @ 100', 'trade o2 o1 1 @ 100, o1 filled, o2 filled'],
      ['1 stop: sell 2 stop trigger 99', ''],
      ['2 bid: buy 9 @ 99', ''],
      ['3 s: sell 1 @ 99', 'trade s bid 1 @ 99, s filled, stop triggered 99, trade stop bid 2 @ 99, stop filled'],
      ['cancel 1 stop', 'rejected order_not_open'],
      ['3 s2: sell 1 @ 99', 'trade s2 bid 1 @ 99, s2 filled'],
    ])
  })
})

describe('fills', () => {
  test('no phantom fills: nothing trades twice, nothing with zero lots, everything at the maker’s price', () => {
    const { shard } = play([
      ['1 a: sell 3 @ 101', ''],
      ['2 b: sell 4 @ 102', ''],
      ['3 c: buy 20 @ 103', 'trade c a 3 @ 101, a filled, trade c b 4 @ 102, b filled'],
      ['4 d: buy 5 @ 103', ''],
      ['book', '103x18 / '],
    ])
    expect(shard.engine.book(1 as never, 1)).toMatchObject({ lastTradeNumber: 2, lastPrice: 102 })
  })

  test('the best price is right after every cancel', () => {
    play([
      ['1 a: buy 1 @ 100', ''],
      ['1 b: buy 1 @ 101', ''],
      ['1 c: buy 1 @ 150', ''],
      ['cancel 1 c', 'c cancelled_by_client'],
      ['2 s: sell 1 @ 101 ioc', 'trade s b 1 @ 101, b filled, s filled'],
      ['cancel 1 a', 'a cancelled_by_client'],
      ['2 t: sell 1 @ 1 ioc', 't immediate_remainder'],
      ['1 d: buy 1 @ 1000000', ''],
      ['2 u: sell 1 @ 1', 'trade u d 1 @ 1000000, d filled, u filled'],
    ])
  })
})

describe('order of the accounts and of the hash tables does not matter', () => {
  test('self-trade prevention meets orders by price and time', () => {
    play([
      ['7 x: sell 1 @ 100', 'rejected account_unknown'],
      ['1 own1: sell 1 @ 100', ''],
      ['2 other: sell 1 @ 100', ''],
      ['1 own2: sell 1 @ 99', ''],
      [
        '1 b: buy 3 @ 100 oldest',
        'own2 self_trade_prevention, own1 self_trade_prevention, trade b other 1 @ 100, other filled',
      ],
    ])
  })

  test('mass cancel goes by the age of the orders, whatever was cancelled in between', () => {
    const scenario = new Scenario()
    for (let i = 0; i < 40; i++) scenario.send(`1 o${i}: buy 1 @ ${100 + ((i * 7) % 40)}`)
    for (let i = 0; i < 40; i += 3) scenario.send(`cancel 1 o${i}`)
    for (let i = 40; i < 50; i++) scenario.send(`1 o${i}: buy 1 @ ${100 + ((i * 7) % 40)}`)
    const left = Array.from({ length: 50 }, (_, i) => i).filter((i) => i >= 40 || i % 3 !== 0)
    expect(scenario.send('mass 1')).toBe(left.map((i) => `o${i} mass_cancel`).join(', '))
  })

  test('the same orders reached by another way have the same hash', () => {
    const straight = new TestShard().open().fund(1, 2)
    const restored = new TestShard().open().fund(1, 2)
    for (const shard of [straight, restored]) {
      for (let i = 0; i < 60; i++) {
        const fields = {
          account: 1 + (i % 2),
          side: i % 2,
          price: i % 2 === 0 ? 90 - (i % 9) : 110 + (i % 9),
          quantity: 5,
        }
        shard.apply(command('new_order', { ...fields, displayQuantity: i % 4 === 0 ? 2 : 0, clientOrderId: `c${i}` }))
        if (i % 20 === 19 && shard === restored) {
          const Engine = shard.engine.constructor as typeof import('../src/index.ts').Engine
          shard.engine = Engine.restore(shard.engine.snapshot())
        }
      }
    }
    expect(hex(restored.engine.stateHash())).toBe(hex(straight.engine.stateHash()))
  })
})

describe('blocks', () => {
  test('a kill switch ends what waits as well as what rests', () => {
    play([
      ['4 o1: sell 1 @ 100', ''],
      ['5 o2: buy 1 @ 100', 'trade o2 o1 1 @ 100, o1 filled, o2 filled'],
      ['1 rest: buy 5 @ 90', ''],
      ['1 stop: sell 5 stop trigger 95', ''],
      ['1 s: sell 5 stop trigger 94 pending', ''],
      ['1 t: sell 5 @ 110 pair s', ''],
      ['2 s2: sell 5 stop trigger 94 pending', ''],
      ['kill instrument 1', 'rest kill_switch, t kill_switch, s linked_order, stop kill_switch, s2 kill_switch'],
      ['1 more: buy 5 @ 90', 'rejected instrument_blocked'],
    ])
  })

  test('exits of an entry that was filled in part end with it', () => {
    play([
      ['4 o1: sell 1 @ 100', ''],
      ['5 o2: buy 1 @ 100', 'trade o2 o1 1 @ 100, o1 filled, o2 filled'],
      ['1 stop: sell 5 stop trigger 95 pending', ''],
      ['1 entry: buy 5 @ 99 entry stop', ''],
      ['2 s: sell 2 @ 99', 'trade s entry 2 @ 99, s filled'],
      ['kill instrument 1', 'entry kill_switch, stop reduced 3, stop kill_switch'],
    ])
  })
})
