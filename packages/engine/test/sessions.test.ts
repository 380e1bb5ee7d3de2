// Sessions of an instrument and its call auctions, as tables.

import { expect, test } from 'vitest'
import { naiveAuctionPrice } from './support/naive-auction.ts'
import { Random } from './support/random.ts'
import { play, type Row, Scenario } from './support/scenario.ts'
import { BTC, command, USD } from './support/shard.ts'

const AUCTION = { phase: 2 }

function auction(rows: readonly Row[]): Scenario {
  return play(rows, AUCTION)
}

test('orders gather in an auction and trade at one price when it ends', () => {
  auction([
    ['1 b1: buy 5 @ 103', ''],
    ['2 s1: sell 3 @ 99', ''],
    ['3 s2: sell 4 @ 101', ''],
    ['book', '103x5 / 99x3 101x4'],
    ['phase continuous', 'trade s1 b1 3 @ 101, s1 filled, trade s2 b1 2 @ 101, b1 filled'],
    ['book', ' / 101x2'],
  ])
})

test('most volume first: the price at which most trades', () => {
  auction([
    ['1 b1: buy 10 @ 105', ''],
    ['1 b2: buy 10 @ 100', ''],
    ['2 s1: sell 20 @ 100', ''],
    ['phase continuous', 'trade s1 b1 10 @ 100, b1 filled, trade s1 b2 10 @ 100, s1 filled, b2 filled'],
  ])
})

test('then the least left over', () => {
  const scenario = auction([
    ['1 b1: buy 10 @ 105', ''],
    ['1 b2: buy 4 @ 101', ''],
    ['2 s1: sell 10 @ 100', ''],
  ])
  // From 102 to 105 nobody is left over; below that four lots of buyers would be. Without a reference the middle is taken.
  expect(scenario.shard.engine.indicativeAuction(1 as never)).toEqual({ price: 103, volume: 10, surplus: 0 })
})

test('then the pressure: buyers left over press the price up, sellers down', () => {
  const buyers = auction([
    ['1 b: buy 12 @ 105', ''],
    ['2 s: sell 10 @ 100', ''],
  ])
  expect(buyers.shard.engine.indicativeAuction(1 as never)).toEqual({ price: 105, volume: 10, surplus: 2 })
  const sellers = auction([
    ['1 b: buy 10 @ 105', ''],
    ['2 s: sell 13 @ 100', ''],
  ])
  expect(sellers.shard.engine.indicativeAuction(1 as never)).toEqual({ price: 100, volume: 10, surplus: -3 })
})

test('then the nearest to the reference price', () => {
  const rows: readonly Row[] = [
    ['1 b: buy 10 @ 105', ''],
    ['2 s: sell 10 @ 100', ''],
  ]
  const at = (referencePrice: number) =>
    play(rows, { ...AUCTION, referencePrice }).shard.engine.indicativeAuction(1 as never).price
  expect([at(90), at(102), at(120), at(0)]).toEqual([100, 102, 105, 102])
})

test('nothing trades where nothing crosses', () => {
  const scenario = auction([
    ['1 b: buy 10 @ 99', ''],
    ['2 s: sell 10 @ 100', ''],
  ])
  expect(scenario.shard.engine.indicativeAuction(1 as never)).toEqual({ price: 0, volume: 0, surplus: 0 })
  scenario.play([['phase continuous', '']])
})

test('price, then time: those that would pay more go first', () => {
  auction([
    ['1 b1: buy 5 @ 101', ''],
    ['2 b2: buy 5 @ 102', ''],
    ['3 b3: buy 5 @ 101', ''],
    ['4 s: sell 8 @ 101', ''],
    ['phase continuous', 'trade s b2 5 @ 101, b2 filled, trade s b1 3 @ 101, s filled'],
    ['book', '101x7 / '],
  ])
})

test('an iceberg takes part with all it has, what it hides after what is displayed', () => {
  auction([
    ['1 ice: buy 10 @ 101 show 2', ''],
    ['2 b: buy 3 @ 101', ''],
    ['4 s: sell 8 @ 101', ''],
    [
      'phase continuous',
      'trade s ice 2 @ 101, trade s b 3 @ 101, b filled, trade s ice 2 @ 101, trade s ice 1 @ 101, s filled',
    ],
  ])
})

test('buyers get back what the price saves them, and fees are charged by who came later', () => {
  const scenario = new Scenario({ ...AUCTION, makerFee_ppm: 10_000, takerFee_ppm: 20_000 })
  scenario.shard.deposit(8, USD, 10_000)
  scenario.shard.deposit(9, BTC, 10)
  scenario.play([
    ['8 b: buy 10 @ 105', ''],
    ['9 s: sell 10 @ 100', ''],
  ])
  expect(scenario.shard.balance(8, USD)).toEqual({ available: 8_929, held: 1_071 })
  scenario.play([['phase continuous', 'trade s b 10 @ 102, s filled, b filled']])
  expect(scenario.shard.balance(8, USD)).toEqual({ available: 10_000 - 1_020 - 11, held: 0 })
  expect(scenario.shard.balance(9, USD)).toEqual({ available: 1_020 - 21, held: 0 })
  expect(scenario.shard.balance(8, BTC)).toEqual({ available: 10, held: 0 })
})

test('self-trade prevention holds in an auction: the younger order decides', () => {
  auction([
    ['1 b: buy 5 @ 102', ''],
    ['2 other: buy 5 @ 101', ''],
    ['1 s: sell 5 @ 101 oldest', ''],
    ['phase continuous', 'b self_trade_prevention, trade s other 5 @ 101, s filled, other filled'],
  ])
  auction([
    ['1 b: buy 5 @ 102', ''],
    ['1 s: sell 3 @ 101 decrement', ''],
    ['phase continuous', 'b reduced 3, s self_trade_prevention'],
    ['book', '102x2 / '],
  ])
})

test('what needs to trade at once is refused while orders gather', () => {
  auction([
    ['1 a: buy 5 market ioc', 'rejected order_type_not_supported'],
    ['1 b: buy 5 @ 100 ioc', 'rejected time_in_force_not_supported'],
    ['1 c: buy 5 @ 100 fok', 'rejected time_in_force_not_supported'],
    ['1 d: buy 5 @ 100 min 2', 'rejected minimum_quantity_invalid'],
    ['1 e: buy 5 stop trigger 105', ''],
    ['1 f: buy 5 @ 100', ''],
    ['replace 1 f 6 @ 101', 'replaced f'],
  ])
})

test('stops meet the auction’s price, and enter when continuous trading begins', () => {
  const scenario = auction([
    ['3 stop: buy 2 stop trigger 101', ''],
    ['1 b: buy 5 @ 102', ''],
    ['2 s: sell 5 @ 102', ''],
    ['2 s2: sell 9 @ 103', ''],
    ['phase closing_auction', ''],
    ['phase closed', 'trade s b 5 @ 102, s filled, b filled'],
  ])
  expect(scenario.shard.engine.nextTimer()).toBe(0)
  scenario.play([
    ['phase pre_open', ''],
    ['phase continuous', 'stop triggered 102, trade stop s2 2 @ 103, stop filled'],
  ])
})

test('closed: nothing comes in, orders may be cancelled; halted: the same, and nothing trades', () => {
  play([
    ['1 a: buy 5 @ 100', ''],
    ['phase halted', ''],
    ['2 b: sell 5 @ 100', 'rejected market_halted'],
    ['replace 1 a 5 @ 101', 'rejected market_halted'],
    ['phase closed', ''],
    ['2 c: sell 5 @ 100', 'rejected market_closed'],
    ['cancel 1 a', 'a cancelled_by_client'],
  ])
})

test('a halt takes an auction’s orders as they are; they trade when trading goes on', () => {
  auction([
    ['1 b: buy 5 @ 102', ''],
    ['2 s: sell 5 @ 102', ''],
    ['phase halted', ''],
    ['book', '102x5 / 102x5'],
    ['phase continuous', 'trade s b 5 @ 102, s filled, b filled'],
  ])
})

test('pre-open that closes again has not traded', () => {
  play(
    [
      ['1 b: buy 5 @ 102', ''],
      ['2 s: sell 5 @ 102', ''],
      ['phase closed', ''],
      ['phase continuous', 'trade s b 5 @ 102, s filled, b filled'],
    ],
    { phase: 1 },
  )
})

test('the price is the one that trying every price finds', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = new Random(seed)
    const scenario = new Scenario({ ...AUCTION, referencePrice: random.chance(50) ? random.between(90, 110) : 0 })
    const gathered: { side: number; price: number; shown: number; hidden: number }[] = []
    const spread = random.pick([2, 5, 15])
    const commands = Array.from({ length: random.between(2, 14) }, (_, i) => {
      const order = {
        side: random.below(2),
        price: random.between(100 - spread, 100 + spread),
        quantity: random.between(1, 6),
      }
      gathered.push({ ...order, shown: order.quantity, hidden: 0 })
      return command('new_order', { ...order, account: random.between(1, 3), clientOrderId: `r${i}` })
    })
    scenario.shard.apply(...commands)
    const bids = gathered.filter((one) => one.side === 0).sort((a, b) => b.price - a.price)
    const asks = gathered.filter((one) => one.side === 1).sort((a, b) => a.price - b.price)
    const reference = scenario.shard.engine.definitions().instruments[0]?.referencePrice as number
    const expected = naiveAuctionPrice(bids, asks, reference)
    expect(scenario.shard.engine.indicativeAuction(1 as never), `seed ${seed}`).toEqual(expected)
  }
})
