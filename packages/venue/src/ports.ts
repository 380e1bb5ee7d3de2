// What the venue needs of the world: a clock, a journal per shard, links to the other processes, a place for snapshots. Everything that
// is not deterministic comes in through these, so that a simulation can stand in for all of it.

import type { Epoch, RegionName, Seq, ShardIndex, Timestamp } from '@wintrades/domain'

export interface Clock {
  now_us(): Timestamp
  /** Calls once after `delay_ms`; returns what prevents it. */
  after(delay_ms: number, action: () => void): () => void
  /** Calls once, soon, after what has arrived by then has been taken in. */
  soon(action: () => void): void
}

/** Who may append to a shard, as the journal's database has it. */
export type Lease = {
  /** 0: the shard has never been led. */
  readonly epoch: Epoch
  /** null: released. */
  readonly holder: RegionName | null
  /** The holder's process (its random origin); 0 when released. */
  readonly origin: number
  /** Until it expires, by the database's clock; 0 or less: it has. */
  readonly remaining_ms: number
  /** Released to this region, which may claim it first; null: to anybody. */
  readonly reservedFor: RegionName | null
  /** An operator moved it: it does not go home by itself. */
  readonly pinned: boolean
}

export type Claim = {
  readonly region: RegionName
  readonly origin: number
  /** The lease that the claim is based on; it fails if anybody else claimed meanwhile. */
  readonly seen: Epoch
  /** Take it although it has not expired: its holder is known to be dead. */
  readonly early: boolean
  readonly ttl_ms: number
  readonly pinned: boolean
}

export type AppendResult =
  /** Durable; also when these very bytes were there already. */
  | 'committed'
  /** The lease has a higher epoch: nothing was written, and nothing with this epoch ever will be. */
  | 'fenced'
  /** Another batch stands at that seq, or the one before it is not the one it follows. */
  | 'conflict'

/**
 * The journal of one shard and the lease on it. Every method may reject: then nothing is known of its effect. An append is a
 * compare-and-set on the epoch and the seq, and on the hash of the batch before where only one is under way at a time.
 */
export interface Journal {
  /**
   * How many appends may be under way at once. With more than one, a batch is committed though the one before it is not there yet; the
   * next claim removes what then stands behind a gap, and nobody is given it to read.
   */
  readonly appendsInFlight_max: number
  readLease(): Promise<Lease>
  /** The new epoch, or null: somebody else was faster, or the lease is held. */
  claim(claim: Claim): Promise<Epoch | null>
  /** false: the epoch is not the lease's any more. */
  renew(epoch: Epoch, ttl_ms: number): Promise<boolean>
  release(epoch: Epoch, reservedFor: RegionName | null, pinned: boolean): Promise<boolean>
  append(epoch: Epoch, batch: Uint8Array): Promise<AppendResult>
  /** Batches from `from` on, in order, as they are stored: at most about `bytesMax` bytes, at least one if there is one. */
  read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]>
  /** The first and last batch that are there; null: none. */
  extent(): Promise<{ readonly first: Seq; readonly last: Seq } | null>
  /** Removes batches up to `through`; the last batch always stays. */
  prune(through: Seq): Promise<void>
  close(): void
}

export type StoredBatch = { readonly seq: Seq; readonly bytes: Uint8Array }

/** An app process: its region, and the random number that names it in every command and in a lease. */
export type VenueProcess = { readonly region: RegionName; readonly origin: number }

/** What the links tell the venue. */
export type LinkListener = {
  /** There is a link to this process; it stays the same one until `down`. */
  up(process: VenueProcess): void
  /** The link to it is lost. Whether the process is, the transport may find out. */
  down(process: VenueProcess): void
  /** What `isGone` and `isDeserted` say has changed. */
  looked(): void
  /** From the process of that origin. The frame is the receiver's to keep. */
  received(origin: number, frame: Uint8Array): void
}

/** Links to all other processes, one to each: frames in order, at most once, maybe never. */
export interface Transport {
  /** Regions in which there may be other processes; the own one too, if it may have several. */
  readonly regions: readonly RegionName[]
  start(listener: LinkListener): Promise<void>
  /** That process has ended, as far as one can know from outside: see `links/presence.ts`. */
  isGone(process: VenueProcess): boolean
  /** Nobody listens in that region. */
  isDeserted(region: RegionName): boolean
  /** false: there is no link and nothing was sent. The parts are one frame; they must not be changed afterwards. */
  send(origin: number, parts: readonly Uint8Array[]): boolean
  close(): Promise<void>
}

export interface SnapshotStore {
  /** Newest first. */
  list(shard: ShardIndex): Promise<readonly Seq[]>
  /** Throws when the file is damaged, saying what and where. */
  read(shard: ShardIndex, seq: Seq): Promise<Snapshot>
  write(shard: ShardIndex, snapshot: Snapshot): Promise<void>
  /** Keeps the newest `keep`. */
  prune(shard: ShardIndex, keep: number): Promise<void>
}

/** An engine's state, and the batch it was taken after: the next one follows its hash. */
export type Snapshot = {
  readonly seq: Seq
  readonly epoch: Epoch
  /** 32 bytes. */
  readonly hash: Uint8Array
  readonly engine: Uint8Array
}
