// How much of the time the archiver works. On a server, rows of the history and appends to the journal wait for each other: where appends are held up, the
// history gives way, down to a small share that it always has; where they are not, it takes back what it gave.

/** A part of the time that the history has however busy the journal's server is. */
const SHARE_MIN = 1 / 64
const LESS = 1 / 2
const MORE = 1.25
/** What it has at most while there is much trading and none of it here, where it would show. */
const SHARE_ELSEWHERE_BUSY = 1 / 16
/** Appends are held up where more than one in so many is. */
const HELD_UP_ONE_IN = 3

/** Totals of this process since it began. */
export type Appends = { readonly batches: number; readonly heldUp: number }

export class HistoryPace {
  #share = 1
  #before: Appends = { batches: 0, heldUp: 0 }

  /** `isBusy`: the regions together have much to do. The share of the time that the archiver may work from now on, more than 0, at most 1. */
  see(appends: Appends, isBusy: boolean): number {
    const batches = appends.batches - this.#before.batches
    const heldUp = appends.heldUp - this.#before.heldUp
    this.#before = appends
    const isInTheWay = heldUp * HELD_UP_ONE_IN > batches
    const most = batches === 0 && isBusy ? SHARE_ELSEWHERE_BUSY : 1
    this.#share = isInTheWay ? Math.max(SHARE_MIN, this.#share * LESS) : Math.min(most, this.#share * MORE)
    return this.#share
  }
}
