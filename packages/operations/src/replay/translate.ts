// Recorded order flow → operations of the public API. An operation says what it may meet, so that those which cannot influence each
// other may be under way together.
//
// A recorded change sets what is open and keeps its place in the queue. The API keeps the place of an order that becomes smaller; one
// that becomes larger goes to the end. Its place is kept nevertheless: whoever waits behind it is sent to the end after it, in order.

import type { RecordedAction, RecordedSide } from '@wintrades/marketdata'
import type { Grid } from './grid.ts'
import { Mirror, type MirrorFill, type MirrorOrder } from './mirror.ts'

export type Operation = {
  /** Line of the recording. */
  readonly line: number
  readonly time_us: number
  /** Which of the replay's accounts sends it. */
  readonly account: number
  /** Client order id. */
  readonly name: string
  readonly side: RecordedSide
  /** Ticks. */
  readonly price: number
  /** It trades, or might: everything before it comes first, everything after it later. */
  readonly taking: boolean
  /** It joins the end of the queue at its price, or leaves the book; null: it does neither. */
  readonly effect: 'joins' | 'leaves' | null
} & (
  | { readonly kind: 'place'; readonly lots: number; readonly rests: boolean; readonly fills: readonly MirrorFill[] }
  | { readonly kind: 'cancel'; readonly open: boolean }
  /** `lots`: in all, with what is filled. `repeat`: sent only to keep a place in the queue. */
  | { readonly kind: 'replace'; readonly lots: number; readonly open: boolean; readonly repeat: boolean }
)

export type TranslateOptions = {
  readonly grid: Grid
  readonly accounts: number
  /** Starts every client order id: one replay's orders are not another's. */
  readonly run: string
}

export class Translator {
  readonly mirror = new Mirror()
  /** Recorded ends of orders that had ended here too, so that there was nothing to send. */
  agreed = 0
  trades = 0
  lots = 0
  readonly #options: TranslateOptions
  #takes = 0

  constructor(options: TranslateOptions) {
    this.#options = options
  }

  translate(action: RecordedAction): readonly Operation[] {
    switch (action.kind) {
      case 'new':
        return [this.#enter(action, this.#name(action.id), true)]
      case 'take':
        return [this.#enter(action, this.#name(`take-${++this.#takes}`), false)]
      case 'cancel':
        return this.#cancel(action)
      case 'change':
        return this.#change(action)
    }
  }

  #enter(action: RecordedAction & { kind: 'new' | 'take' }, name: string, rests: boolean): Operation {
    const { grid } = this.#options
    const { line, time_us, side } = action
    const price = grid.ticks(action.price, side)
    const lots = grid.lots(action.quantity)
    const fills = this.mirror.enter({ id: name, side, price }, lots, rests)
    this.trades += fills.length
    for (const fill of fills) this.lots += fill.lots
    const taking = fills.length > 0 || !rests
    const at = { line, time_us, account: this.accountOf(name), name, side, price, taking }
    return { ...at, kind: 'place', lots, rests, fills, effect: rests ? 'joins' : null }
  }

  #cancel(action: RecordedAction & { kind: 'cancel' }): readonly Operation[] {
    const { line, time_us } = action
    const name = this.#name(action.id)
    const order = this.mirror.find(name)
    if (order === undefined && action.filled) {
      this.agreed += 1
      return []
    }
    this.mirror.cancel(name)
    const effect = order === undefined ? null : 'leaves'
    return [{ line, time_us, kind: 'cancel', open: order !== undefined, effect, ...this.#of(name, order) }]
  }

  #change(action: RecordedAction & { kind: 'change' }): readonly Operation[] {
    const { line, time_us } = action
    const name = this.#name(action.id)
    const order = this.mirror.find(name)
    const leaves = this.#options.grid.lots(action.quantity)
    const at = { line, time_us, kind: 'replace' } as const
    if (order === undefined) {
      return [{ ...at, lots: leaves, open: false, repeat: false, effect: null, ...this.#of(name, order) }]
    }
    if (leaves === order.leaves) {
      this.agreed += 1
      return []
    }
    const larger = leaves > order.leaves
    order.leaves = leaves
    const more = (one: MirrorOrder, by: number, repeat: boolean): Operation => ({
      ...at,
      lots: one.filled + one.leaves + by,
      open: true,
      repeat,
      effect: by > 0 || (one === order && larger) ? 'joins' : null,
      ...this.#of(one.id, one),
    })
    const again = larger ? this.mirror.behind(order).flatMap((one) => [more(one, 1, true), more(one, 0, true)]) : []
    return [more(order, 0, false), ...again]
  }

  #of(name: string, order: MirrorOrder | undefined) {
    const { side = 'BUY', price = 0 } = order ?? {}
    return { account: this.accountOf(name), name, side, price, taking: false } as const
  }

  #name(id: string): string {
    return `${this.#options.run}-${id}`
  }

  /** The same order is always the same account's; nothing needs to be remembered for it. */
  accountOf(name: string): number {
    let hash = 0x811c9dc5
    for (let i = this.#options.run.length; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    return ((hash ^ (hash >>> 15)) >>> 0) % this.#options.accounts
  }
}
