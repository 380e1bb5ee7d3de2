// Which day a batch or an order of a shard belongs to, so that a row of a partitioned table is found by its whole key. Promises the
// same days to everybody: a day is that of a batch's timestamp (UTC), and order ids and seqs grow with time.

import { commandOfOrder, type OrderId, type Timestamp } from '@wintrades/domain'
import type { DaysTable } from './schema.ts'

export const DAY_US = 86_400_000_000

/** Days since 1970-01-01. */
export function dayOf(timestamp: Timestamp | number): number {
  return Math.floor(timestamp / DAY_US)
}

/** The days of one shard that its history keeps, in order. */
export class Calendar {
  #days: DaysTable[]

  constructor(days: readonly DaysTable[] = []) {
    this.#days = [...days].sort((a, b) => a.day - b.day)
  }

  /** Notes the day of a batch; returns its row if it is the first batch of that day. Batch time does not go back. */
  begin(shard: number, day: number, first_seq: number, first_command: number): DaysTable | null {
    const last = this.#days.at(-1)
    if (last !== undefined && day <= last.day) return null
    const row = { shard, day, first_seq, first_command }
    this.#days.push(row)
    return row
  }

  /** The day on which an order was accepted or refused; null: before the first one kept. */
  dayOfOrder(order: OrderId | number): number | null {
    const command = commandOfOrder(order as OrderId)
    for (let i = this.#days.length - 1; i >= 0; i--) {
      const entry = this.#days[i] as DaysTable
      if (entry.first_command <= command) return entry.day
    }
    return null
  }
}
