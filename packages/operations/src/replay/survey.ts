// What a recording needs before it can be played: first the grid and limits of an instrument that fits it, then, played on that grid
// against the mirror, the funds of each account and the trades to expect.

import { LIMITS } from '@wintrades/domain'
import { type RecordedFault, type RecordingFormat, readRecording } from '@wintrades/marketdata'
import { Grid, type GridSteps } from './grid.ts'
import { type Operation, Translator } from './translate.ts'

/** The shape of the numbers in a recording. */
export type Extent = {
  readonly actions: number
  readonly faults: number
  /** Reported one by one, the first few. */
  readonly firstFaults: readonly RecordedFault[]
  readonly priceScale: number
  readonly quantityScale: number
  readonly price_max: number
  readonly quantity_max: number
  readonly from_us: number
  readonly to_us: number
}

const FAULTS_KEPT = 10

export async function measure(path: string, format: RecordingFormat): Promise<Extent> {
  const firstFaults: RecordedFault[] = []
  let [actions, faults, priceScale, quantityScale, price_max, quantity_max] = [0, 0, 0, 0, 0, 0]
  let [from_us, to_us] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for await (const record of readRecording(path, format)) {
    if (record.kind === 'fault') {
      faults += 1
      if (firstFaults.length < FAULTS_KEPT) firstFaults.push(record)
      continue
    }
    actions += 1
    from_us = Math.min(from_us, record.time_us)
    to_us = Math.max(to_us, record.time_us)
    if ('price' in record) {
      priceScale = Math.max(priceScale, places(record.price))
      price_max = Math.max(price_max, Number(record.price))
    }
    if ('quantity' in record) {
      quantityScale = Math.max(quantityScale, places(record.quantity))
      quantity_max = Math.max(quantity_max, Number(record.quantity))
    }
  }
  return { actions, faults, firstFaults, priceScale, quantityScale, price_max, quantity_max, from_us, to_us }
}

function places(text: string): number {
  const point = text.indexOf('.')
  if (point < 0) return 0
  let end = text.length
  while (text.charCodeAt(end - 1) === 48) end--
  return Math.max(0, end - point - 1)
}

export type InstrumentLimits = GridSteps & { readonly ticks_max: number; readonly lots_max: number }

/** The venue keeps at most 2^49 units of an asset on a shard; others may have some of it too. */
const FUNDS_MAX = 2 ** 48

/** The finest grid of an instrument made for this recording on which everything in it can be counted, and what it then needs. */
export async function fit(
  path: string,
  format: RecordingFormat,
  extent: Extent,
  options: { readonly accounts: number; readonly run: string },
): Promise<{ readonly limits: InstrumentLimits; readonly grid: Grid; readonly need: Need }> {
  for (let quantityScale = extent.quantityScale; quantityScale >= 0; quantityScale--) {
    const limits = limitsOf(extent, quantityScale)
    if (limits === null) continue
    const grid = new Grid(limits)
    const need = await survey(path, format, { ...options, grid })
    const total = (asset: 'base' | 'quote') => need.accounts.reduce((sum, account) => sum + account[asset], 0)
    if (total('base') <= FUNDS_MAX && total('quote') <= FUNDS_MAX) return { limits, grid, need }
  }
  throw new RangeError(
    `orders of up to ${extent.quantity_max} at up to ${extent.price_max}: the venue cannot count that far`,
  )
}

/** Null: orders that large do not fit. */
function limitsOf({ priceScale, price_max, quantity_max }: Extent, quantityScale: number): InstrumentLimits | null {
  const ticks_max = Math.max(1, Math.ceil(price_max * 10 ** priceScale))
  // Twice the largest, since a place in the queue is kept by asking for one lot more for a moment.
  const lots_max = Math.max(1, Math.ceil(quantity_max * 10 ** quantityScale)) * 2
  if (ticks_max > LIMITS.price_ticks_max || lots_max > LIMITS.quantity_lots_max) return null
  if (lots_max * ticks_max > LIMITS.amount_max) return null
  return { priceScale, tick: 1, quantityScale, lot: 1, ticks_max, lots_max }
}

export type Need = {
  readonly operations: number
  readonly trades: number
  readonly lots: number
  readonly rounded: number
  /** Per account: the largest shortage of the base asset (lots) and of the quote asset (ticks × lots), had it begun with nothing. */
  readonly accounts: readonly { readonly base: number; readonly quote: number }[]
}

export async function survey(
  path: string,
  format: RecordingFormat,
  options: { readonly grid: Grid; readonly accounts: number; readonly run: string },
): Promise<Need> {
  const translator = new Translator(options)
  const funds = new Funds(options.accounts)
  const before = options.grid.rounded
  let operations = 0
  for await (const record of readRecording(path, format)) {
    if (record.kind === 'fault') continue
    for (const operation of translator.translate(record)) {
      operations += 1
      funds.apply(operation, (name) => translator.accountOf(name))
    }
  }
  const { trades, lots } = translator
  return { operations, trades, lots, rounded: options.grid.rounded - before, accounts: funds.shortages() }
}

/** What is free in each account as operations go by, holds taken off, from nothing downwards. */
class Funds {
  readonly #accounts: { base: number; quote: number; baseLeast: number; quoteLeast: number }[]
  /** What each open order holds: lots of a sale, ticks × lots of a purchase. */
  readonly #held = new Map<string, number>()

  constructor(accounts: number) {
    this.#accounts = Array.from({ length: accounts }, () => ({ base: 0, quote: 0, baseLeast: 0, quoteLeast: 0 }))
  }

  apply(operation: Operation, accountOf: (name: string) => number): void {
    const { name, kind, side, price } = operation
    if (kind === 'cancel') this.#hold(operation, 0)
    // What is filled is no longer held; counting it makes the estimate larger, never smaller.
    else if (kind === 'place' || operation.open) this.#hold(operation, operation.lots * (side === 'BUY' ? price : 1))
    if (kind !== 'place') return
    let left = operation.lots
    for (const { maker, price: at, lots } of operation.fills) {
      left -= lots
      const [taking, making] = [accountOf(name), accountOf(maker.id)]
      this.#trade(taking, side === 'BUY', at, lots)
      this.#trade(making, side !== 'BUY', at, lots)
      this.#release(maker.id, making, maker.side === 'BUY', maker.side === 'BUY' ? at * lots : lots)
    }
    this.#hold(operation, operation.rests ? left * (side === 'BUY' ? price : 1) : 0)
  }

  shortages(): Need['accounts'] {
    return this.#accounts.map(({ baseLeast, quoteLeast }) => ({ base: -baseLeast, quote: -quoteLeast }))
  }

  #hold({ name, account, side }: Operation, amount: number): void {
    this.#add(account, side === 'BUY', (this.#held.get(name) ?? 0) - amount)
    if (amount === 0) this.#held.delete(name)
    else this.#held.set(name, amount)
  }

  #release(name: string, account: number, quote: boolean, amount: number): void {
    const held = this.#held.get(name) ?? 0
    const released = Math.min(held, amount)
    this.#add(account, quote, released)
    if (held === released) this.#held.delete(name)
    else this.#held.set(name, held - released)
  }

  #trade(account: number, buys: boolean, price: number, lots: number): void {
    this.#add(account, true, buys ? -price * lots : price * lots)
    this.#add(account, false, buys ? lots : -lots)
  }

  #add(account: number, quote: boolean, amount: number): void {
    const one = this.#accounts[account]
    if (one === undefined) throw new RangeError(`there is no account ${account}`)
    if (quote) {
      one.quote += amount
      one.quoteLeast = Math.min(one.quoteLeast, one.quote)
    } else {
      one.base += amount
      one.baseLeast = Math.min(one.baseLeast, one.base)
    }
  }
}
