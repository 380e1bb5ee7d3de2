// The parts of a replay that need no platform: the grid, the mirror, the translation into operations, and what may be under way
// together, which is proved by shuffling connections against a real engine.

import { fileURLToPath } from 'node:url'
import { readMarkets } from '@wintrades/domain'
import { type RecordedAction, readRecording } from '@wintrades/marketdata'
import { describe, expect, test } from 'vitest'
import { Grid } from '../../src/replay/grid.ts'
import { Mirror } from '../../src/replay/mirror.ts'
import { type ReplayResult, renderResult, replayFigures } from '../../src/replay/result.ts'
import { mustWait, Schedule } from '../../src/replay/schedule.ts'
import { fit, measure } from '../../src/replay/survey.ts'
import { marketsFor } from '../../src/replay/target.ts'
import { type Operation, Translator } from '../../src/replay/translate.ts'
import { EngineVenue } from './engine-venue.ts'

const BME = fileURLToPath(new URL('../../../marketdata/test/fixtures/bme-made-up.csv', import.meta.url))
const RUN = { run: 'run' }

describe('the grid', () => {
  test('is exact where the recording fits', () => {
    const grid = Grid.of('0.01', '0.0001')
    expect(grid.ticks('95.80', 'BUY')).toBe(9_580)
    expect(grid.lots('1.5')).toBe(15_000)
    expect([grid.price(9_580), grid.quantity(15_000), grid.rounded]).toEqual(['95.80', '1.5000', 0])
  })

  test('rounds away from the market where it does not, and counts that', () => {
    const grid = Grid.of('0.05', '1')
    expect([grid.ticks('95.83', 'BUY'), grid.ticks('95.83', 'SELL'), grid.lots('0.2'), grid.lots('7.6')]).toEqual([
      1_916, 1_917, 1, 8,
    ])
    expect(grid.rounded).toBe(4)
  })
})

describe('the mirror', () => {
  test('matches by price, then by time', () => {
    const mirror = new Mirror()
    for (const [id, price] of [
      ['a', 101],
      ['b', 100],
      ['c', 100],
    ] as const) {
      mirror.enter({ id, side: 'SELL', price }, 10, true)
    }
    const fills = mirror.enter({ id: 'd', side: 'BUY', price: 101 }, 25, true)
    expect(fills.map(({ maker, price, lots }) => [maker.id, price, lots])).toEqual([
      ['b', 100, 10],
      ['c', 100, 10],
      ['a', 101, 5],
    ])
    expect(mirror.find('a')).toMatchObject({ leaves: 5, filled: 5 })
    expect(mirror.cancel('a')).toBe(true)
    expect(mirror.cancel('a')).toBe(false)
    expect(mirror.openCount).toBe(0)
  })

  test('knows who waits behind whom', () => {
    const mirror = new Mirror()
    for (const id of ['a', 'b', 'c']) mirror.enter({ id, side: 'BUY', price: 100 }, 1, true)
    const first = mirror.find('a')
    expect(first && mirror.behind(first).map((order) => order.id)).toEqual(['b', 'c'])
  })
})

const AT = { line: 1, time_us: 0 }
const entered = (id: string, side: 'BUY' | 'SELL', price: string, quantity: string): RecordedAction => ({
  kind: 'new',
  ...AT,
  id,
  side,
  price,
  quantity,
})

describe('the translation', () => {
  const translator = () => new Translator({ grid: Grid.of('0.01', '1'), accounts: 3, ...RUN })
  const text = (operation: Operation) =>
    `${operation.kind} ${operation.name}${operation.kind === 'cancel' ? '' : ` ${operation.lots}`}`

  test('an order keeps its account', () => {
    const one = translator()
    const [placed] = one.translate(entered('1', 'BUY', '10', '5'))
    const [cancelled] = one.translate({ kind: 'cancel', ...AT, id: '1', filled: false })
    expect(cancelled?.account).toBe(placed?.account)
    expect(new Set(Array.from({ length: 50 }, (_, i) => one.accountOf(`run-${i}`)))).toEqual(new Set([0, 1, 2]))
  })

  test('a change names what is open; the API is told the total', () => {
    const one = translator()
    one.translate(entered('1', 'BUY', '10', '9'))
    one.translate(entered('2', 'SELL', '10', '4'))
    expect(one.translate({ kind: 'change', ...AT, id: '1', quantity: '3' }).map(text)).toEqual(['replace run-1 7'])
    expect(one.translate({ kind: 'change', ...AT, id: '1', quantity: '3' })).toEqual([])
    expect(one.agreed).toBe(1)
  })

  test('an order that becomes larger keeps its place: those behind it go to the end after it', () => {
    const one = translator()
    for (const id of ['1', '2', '3', '4']) one.translate(entered(id, 'BUY', '10', '5'))
    expect(one.translate({ kind: 'change', ...AT, id: '2', quantity: '8' }).map(text)).toEqual([
      'replace run-2 8',
      'replace run-3 6',
      'replace run-3 5',
      'replace run-4 6',
      'replace run-4 5',
    ])
  })

  test('a recorded end of an order that has ended here too is not sent, unless the recording cancelled it', () => {
    const one = translator()
    expect(one.translate({ kind: 'cancel', ...AT, id: '9', filled: true })).toEqual([])
    expect(one.translate({ kind: 'cancel', ...AT, id: '9', filled: false }).map(text)).toEqual(['cancel run-9'])
  })
})

test('a small recording gives the trades that one can count by hand, and needs exactly the funds that it is said to', async () => {
  const extent = await measure(BME, 'bme')
  const { limits, grid, need } = await fit(BME, 'bme', extent, { accounts: 2, ...RUN })
  expect(limits).toMatchObject({ priceScale: 2, quantityScale: 0 })
  // 20 + 5 at 95.80 by the buyer of 25; then 30 + 5 at 95.50 by the seller of 35.
  expect(need).toMatchObject({ trades: 4, lots: 60, rounded: 0 })
  const venue = new EngineVenue(limits, need)
  const translator = new Translator({ grid, accounts: 2, ...RUN })
  for await (const record of readRecording(BME, 'bme')) {
    if (record.kind !== 'fault') for (const operation of translator.translate(record)) venue.send([operation])
  }
  expect(venue).toMatchObject({ trades: 4, lots: 60 })
  // Order 1 was filled; order 7 was filled; order 99 is from before the recording.
  expect(venue.refused).toEqual({ ORDER_NOT_OPEN: 2, ORDER_UNKNOWN: 1 })
})

test('connections may be as slow as they like: the trades are the same', { timeout: 30_000 }, async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = randomFrom(seed)
    const actions = crowdedFlow(random, 1_500)
    const grid = Grid.of('1', '1')
    const options = { grid, accounts: 4, ...RUN }
    const translator = new Translator(options)
    const funds = { base: 10_000_000, quote: 1_000_000_000 }
    const accounts = Array.from({ length: 4 }, () => funds)
    const venue = new EngineVenue(
      { ticks_max: 1_000, lots_max: 1_000 },
      { operations: 0, trades: 0, lots: 0, rounded: 0, accounts },
    )
    // What has been sent over each connection and has not arrived; the next to arrive is anybody's.
    const connections: Operation[][] = [[], [], [], []]
    const arrive = () => {
      const busy = connections.filter((one) => one.length > 0)
      const operation = busy[Math.floor(random() * busy.length)]?.shift()
      if (operation !== undefined) venue.send([operation])
    }
    const waits = (operation: Operation) =>
      connections.some((one) => one.some((earlier) => mustWait(operation, earlier)))
    let together = 0
    for (const action of actions) {
      for (const operation of translator.translate(action)) {
        while (waits(operation) || (random() < 0.2 && connections.some((one) => one.length > 0))) arrive()
        connections[operation.account]?.push(operation)
        together = Math.max(together, connections.filter((one) => one.length > 0).length)
      }
    }
    while (connections.some((one) => one.length > 0)) arrive()
    expect([seed, venue.trades, venue.lots]).toEqual([seed, translator.trades, translator.lots])
    expect(venue.trades).toBeGreaterThan(200)
    expect(together).toBeGreaterThan(2)
  }
})

test('operations are admitted when nothing they must wait for is under way', async () => {
  const translator = new Translator({ grid: Grid.of('1', '1'), accounts: 16, ...RUN })
  const schedule = new Schedule(2)
  const [first] = translator.translate(entered('1', 'BUY', '10', '5')) as [Operation]
  const [second] = translator.translate(entered('2', 'BUY', '9', '5')) as [Operation]
  const [taking] = translator.translate(entered('3', 'SELL', '9', '7')) as [Operation]
  await schedule.admit(first)
  await schedule.admit(second)
  let admitted = false
  const waiting = schedule.admit(taking).then(() => {
    admitted = true
  })
  schedule.done(first)
  await Promise.resolve()
  expect(admitted).toBe(false)
  schedule.done(second)
  await waiting
  expect(schedule.underWay).toBe(1)
  schedule.done(taking)
  await schedule.drain()
})

test('the instrument of a private platform is one that the venue accepts', async () => {
  const extent = await measure(BME, 'bme')
  const { limits } = await fit(BME, 'bme', extent, { accounts: 2, ...RUN })
  const markets = readMarkets(marketsFor('ANA-EUR', limits, [{ name: 'us-east', regions: ['us-east'] }]))
  expect(markets).toMatchObject({
    ok: true,
    markets: { instruments: [{ symbol: 'ANA-EUR', priceScale: 2, quantityScale: 0, tick: 1, lot: 1 }] },
  })
})

test('the result says what differs, and why something was rejected', () => {
  const result: ReplayResult = {
    symbol: 'ANA-EUR',
    accounts: 4,
    operations: 30_000,
    placed: 13_604,
    cancels: 11_433,
    changes: 2_019,
    repeats: 2_944,
    agreed: 0,
    trades: 2_078,
    volume: '84969',
    volume_lots: 84_969,
    expected: { trades: 2_078, volume: '84969', volume_lots: 84_969 },
    rejects: new Map([['ORDER_NOT_OPEN', { count: 470, message: 'the order is not open' }]]),
    unknown: 0,
    rounded: 0,
    faults: 0,
    reconnected: 0,
    seconds: 10,
    answer_ms: { p50: 2, p99: 9, max: 30 },
    private: true,
  }
  expect(renderResult(result)).toContain('2,078 trades, volume 84969: the same as an independent price-time matcher')
  expect(renderResult(result)).toContain(
    '470  ORDER_NOT_OPEN: a cancel or change of an order that had been filled already',
  )
  expect(renderResult({ ...result, trades: 2_077 })).toContain('✘ 2,077 trades')
  expect(replayFigures(result)).toContainEqual({ name: 'replay.trades', value: 2_078, unit: 'count', reference: 2_078 })
})

function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Orders, cancels and changes around one price, so that nearly everything could meet everything. */
function crowdedFlow(random: () => number, count: number): RecordedAction[] {
  const some = (below: number) => Math.floor(random() * below)
  return Array.from({ length: count }, (_, i): RecordedAction => {
    const id = String(Math.max(0, i - 1 - some(60)))
    const kind = random()
    if (kind < 0.2) return { kind: 'cancel', ...AT, id, filled: false }
    if (kind < 0.35) return { kind: 'change', ...AT, id, quantity: String(1 + some(20)) }
    const side = random() < 0.5 ? 'BUY' : 'SELL'
    const price = String(100 + some(12) - (side === 'BUY' ? 8 : 3))
    if (kind < 0.4) return { kind: 'take', ...AT, side, price, quantity: String(1 + some(20)) }
    return entered(String(i), side, price, String(1 + some(20)))
  })
}
