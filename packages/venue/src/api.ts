// What the rest of an app process sees of its venue: send commands to any shard, hear every committed batch with its events,
// ask this process's replicas. The venue runs in a worker thread of its own; everything crosses as binary buffers.

import type {
  AccountId,
  Balance,
  BookView,
  Command,
  CommandNumber,
  Epoch,
  IndicativeAuction,
  InstrumentId,
  OpenOrder,
  OrderId,
  Outcome,
  Position,
  RegionName,
  Seq,
  ShardIndex,
  Timestamp,
  TransferInFlight,
  TrialBalance,
} from '@wintrades/domain'

/** A batch that the journal holds and this process's replica has applied. The buffers are the receiver's to keep. */
export type CommittedBatch = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly epoch: Epoch
  readonly timestamp: Timestamp
  readonly firstCommand: CommandNumber
  readonly commandCount: number
  /** The encoded batch (`domain/batch.ts`). */
  readonly bytes: Uint8Array
  /** The engine's events (`domain/events.ts`). */
  readonly events: Float64Array
}

/** What became of one command that was submitted here. Exactly one of the two is called, once. */
export type CommandHandler = {
  /** Its batch is durable and applied here. Its events are the slots `[start, end)` of `batch.events`. */
  committed(batch: CommittedBatch, commandIndex: number, start: number, end: number): void
  /** No answer in time: it may or may not have happened. The same client order id may be sent again. */
  unknown(): void
}

export type SubmitResult =
  /** The handler will be called. */
  | 'submitted'
  /** Too much is in flight for that shard: nothing was sent; try again later. */
  | 'overloaded'
  /** The shard has had no leader for longer than commands may wait: nothing was sent. */
  | 'unavailable'

/** A command without its envelope's origin and correlation, which the venue fills in. */
export type Submission = Command extends infer One
  ? One extends Command
    ? Omit<One, 'origin' | 'correlation'>
    : never
  : never

/** Every answer is computed at one seq of one shard. */
export type At<Value> = { readonly shard: ShardIndex; readonly seq: Seq; readonly value: Value }

export type AccountState = {
  readonly balances: readonly Balance[]
  readonly positions: readonly Position[]
  readonly openOrders: readonly OpenOrder[]
}

export type ShardStatus = {
  readonly shard: ShardIndex
  readonly leader: RegionName | null
  readonly epoch: Epoch
  /** Last seq this process's replica has applied. */
  readonly seq: Seq
  readonly timestamp: Timestamp
  /** This process leads the shard. */
  readonly leading: boolean
  /** Set when the replica stopped itself: its state hash disagreed, or the journal is damaged; says what and where. */
  readonly fault: string | null
  /** How many batches another process is ahead, as far as the others have said. */
  readonly behind: number
  /** Commands of this process waiting for their outcome. */
  readonly pending: number
  /** Batch time of the oldest client order id still remembered; older ones must be looked up in history. */
  readonly deduplicationFrom: Timestamp
  /** The engine's rules in force. */
  readonly version: number
}

export type VenueStatus = {
  readonly region: RegionName
  /** Random non-zero number of this process. */
  readonly origin: number
  readonly shards: readonly ShardStatus[]
  /** The newest rules that this process's engine knows; `activate_version` puts them in force. */
  readonly engineVersion: number
  /** `processes`: how many of that region there are links to. */
  readonly links: readonly { readonly region: RegionName; readonly connected: boolean; readonly processes: number }[]
  /** Cut off from the other regions and the journal, or not yet what it was before: others can carry out what this process cannot. */
  readonly isIsolated: boolean
  /** Counters and gauges of the venue thread, named and unit-suffixed as they are published. */
  readonly metrics: Readonly<Record<string, number>>
}

export interface Venue {
  readonly region: RegionName
  readonly origin: number
  submit(shard: ShardIndex, command: Submission, handler: CommandHandler): SubmitResult
  /** Hears every committed batch of every shard, in order within a shard. Returns what ends it. */
  onBatch(listener: (batch: CommittedBatch) => void): () => void
  /** Waits until this process's replica has applied `seq`, at most `timeout_ms`; false: it has not. */
  waitFor(shard: ShardIndex, seq: Seq, timeout_ms: number): Promise<boolean>

  account(shard: ShardIndex, account: AccountId): Promise<At<AccountState>>
  order(order: OrderId): Promise<At<OpenOrder | null>>
  /** What a client order id or transfer id became, if the engine remembers it; and the order, if it is open. */
  outcome(
    shard: ShardIndex,
    account: AccountId,
    clientId: string,
  ): Promise<At<{ outcome: Outcome; openOrder: OpenOrder | null } | null>>
  book(instrument: InstrumentId, levelsMax: number): Promise<At<BookView>>
  /** What the instrument's call auction would do if it ended now. */
  auction(instrument: InstrumentId): Promise<At<IndicativeAuction>>
  trialBalance(
    shard: ShardIndex,
  ): Promise<At<{ balances: readonly TrialBalance[]; inFlight: readonly TransferInFlight[] }>>
  /** Hex. */
  stateHash(shard: ShardIndex): Promise<At<string>>

  /** The latest known status, kept fresh by the venue thread; never blocks. */
  status(): VenueStatus
  /** Hands the leadership of a shard to another region, wherever it is led; resolves when that region leads. */
  handOver(shard: ShardIndex, to: RegionName): Promise<void>
  /** Hands over or releases what is led here, finishes what is in flight, and stops. */
  close(): Promise<void>
}
