// What a run of the venue left behind, as the checker reads it: what clients sent and were told, what the journal of each
// shard holds, what each replica and snapshot claims. Plain values; who recorded them (a drill, the simulation) does not matter.

import type {
  AccountId,
  Amount,
  AssetId,
  InstrumentId,
  OrderId,
  Price,
  Quantity,
  RejectCode,
  Seq,
  ShardIndex,
  Side,
  TransferInFlight,
  TrialBalance,
} from '@wintrades/domain'

/** What a client meant, in the venue's integers; `null` members were not said or are not known to the recorder. */
export type Intent =
  | {
      readonly kind: 'order'
      readonly instrument: InstrumentId
      readonly side: Side
      readonly price: Price | null
      readonly quantity: Quantity | null
    }
  | { readonly kind: 'cancel'; readonly order: OrderId }
  | { readonly kind: 'deposit' | 'withdraw'; readonly asset: AssetId; readonly amount: Amount }
  | { readonly kind: 'transfer'; readonly asset: AssetId; readonly amount: Amount; readonly toShard: ShardIndex }

export type Answer =
  /** It took effect; `order` is 0 where there is none, `seq` is where the client was told it stands. */
  | {
      readonly outcome: 'acknowledged'
      readonly order: OrderId | 0
      readonly seq: Seq
      readonly cumQty: Quantity | null
      /** The venue said that it had seen the id before; `seq` and `cumQty` are then of the moment of asking. */
      readonly duplicate: boolean
    }
  /** The engine refused it: it stands in the journal and changed nothing. */
  | { readonly outcome: 'rejected'; readonly code: RejectCode }
  /** It was refused before it was sent anywhere: it must not stand in the journal. */
  | { readonly outcome: 'denied'; readonly code: string }
  /** No answer: it may or may not have happened. */
  | { readonly outcome: 'unknown' }

/** One sending of one command. Sendings of the same `(shard, account, clientId)` are the same command. */
export type Sending = {
  readonly shard: ShardIndex
  readonly account: AccountId
  /** The client order id or transfer id; for a cancel a name that the client gives it, one per order. */
  readonly clientId: string
  readonly intent: Intent
  /** The region that was asked. */
  readonly region: string
  readonly sentAt_ms: number
  /** null: nothing was heard. */
  readonly answeredAt_ms: number | null
  readonly answer: Answer
}

/** What a client was told about an order when it asked at the end. */
export type OrderReading = {
  readonly shard: ShardIndex
  readonly order: OrderId
  readonly region: string
  readonly cumQty: Quantity
  readonly open: boolean
}

export type JournalEntry = {
  readonly bytes: Uint8Array
  /** Who appended it, where the journal tells. */
  readonly holder: string | null
  /** When it became durable, where the recorder knows (the simulation does). */
  readonly committedAt_ms: number | null
}

export type SnapshotEntry = { readonly name: string; readonly seq: Seq; readonly bytes: Uint8Array }

export type ShardRecord = {
  readonly shard: ShardIndex
  /** In the order in which the journal gives them. */
  readonly journal: readonly JournalEntry[]
  /** Where the replay starts when the journal no longer reaches back to its first batch; null: it does. */
  readonly base: SnapshotEntry | null
  /** Snapshots that were found, any order. */
  readonly snapshots: readonly SnapshotEntry[]
}

export type ReplicaRecord = {
  readonly region: string
  readonly shard: ShardIndex
  readonly seq: Seq
  /** Hex. */
  readonly stateHash: string
  readonly trialBalance: readonly TrialBalance[] | null
  readonly inFlight: readonly TransferInFlight[] | null
  readonly fault: string | null
}

/** A run to be judged. */
export type History = {
  readonly sendings: readonly Sending[]
  readonly shards: readonly ShardRecord[]
  readonly replicas: readonly ReplicaRecord[]
  readonly readings: readonly OrderReading[]
  /** Accounts that nobody but the recorded clients used. */
  readonly ownAccounts: readonly AccountId[]
  /** The venue itself pays in the first funds of a new account (paper mode), so deposits nobody sent are no fault. */
  readonly venuePaysIn: boolean
  /** When the fault was made, by the clients' clock; null: none was. */
  readonly faultAt_ms: number | null
  /** When clients stopped sending anything new, by the same clock: later they only ask what became of what they sent; null: they never did. */
  readonly stoppedAt_ms: number | null
}
