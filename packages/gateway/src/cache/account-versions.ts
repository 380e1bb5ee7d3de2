// Which batch last touched an account, as far as this process has seen, kept from the events of every batch. Promises never to name an
// earlier one than is true: accounts share counters, and whatever is not known counts as touched by the batch before the first one seen.

import {
  type AccountId,
  assert,
  EVENT,
  EVENT_SLOTS,
  EventType,
  type Seq,
  type ShardIndex,
  TRADE,
} from '@wintrades/domain'

export type TouchingBatch = { readonly shard: ShardIndex; readonly seq: Seq; readonly events: Float64Array }

/** A power of two. Two accounts that share a counter only cost each other what is cached. */
const COUNTERS = 65_536

type Counters = {
  readonly touched: Float64Array
  /** The batch before the first one seen. */
  readonly first: number
  seq: number
}

export class AccountVersions {
  readonly #shards: (Counters | undefined)[] = []

  note({ shard, seq, events }: TouchingBatch): void {
    let counters = this.#shards[shard]
    // After a gap nothing is known of what lay in it.
    if (counters === undefined || seq > counters.seq + 1) {
      counters = { touched: new Float64Array(COUNTERS), first: seq - 1, seq: seq - 1 }
      this.#shards[shard] = counters
    }
    if (seq <= counters.seq) return
    counters.seq = seq
    const { touched } = counters
    for (let offset = 0; offset < events.length; ) {
      const type = events[offset] as EventType
      touched[(events[offset + EVENT.account] as number) & (COUNTERS - 1)] = seq
      if (type === EventType.trade) touched[(events[offset + TRADE.makerAccount] as number) & (COUNTERS - 1)] = seq
      const slots = EVENT_SLOTS[type] ?? 0
      assert(slots > 0, `event type ${type} unknown`)
      offset += slots
    }
  }

  /** Up to where this process has seen a shard; null: nothing of it yet. */
  seen(shard: ShardIndex): number | null {
    return this.#shards[shard]?.seq ?? null
  }

  /** No batch after this one and up to `seen` has touched the account; null: nothing is known of the shard. */
  touched(shard: ShardIndex, account: AccountId): number | null {
    const counters = this.#shards[shard]
    if (counters === undefined) return null
    return Math.max(counters.first, counters.touched[account & (COUNTERS - 1)] as number)
  }
}
