// The ledger: fees and their rounding, positions with their average price and realised profit, and a trial balance that is right after
// every command, whatever came before.

import { describe, expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { Desk } from './support/desk.ts'
import { Random } from './support/random.ts'
import { BTC, command, type Event, hex, TestShard, USD } from './support/shard.ts'

/** What the accounts of a desk begin with. */
const START = 1_000_000_000

describe('fees are rounded up to the next unit, and go to account 0', () => {
  test.each([
    // fees in ppm; what trades; what the taker (who buys) and the maker pay
    { taker: 1_000, maker: 500, quantity: 10, price: 100, ofTaker: 1, ofMaker: 1 },
    { taker: 1_000, maker: 500, quantity: 20, price: 100, ofTaker: 2, ofMaker: 1 },
    { taker: 1_000, maker: 500, quantity: 30, price: 100, ofTaker: 3, ofMaker: 2 },
    { taker: 1, maker: 1, quantity: 1, price: 1, ofTaker: 1, ofMaker: 1 },
    { taker: 1_000_000, maker: 0, quantity: 3, price: 7, ofTaker: 21, ofMaker: 0 },
    { taker: 0, maker: 0, quantity: 10, price: 100, ofTaker: 0, ofMaker: 0 },
  ])('taker $taker, maker $maker ppm, $quantity @ $price: $ofTaker and $ofMaker', (row) => {
    const { quantity, price, ofTaker, ofMaker } = row
    const desk = new Desk({ takerFee_ppm: row.taker, makerFee_ppm: row.maker })
    desk.open(2, `sell ${quantity} @ ${price}`)
    desk.open(1, `buy ${quantity} @ ${price}`)
    expect(desk.shard.balance(1, USD)).toEqual({ available: START - quantity * price - ofTaker, held: 0 })
    expect(desk.shard.balance(2, USD)).toEqual({ available: START + quantity * price - ofMaker, held: 0 })
    expect(desk.shard.balance(0, USD).available).toBe(ofTaker + ofMaker)
  })

  test('many small fills of one purchase never cost more than what was held for it', () => {
    const desk = new Desk({ takerFee_ppm: 1_000, makerFee_ppm: 1_000 })
    const id = desk.open(1, 'buy 10 @ 100')
    expect(desk.shard.balance(1, USD)).toEqual({ available: START - 1_001, held: 1_001 })
    for (let i = 0; i < 10; i++) desk.open(2, 'sell 1 @ 100')
    // Ten fees of a tenth each would round up to ten; one was held.
    expect(desk.shard.balance(1, USD)).toEqual({ available: START - 1_001, held: 0 })
    expect(desk.shard.balance(2, USD).available).toBe(START + 1_000 - 10)
    expect(desk.shard.balance(0, USD).available).toBe(11)
    expect(desk.cancel(1, id)).toMatch(/^ORDER_NOT_OPEN/)
  })

  test('nor do they when it takes them', () => {
    const desk = new Desk({ takerFee_ppm: 1_000, makerFee_ppm: 0 })
    for (let i = 0; i < 10; i++) desk.open(2, 'sell 1 @ 100')
    desk.open(1, 'buy 10 @ 100')
    expect(desk.shard.balance(1, USD)).toEqual({ available: START - 1_001, held: 0 })
    expect(desk.shard.balance(0, USD).available).toBe(1)
  })

  test('nor more than they were looked ahead to cost, when it has no price', () => {
    const desk = new Desk({ takerFee_ppm: 1_000, makerFee_ppm: 0 })
    for (let i = 0; i < 10; i++) desk.open(2, 'sell 1 @ 100')
    desk.open(1, 'buy 10 market')
    expect(desk.shard.balance(1, USD)).toEqual({ available: START - 1_001, held: 0 })
  })
})

describe('positions: average price, realised profit', () => {
  test.each([
    // what account 1 trades, one after the other; then lots, cost, realised profit
    [['buy 10 @ 100'], 10, 1_000, 0],
    [['buy 10 @ 100', 'buy 10 @ 120'], 20, 2_200, 0],
    [['buy 10 @ 100', 'sell 4 @ 110'], 6, 600, 40],
    [['buy 10 @ 100', 'sell 10 @ 90'], 0, 0, -100],
    [['buy 10 @ 100', 'sell 15 @ 90'], -5, -450, -100],
    [['sell 10 @ 100'], -10, -1_000, 0],
    [['sell 10 @ 100', 'buy 4 @ 90'], -6, -600, 40],
    [['sell 10 @ 100', 'buy 12 @ 110'], 2, 220, -100],
    // An average that is no whole number: what leaves is rounded down, and nothing is left behind at the end.
    [['buy 2 @ 100', 'buy 1 @ 101', 'sell 1 @ 100'], 2, 201, 0],
    [['buy 2 @ 100', 'buy 1 @ 101', 'sell 1 @ 100', 'sell 2 @ 100'], 0, 0, -1],
  ])('%s → %i lots that cost %i, %i won', (trades, quantity, cost, realisedProfit) => {
    const desk = new Desk()
    for (const text of trades) {
      desk.open(2, text.startsWith('buy') ? text.replace('buy', 'sell') : text.replace('sell', 'buy'))
      desk.open(1, text)
    }
    expect(desk.position(1)).toMatchObject({ quantity, cost, realisedProfit })
    expect(desk.position(2).quantity).toBe(quantity === 0 ? 0 : -quantity)
    expect(desk.position(2).realisedProfit - desk.position(2).cost + realisedProfit - cost).toBe(0)
  })
})

describe('the trial balance', () => {
  const ACCOUNTS = [1, 2, 3]

  /** Whatever moves money, at random: orders with fees, deposits, withdrawals, transfers out and in. */
  function randomStep(random: Random, shard: TestShard, i: number): readonly Event[] {
    const account = random.pick(ACCOUNTS)
    const asset = random.pick([USD, BTC])
    const amount = random.chance(5) ? random.between(1, 2 ** 45) : random.between(1, 5_000)
    const transferId = `t${i}`
    const kind = random.below(100)
    if (kind < 60) {
      const price = random.chance(10) ? 0 : random.between(95, 105)
      const timeInForce = price === 0 ? 1 : random.pick([0, 0, 1])
      const fields = { account, side: random.below(2), price, quantity: random.between(1, 40), timeInForce }
      return shard.apply(command('new_order', { ...fields, orderType: price === 0 ? 1 : 0, clientOrderId: `c${i}` }))
    }
    if (kind < 70) {
      const { openOrders } = shard.engine.account(account as never)
      if (openOrders.length === 0) return []
      return shard.apply(command('cancel_order', { account, order: random.pick(openOrders).order, clientOrderId: '' }))
    }
    if (kind < 78) return shard.apply(command('deposit', { account, asset, amount, transferId }))
    if (kind < 88) return shard.apply(command('withdraw', { account, asset, amount, transferId }))
    if (kind < 94) return shard.apply(command('transfer_out', { account, asset, amount, toShard: 1, transferId }))
    const number = shard.engine.transfersReceived(2 as never) + random.pick([0, 1, 1, 1, 2])
    return shard.apply(command('transfer_in', { account, asset, amount, fromShard: 2, number, transferId }))
  }

  test.each([1, 2, 3, 4])('is right after every command: seed %i', (seed) => {
    const random = new Random(seed)
    const fees = { makerFee_ppm: random.between(0, 20_000), takerFee_ppm: random.between(0, 20_000) }
    const units = { baseUnitsPerLot: random.between(1, 9), quoteUnitsPerTickLot: random.between(1, 9) }
    const shard = new TestShard().open({ ...fees, ...units }).fund(...ACCOUNTS)
    let feesPaid = 0
    for (let i = 0; i < 1_500; i++) {
      for (const event of randomStep(random, shard, i)) {
        if (event.type === 'trade') feesPaid += (event['takerFee'] as number) + (event['makerFee'] as number)
      }
      for (const one of shard.engine.trialBalance()) {
        const came = one.deposited - one.withdrawn + one.transferredIn - one.transferredOut
        expect(one.available + one.held, `asset ${one.asset}, command ${i}`).toBe(came)
      }
      const [usd, btc] = shard.engine.trialBalance()
      expect([usd?.fees, btc?.fees]).toEqual([feesPaid, 0])
    }
    expect(feesPaid).toBeGreaterThan(0)
    const restored = Engine.restore(shard.engine.snapshot())
    expect(restored.trialBalance()).toEqual(shard.engine.trialBalance())
    expect(hex(restored.stateHash())).toBe(hex(shard.engine.stateHash()))
  })
})
