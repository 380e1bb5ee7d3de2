// An account’s open orders, merged over shards, newest first, in pages. The cursor is the last order that was given out, so that
// orders that come and go meanwhile neither repeat nor hide others.

import type { AccountId, Instrument, OpenOrder, Shard } from '@wintrades/domain'
import type { Venue } from '@wintrades/venue'
import { ApiFault } from '../errors.ts'
import { orderView } from '../orders/order-text.ts'
import type { ShardSeq } from './consistency.ts'
import type { Instruments } from './instruments.ts'

export type OpenOrderPage = {
  readonly items: readonly object[]
  readonly cursor: string | null
  readonly places: readonly ShardSeq[]
}

/** Batch time and id of the last order given out: orders that follow are older, or as old with a smaller id. */
const CURSOR = /^([0-9]{1,16}):([0-9]{1,16})$/

export class OpenOrderPages {
  readonly #venue: Venue
  readonly #instruments: Instruments

  constructor(venue: Venue, instruments: Instruments) {
    this.#venue = venue
    this.#instruments = instruments
  }

  async page(
    shards: readonly Shard[],
    account: AccountId,
    instrument: Instrument | undefined,
    limit: number,
    cursor: string | undefined,
  ): Promise<OpenOrderPage> {
    const after = cursor === undefined ? null : readCursor(cursor)
    const states = await Promise.all(
      shards.map(async (shard) => ({ shard, state: await this.#venue.account(shard.index, account) })),
    )
    const orders = states
      .flatMap(({ shard, state }) => state.value.openOrders.map((order) => ({ shard, seq: state.seq, order })))
      .filter(({ order }) => instrument === undefined || order.instrument === instrument.id)
      .filter(({ order }) => after === null || newestFirst(after, order) < 0)
      .toSorted((a, b) => newestFirst(a.order, b.order))
    const page = orders.slice(0, limit)
    const last = page.at(-1)?.order
    return {
      items: page.map(({ shard, seq, order }) => ({
        ...orderView(this.#instruments.of(order.instrument), order),
        shard: shard.name,
        seq,
      })),
      cursor: last === undefined || orders.length <= limit ? null : `${last.acceptedAt}:${last.order}`,
      places: states.map(({ shard, state }) => ({ shard, seq: state.seq })),
    }
  }
}

type Place = Pick<OpenOrder, 'acceptedAt' | 'order'>

function newestFirst(a: Place, b: Place): number {
  return b.acceptedAt - a.acceptedAt || b.order - a.order
}

function readCursor(text: string): Place {
  const match = CURSOR.exec(text)
  if (match === null) throw new ApiFault('CURSOR_INVALID')
  return { acceptedAt: Number(match[1]), order: Number(match[2]) } as Place
}
