// The parts of the simulated market that need no platform: prices, pace, quotes, takers, treasury, and the file of its accounts. The
// quotes rest in the engine's own bare book.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readMarkets, Side } from '@wintrades/domain'
import { FILL_LAYOUT, StandaloneBook } from '@wintrades/engine'
import { readYamlFile } from '@wintrades/platform'
import { expect, test } from 'vitest'
import type { InstrumentView, OrderRequest, OrderView, Result } from '../../src/client/index.ts'
import { inRepository } from '../../src/repository.ts'
import { readAccounts, writeAccounts } from '../../src/simulation/accounts.ts'
import { Maker, type OrderEntry } from '../../src/simulation/maker.ts'
import { type SimulatedMarket, simulatedMarket } from '../../src/simulation/market.ts'
import { Budget, JitteredTimer, RandomTimer } from '../../src/simulation/pace.ts'
import { PricePath } from '../../src/simulation/price-path.ts'
import { seededRandom } from '../../src/simulation/random.ts'
import { fundsIn, ordersIn, startingPrice } from '../../src/simulation/reading.ts'
import { fundsBehind, PACE } from '../../src/simulation/simulation.ts'
import { takerOrder } from '../../src/simulation/taker.ts'
import { treasuryMoves } from '../../src/simulation/trader.ts'

const BTC: InstrumentView = {
  symbol: 'BTC-USD',
  base: 'BTC',
  quote: 'USD',
  shard: 'us-east',
  tickSize: '0.01',
  lotSize: '0.0001',
  referencePrice: '60000',
}

/** An order entry that is a real book and nothing else: integers are hundredths of a unit and ten-thousandths of a coin. */
class Venue implements OrderEntry {
  readonly book = new StandaloneBook()
  readonly open = new Map<string, { id: number; side: Side; price: number; quantity: number }>()
  readonly refused: string[] = []
  onGone: (clientOrderId: string) => void = () => {}
  #count = 0

  async place(order: OrderRequest): Promise<Result<OrderView>> {
    const side = order.side === 'BUY' ? Side.buy : Side.sell
    const [price, quantity] = [cents(order.price), lots(order.quantity)]
    if (order.postOnly === true && this.#crosses(side, price)) return this.#refuse('POST_ONLY_WOULD_MATCH')
    const id = ++this.#count
    if (order.postOnly !== true) {
      const left = this.book.immediate(side, price, quantity)
      this.#settle()
      return view(order, left === 0 ? 'FILLED' : 'CANCELLED')
    }
    this.book.limit(id, side, price, quantity)
    this.open.set(order.clientOrderId ?? '', { id, side, price, quantity })
    return view(order, 'NEW')
  }

  async cancel({ clientOrderId }: { readonly clientOrderId: string }): Promise<Result<unknown>> {
    const order = this.open.get(clientOrderId)
    if (order === undefined) return this.#refuse('ORDER_UNKNOWN')
    this.open.delete(clientOrderId)
    this.book.cancel(order.id)
    return { ok: true, value: null }
  }

  async replace(
    { clientOrderId }: { readonly clientOrderId: string },
    change: { readonly price: string; readonly quantity: string },
  ): Promise<Result<unknown>> {
    const order = this.open.get(clientOrderId)
    if (order === undefined) return this.#refuse('ORDER_UNKNOWN')
    const [price, quantity] = [cents(change.price), lots(change.quantity)]
    if (this.#crosses(order.side, price)) return this.#refuse('POST_ONLY_WOULD_MATCH')
    this.book.cancel(order.id)
    this.book.limit(order.id, order.side, price, quantity)
    this.open.set(clientOrderId, { ...order, price, quantity })
    return { ok: true, value: null }
  }

  pricesOf(side: Side): readonly number[] {
    return [...this.open.values()].filter((order) => order.side === side).map((order) => order.price)
  }

  #crosses(side: Side, price: number): boolean {
    return this.book.book.wouldMatch(side, price)
  }

  #settle(): void {
    const { fills } = this.book
    for (let i = 0; i < fills.count; i++) {
      const at = i << FILL_LAYOUT.FILL_SHIFT
      const filled = this.book.idOf(fills.data[at + FILL_LAYOUT.FILL_MAKER] as number)
      for (const [name, order] of this.open) {
        if (order.id !== filled) continue
        order.quantity -= fills.data[at + FILL_LAYOUT.FILL_QUANTITY] as number
        if (order.quantity > 0) continue
        this.open.delete(name)
        this.onGone(name)
      }
    }
  }

  #refuse(code: string): Result<never> {
    this.refused.push(code)
    return { ok: false, error: { code, message: code, status: 422 } }
  }
}

const cents = (text: string | undefined) => Math.round(Number(text ?? 0) * 100)
const lots = (text: string | undefined) => Math.round(Number(text ?? 0) * 10_000)
const view = ({ clientOrderId = '' }: OrderRequest, status: OrderView['status']): Result<OrderView> => ({
  ok: true,
  value: { orderId: '1', clientOrderId, status, cumQty: '0', leavesQty: '0' },
})

function aMaker(market: SimulatedMarket, inventory: () => number = () => 0) {
  const venue = new Venue()
  let count = 0
  const random = seededRandom(1, 'maker')
  const maker = new Maker({ market, orders: venue, levels: 5, random, inventory, nextId: () => `q${++count}` })
  venue.onGone = (name) => maker.gone(name)
  return { venue, maker }
}

test('the same seed gives the same prices', () => {
  const walk = (seed: number) => {
    const path = new PricePath({ start: 100, volatility: 0.0001, random: seededRandom(seed, 'price') })
    return Array.from({ length: 100 }, (_, second) => path.advance(second))
  }
  expect(walk(7)).toEqual(walk(7))
  expect(walk(7)).not.toEqual(walk(8))
})

test('a price moves, and stays near where it began for days', () => {
  const path = new PricePath({ start: 60_000, volatility: 0.0001, random: seededRandom(3, 'price') })
  const prices: number[] = []
  for (let second = 0; second < 3 * 86_400; second += 4) prices.push(path.advance(second))
  expect(Math.min(...prices)).toBeGreaterThan(60_000 * 0.8)
  expect(Math.max(...prices)).toBeLessThan(60_000 * 1.25)
  expect(new Set(prices.map(Math.round)).size).toBeGreaterThan(500)
})

test('a pause is not one great leap', () => {
  const path = new PricePath({ start: 100, volatility: 0.0001, random: seededRandom(3, 'price') })
  path.advance(0)
  expect(Math.abs(path.advance(1e9) - 100)).toBeLessThan(1)
})

test('prices and quantities are on the grid of the instrument', () => {
  const market = simulatedMarket({ ...BTC, tickSize: '0.5', lotSize: '1' }, 12_500, 1e6, 1)
  expect(market.price(12_500.3)).toBe('12500.5')
  expect(market.price(-3)).toBe('0.5')
  expect(market.quantity(0.2)).toBe('1')
  expect(market.quantity(17.6)).toBe('18')
})

test('a maker quotes both sides, and its quotes never meet', async () => {
  const market = simulatedMarket(BTC, 60_000, 250_000, 1)
  const { venue, maker } = aMaker(market)
  expect(await maker.turn()).toBe(10)
  expect(maker.quoteCount).toBe(10)
  expect(Math.max(...venue.pricesOf(Side.buy))).toBeLessThan(6_000_000)
  expect(Math.min(...venue.pricesOf(Side.sell))).toBeGreaterThan(6_000_000)
  for (let second = 4; second < 4_000; second += 4) {
    market.path.advance(second)
    await maker.turn()
    expect(venue.pricesOf(Side.buy)).toHaveLength(5)
    expect(venue.pricesOf(Side.sell)).toHaveLength(5)
  }
  expect(venue.refused).toEqual([])
})

test('a maker with too much of it asks less', async () => {
  let inventory = 0
  const { venue, maker } = aMaker(simulatedMarket(BTC, 60_000, 250_000, 1), () => inventory)
  await maker.turn()
  const before = Math.min(...venue.pricesOf(Side.sell))
  inventory = 1
  await maker.turn()
  expect(Math.min(...venue.pricesOf(Side.sell))).toBeLessThan(before)
})

test('what is filled is quoted again; what a lost connection cancelled is forgotten', async () => {
  const market = simulatedMarket(BTC, 60_000, 250_000, 1)
  const { venue, maker } = aMaker(market)
  await maker.turn()
  await venue.place({ symbol: 'BTC-USD', side: 'BUY', type: 'LIMIT', price: '70000', quantity: '0.05' })
  expect(maker.quoteCount).toBeLessThan(10)
  await maker.turn()
  expect(maker.quoteCount).toBe(10)
  for (const name of [...venue.open.keys()]) await venue.cancel({ clientOrderId: name })
  maker.forget()
  expect(await maker.turn()).toBe(10)
  expect(venue.open.size).toBe(10)
})

test('takers trade at once, on both sides, and against what they have too much of', () => {
  const market = simulatedMarket(BTC, 60_000, 250_000, 1)
  const random = seededRandom(5, 'taker')
  const buys = (inventory: number) =>
    Array.from({ length: 2_000 }, () => takerOrder(market, inventory, random)).filter((order) => {
      expect(order.type === 'MARKET' || order.timeInForce === 'IOC').toBe(true)
      expect(Number(order.quantity)).toBeGreaterThan(0)
      return order.side === 'BUY'
    }).length
  expect(buys(0)).toBeGreaterThan(900)
  expect(buys(0)).toBeLessThan(1_100)
  expect(buys(1)).toBeLessThan(500)
})

test('all fourteen markets together stay gentle: 3 to 10 operations a second over an hour', async () => {
  const markets = readYamlFile(inRepository('markets.yml'), readMarkets)
  if (!markets.ok) throw new Error('markets.yml has faults')
  const { shards, instruments } = markets.markets
  const views = instruments.map((one) => ({
    ...BTC,
    symbol: one.symbol,
    base: one.base.code,
    quote: one.quote.code,
    shard: shards[one.shard]?.name ?? '',
    tickSize: (one.tick / 10 ** one.priceScale).toFixed(one.priceScale),
    lotSize: (one.lot / 10 ** one.quantityScale).toFixed(one.quantityScale),
    referencePrice: String((one.definition.referencePrice * one.tick) / 10 ** one.priceScale),
  }))
  const funds = Object.fromEntries(
    instruments
      .flatMap(({ base, quote }) => [base, quote])
      .map((asset) => [asset.code, asset.paperFunds / 10 ** asset.scale]),
  )
  expect(views).toHaveLength(14)
  const random = seededRandom(9, 'pace')
  let operations = 0
  for (const view of views) {
    const price = startingPrice(view, null) ?? 0
    const neighbours = views.filter((other) => other.shard === view.shard)
    const market = simulatedMarket(view, price, fundsBehind(view, price, neighbours, { funds }), 9)
    const { maker } = aMaker(market)
    const makerTimer = new JitteredTimer(PACE.makerPeriod_seconds, random)
    const takerTimer = new RandomTimer(PACE.takerMean_seconds, random)
    let quotes = 0
    for (let second = 0; second < 3_600; second += 0.25) {
      market.path.advance(second)
      if (makerTimer.due(second)) operations += await maker.turn()
      // A taker's order costs one command, and the maker about one more for the quote that it took.
      if (takerTimer.due(second)) operations += 2
      quotes = Math.max(quotes, maker.quoteCount)
    }
    expect(quotes).toBe(2 * PACE.levels)
  }
  expect(operations / 3_600).toBeGreaterThan(3)
  expect(operations / 3_600).toBeLessThan(PACE.operationsPerSecond)
})

test('the budget holds a burst back until it has been made up for', () => {
  const budget = new Budget(10, 4)
  expect(budget.allows(0)).toBe(true)
  budget.spend(60)
  expect(budget.allows(1)).toBe(false)
  expect(budget.allows(1.9)).toBe(false)
  expect(budget.allows(2.1)).toBe(true)
})

test('the treasury moves only what has gone too far', () => {
  expect(treasuryMoves({ USD: 1_000_000, BTC: 20 }, { USD: 600_000, BTC: 30 })).toEqual([])
  expect(treasuryMoves({ USD: 1_000_000, BTC: 20 }, { USD: 400_000.7, BTC: 41.239 })).toEqual([
    { asset: 'USD', amount: 599_999 },
    { asset: 'BTC', amount: -21.23 },
  ])
  expect(treasuryMoves({ USD: 100 }, {})).toEqual([{ asset: 'USD', amount: 100 }])
})

test('answers and pushes are read in every shape they come in', () => {
  const balance = { asset: 'USD', available: '10.5', held: '2', shard: 'us-east' }
  expect(fundsIn({ items: [balance, { ...balance, shard: 'eu-west' }] }, 'us-east')).toEqual({ USD: 12.5 })
  const order = { status: 'FILLED', clientOrderId: 'a', symbol: 'BTC-USD' }
  for (const data of [order, [order], { orders: [order] }, { order }, { items: [order] }]) {
    expect(ordersIn(data)).toEqual([order])
  }
  expect(ordersIn(null)).toEqual([])
})

test('prices go on at the last trade, unless it is far from the reference', () => {
  expect(startingPrice(BTC, { last: '61000.00' })).toBe(61_000)
  expect(startingPrice(BTC, { last: '6.00' })).toBe(60_000)
  expect(startingPrice(BTC, { last: '0' })).toBe(60_000)
  expect(startingPrice({ ...BTC, referencePrice: '0' }, null)).toBeNull()
})

test('accounts are kept where only their owner reads them', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-simulation-'))
  const file = join(directory, 'data', 'simulation.json')
  const account = {
    role: 'maker',
    region: 'us-east',
    email: 'a@simulation.invalid',
    password: 'p',
    key: { keyId: 'k', secret: 's' },
    funds: { USD: 1 },
  } as const
  try {
    expect(readAccounts(file)).toEqual([])
    writeAccounts(file, [account])
    expect(readAccounts(file)).toEqual([account])
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
    writeFileSync(file, '{}')
    expect(() => readAccounts(file)).toThrow(/is not a file of simulation accounts/)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
