// The private channels of a connection: its account's orders and balances in every shard. Promises that a client which names the
// cursors it has got hears each later event exactly once, or "reset" and a snapshot, and that snapshot and updates fit together.

import { setTimeout as pause } from 'node:timers/promises'
import type { AccountId, RegionName, Seq, ShardIndex } from '@wintrades/domain'
import {
  type AccountEvent,
  type AccountFeed,
  type AccountStream,
  type Cursor,
  formatCursor,
  INDEX_END,
} from '@wintrades/marketdata'
import type { AccountState, At, Venue } from '@wintrades/venue'
import { type PushType, pushFrame } from './frames.ts'
import type { PrivateViews } from './private-views.ts'
import type { Listener } from './public-topics.ts'

export type PrivateChannel = 'orders' | 'balances'

export type PrivateParts = {
  readonly feed: AccountFeed
  readonly venue: Pick<Venue, 'account' | 'waitFor'>
  readonly views: PrivateViews
  readonly shards: readonly RegionName[]
  /** Last batch of a shard that the feed has taken. */
  readonly seqOf: (shard: ShardIndex) => Seq
  readonly onFault: (error: unknown) => void
}

/** How long a client that comes from a region further ahead is waited for. */
const AHEAD_WAIT_MS = 2_000
const FEED_POLL_MS = 5
/** Attempts to get a state that events follow on; each fails only while more events arrive than are kept. */
const ATTEMPTS_MAX = 5

export class PrivateSubscription {
  readonly #shards: readonly ShardSubscription[]

  /** `cursors`: by shard, the last event that the client has; shards it does not name begin with a snapshot. */
  constructor(
    parts: PrivateParts,
    channel: PrivateChannel,
    account: AccountId,
    listener: Listener,
    cursors: ReadonlyMap<RegionName, Cursor>,
  ) {
    this.#shards = parts.shards.map((name, shard) => {
      const cursor = cursors.get(name) ?? null
      return new ShardSubscription(parts, channel, account, shard as ShardIndex, listener, cursor)
    })
  }

  close(): void {
    for (const shard of this.#shards) shard.close()
  }
}

class ShardSubscription {
  readonly #parts: PrivateParts
  readonly #channel: PrivateChannel
  readonly #account: AccountId
  readonly #shard: ShardIndex
  readonly #name: RegionName
  readonly #listener: Listener
  readonly #subscribed: { readonly stream: AccountStream; close(): void }
  /** What the client has been told up to; null: it waits for where to begin. */
  #told: Cursor | null = null
  #closed = false

  constructor(
    parts: PrivateParts,
    channel: PrivateChannel,
    account: AccountId,
    shard: ShardIndex,
    listener: Listener,
    cursor: Cursor | null,
  ) {
    this.#parts = parts
    this.#channel = channel
    this.#account = account
    this.#shard = shard
    this.#name = parts.shards[shard] as RegionName
    this.#listener = listener
    this.#subscribed = parts.feed.subscribe(shard, account, (events) => this.#hear(events))
    void this.#begin(cursor).catch((error: unknown) => {
      parts.onFault(error)
      this.#push('reset', null, JSON.stringify({ shard: this.#name, error: { code: 'INTERNAL' } }))
    })
  }

  close(): void {
    this.#closed = true
    this.#subscribed.close()
  }

  #hear(events: readonly AccountEvent[]): void {
    // Before it has begun, the stream keeps them.
    if (this.#told === null) return
    const { seq, index } = this.#told
    const first = events.findIndex((event) => event.seq > seq || (event.seq === seq && event.index > index))
    if (first >= 0) this.#tell(first === 0 ? events : events.slice(first))
  }

  #tell(events: readonly AccountEvent[]): void {
    const last = events.at(-1)
    if (last === undefined) return
    this.#told = { seq: last.seq, index: last.index }
    const { views } = this.#parts
    const data =
      this.#channel === 'orders' ? views.ordersUpdate(this.#name, events) : views.balancesUpdate(this.#name, events)
    if (data !== null) this.#push('update', this.#told, data)
  }

  async #begin(cursor: Cursor | null): Promise<void> {
    if (cursor !== null && (await this.#resume(cursor))) return
    if (cursor !== null) this.#push('reset', null, JSON.stringify({ shard: this.#name }))
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const at = await this.#parts.venue.account(this.#shard, this.#account)
      if (this.#closed || this.#beginAt(at)) return
    }
    throw new Error(`events of account ${this.#account} in shard ${this.#name} outrun its state`)
  }

  #beginAt({ value, seq }: At<AccountState>): boolean {
    const { stream } = this.#subscribed
    if (!stream.initialise(value.openOrders, seq)) return false
    const after = stream.since({ seq, index: INDEX_END }, Math.max(seq, this.#parts.seqOf(this.#shard)) as Seq)
    if (typeof after === 'string') return false
    const { views } = this.#parts
    const data =
      this.#channel === 'orders'
        ? views.ordersSnapshot(this.#name, value.openOrders)
        : views.balancesSnapshot(this.#name, value.balances, value.positions)
    this.#told = { seq, index: INDEX_END }
    this.#push('snapshot', this.#told, data)
    this.#tell(after)
    return true
  }

  /** Goes on after `cursor`; false: what followed it cannot be told. */
  async #resume(cursor: Cursor): Promise<boolean> {
    const { venue, seqOf } = this.#parts
    const { stream } = this.#subscribed
    if (cursor.seq > seqOf(this.#shard)) await this.#catchUp(cursor.seq as Seq)
    if (!stream.ready) {
      const at = await venue.account(this.#shard, this.#account)
      if (!stream.initialise(at.value.openOrders, at.seq)) return false
    }
    if (this.#closed) return true
    const after = stream.since(cursor, Math.max(seqOf(this.#shard), stream.cursor.seq) as Seq)
    if (typeof after === 'string') return false
    this.#told = cursor
    this.#tell(after)
    return true
  }

  /** Waits for the replica, then for its batch to have come through to the feed. */
  async #catchUp(seq: Seq): Promise<void> {
    const { venue, seqOf } = this.#parts
    const deadline_ms = performance.now() + AHEAD_WAIT_MS
    await venue.waitFor(this.#shard, seq, AHEAD_WAIT_MS)
    while (seqOf(this.#shard) < seq && !this.#closed && performance.now() < deadline_ms) await pause(FEED_POLL_MS)
  }

  #push(type: PushType, cursor: Cursor | null, data: string): void {
    if (this.#closed) return
    const sequence = cursor === null ? '{}' : `{"${this.#name}":"${formatCursor(cursor)}"}`
    this.#listener.push(pushFrame(this.#channel, '', type, sequence, data))
  }
}
