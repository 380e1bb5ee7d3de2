// Order flow behind recorded market data: one resting order per price level, entered, changed and cancelled as the level was, and one
// taking order per trade. Played to an order book it gives the recorded book and the recorded trades again.

import { parseDecimal } from '@wintrades/domain'
import {
  fault,
  type RecordedAction,
  type RecordedDepth,
  type RecordedFault,
  type RecordedLevel,
  type RecordedMarket,
  type RecordedSide,
  type RecordedTrade,
} from './records.ts'

/** Prices and quantities are counted in 10^-8. */
const SCALE = 8
const LEVELS_MAX = 50_000
/** Updates that may come before the snapshot they belong to; past it the book begins without one. */
const BEFORE_SNAPSHOT_MAX = 256

type Resting = { readonly id: string; readonly price: string; leaves: number }
type Step = RecordedAction & { readonly kind: 'new' | 'change' | 'cancel' }

export async function* levelOrders(
  market: AsyncIterable<RecordedMarket | RecordedFault>,
): AsyncGenerator<RecordedAction | RecordedFault> {
  const book = new LevelBook()
  let early: RecordedDepth[] | null = []
  let last: number | null = null
  for await (const record of market) {
    if (record.kind === 'fault') yield record
    else if (record.kind === 'trade') {
      // Until the book is there, there is nothing to take.
      if (early === null) yield book.take(record)
    } else if (early !== null && !record.snapshot && early.length < BEFORE_SNAPSHOT_MAX) early.push(record)
    else {
      for (const depth of early === null ? [record] : inOrder(early, record)) {
        if (last !== null && !depth.snapshot) {
          if (depth.lastUpdate <= last) continue // the snapshot has it already
          if (depth.firstUpdate > last + 1) {
            yield fault(depth.line, `${depth.firstUpdate - last - 1} depth updates are missing before it`, '')
          }
        }
        last = depth.lastUpdate
        yield* book.set(depth)
      }
      early = null
    }
  }
  // A recording that ended before its snapshot came.
  for (const depth of early ?? []) yield* book.set(depth)
}

function inOrder(early: readonly RecordedDepth[], record: RecordedDepth): readonly RecordedDepth[] {
  return record.snapshot ? [record, ...early] : [...early, record]
}

class LevelBook {
  readonly #levels = { BUY: new Map<number, Resting>(), SELL: new Map<number, Resting>() }
  #count = 0

  /** What leaves the book comes first, so that what is new does not meet it. */
  set(depth: RecordedDepth): readonly (Step | RecordedFault)[] {
    const steps: (Step | RecordedFault)[] = []
    if (depth.snapshot)
      steps.push(...this.#leaving('BUY', depth.bids, depth), ...this.#leaving('SELL', depth.asks, depth))
    for (const level of depth.bids) steps.push(...this.#setLevel('BUY', level, depth))
    for (const level of depth.asks) steps.push(...this.#setLevel('SELL', level, depth))
    return [...steps.filter((step) => step.kind !== 'new'), ...steps.filter((step) => step.kind === 'new')]
  }

  take({ side, price, quantity, line, time_us }: RecordedTrade): RecordedAction {
    const limit = units(price)
    let left = units(quantity)
    const makers = this.#levels[side === 'BUY' ? 'SELL' : 'BUY']
    const within = [...makers].filter(([at]) => (side === 'BUY' ? at <= limit : at >= limit))
    for (const [at, resting] of within.sort(([a], [b]) => (side === 'BUY' ? a - b : b - a))) {
      if (left === 0) break
      const filled = Math.min(left, resting.leaves)
      left -= filled
      resting.leaves -= filled
      if (resting.leaves === 0) makers.delete(at)
    }
    return { kind: 'take', line, time_us, side, price, quantity }
  }

  *#setLevel(side: RecordedSide, [price, quantity]: RecordedLevel, at: RecordedDepth): Generator<Step | RecordedFault> {
    const { line, time_us } = at
    const levels = this.#levels[side]
    const resting = levels.get(units(price))
    const wanted = units(quantity)
    if (wanted === (resting?.leaves ?? 0)) return
    if (resting === undefined) {
      if (levels.size >= LEVELS_MAX)
        return yield fault(line, `more than ${LEVELS_MAX} price levels; this one is left out`, price)
      const id = `level-${++this.#count}`
      levels.set(units(price), { id, price, leaves: wanted })
      yield { kind: 'new', line, time_us, id, side, price, quantity }
    } else if (wanted === 0) {
      levels.delete(units(price))
      yield { kind: 'cancel', line, time_us, id: resting.id, filled: false }
    } else {
      resting.leaves = wanted
      yield { kind: 'change', line, time_us, id: resting.id, quantity }
    }
  }

  /** Levels that a snapshot no longer names. */
  #leaving(side: RecordedSide, named: readonly RecordedLevel[], at: RecordedDepth): (Step | RecordedFault)[] {
    const kept = new Set(named.map(([price]) => units(price)))
    const gone = [...this.#levels[side]].filter(([price]) => !kept.has(price))
    return gone.flatMap(([, { price }]) => [...this.#setLevel(side, [price, '0'], at)])
  }
}

function units(text: string): number {
  const parsed = parseDecimal(text, SCALE)
  if (!parsed.ok) throw new RangeError(`${text} does not fit 10^-${SCALE}`)
  return parsed.value
}
