// Replays a restored journal with the engine: from the oldest snapshot that is there (or its first batch) to its end, checking the hash chain, the
// leaders' state hashes, every newer snapshot's state and the engine's invariants; then the money of all shards together. Bounded memory.

import {
  CommandType,
  EVENT,
  EventType,
  FUNDS_MOVED,
  forEachEvent,
  type Markets,
  type Seq,
  type Shard,
  type TransferInFlight,
  type TrialBalance,
} from '@wintrades/domain'
import { type Journal, Replica, type SnapshotStore } from '@wintrades/venue'
import { VerificationFailed } from '../store/faults.ts'

export type ReplayedBatch = { readonly bytes: Uint8Array; readonly events: Float64Array }

export type ShardProof = {
  readonly shard: string
  /** Where the replay began: 0 is the first batch. */
  readonly from: number
  readonly seq: number
  readonly epoch: number
  /** Hex: of the last batch, and of the engine's state after it. */
  readonly hash: string
  readonly stateHash: string
  readonly batches: number
  /** Newer snapshots whose state was the replay's. */
  readonly snapshots: number
  readonly trialBalance: readonly TrialBalance[]
  readonly inFlight: readonly TransferInFlight[]
}

export type ReplayOptions = {
  readonly markets: Markets
  readonly journals: readonly Journal[]
  readonly snapshots: SnapshotStore
  /** Given every batch that is replayed, with its events, before the next. */
  readonly each?: (shard: Shard, batch: ReplayedBatch) => Promise<void>
  readonly signal: AbortSignal
}

const READ_BYTES = 1024 * 1024

type Replayed = {
  readonly proof: ShardProof
  readonly paidIn: ReadonlyMap<number, number>
  readonly received: ReadonlyMap<number, number>
}

/** The proof of each shard that has a journal. Throws {@link VerificationFailed}. */
export async function replayCopy(options: ReplayOptions): Promise<readonly ShardProof[]> {
  const replayed: Replayed[] = []
  for (const shard of options.markets.shards) {
    const one = await replayShard(shard, options)
    if (one !== null) replayed.push(one)
  }
  checkMoney(options.markets, replayed)
  return replayed.map((one) => one.proof)
}

async function replayShard(shard: Shard, options: ReplayOptions): Promise<Replayed | null> {
  const journal = options.journals[shard.index]
  const extent = (await journal?.extent()) ?? null
  if (journal === undefined || extent === null) return null
  const replica = new Replica(shard)
  const snapshots = [...(await options.snapshots.list(shard.index))].reverse()
  const base = extent.first === 1 ? null : (snapshots.find((seq) => seq + 1 >= extent.first) ?? null)
  if (extent.first !== 1 && base === null) {
    throw new VerificationFailed(
      `the journal of ${shard.name} begins at ${extent.first}, and no snapshot leads up to it: use another backup`,
    )
  }
  if (base !== null) replica.restore(await options.snapshots.read(shard.index, base))
  const replay = new ShardReplay(shard, replica, options)
  return await replay.run(journal, new Set(snapshots), base ?? 0)
}

class ShardReplay {
  readonly #shard: Shard
  readonly #replica: Replica
  readonly #options: ReplayOptions
  /** By asset: what came from outside, counted from events, apart from the engine's own totals. */
  readonly #paidIn = new Map<number, number>()
  #batches = 0
  #matching = 0

  constructor(shard: Shard, replica: Replica, options: ReplayOptions) {
    this.#shard = shard
    this.#replica = replica
    this.#options = options
    for (const { asset, deposited, withdrawn } of replica.engine.trialBalance())
      this.#paidIn.set(asset, deposited - withdrawn)
  }

  async run(journal: Journal, snapshots: ReadonlySet<Seq>, from: number): Promise<Replayed> {
    const replica = this.#replica
    for (;;) {
      this.#options.signal.throwIfAborted()
      const rows = await journal.read((replica.seq + 1) as Seq, READ_BYTES)
      if (rows.length === 0) break
      for (const { bytes } of rows) await this.#take(bytes, snapshots)
    }
    this.#check(() => replica.engine.checkInvariants())
    const proof: ShardProof = {
      shard: this.#shard.name,
      from,
      seq: replica.seq,
      epoch: replica.epoch,
      hash: hex(replica.hash),
      stateHash: hex(replica.engine.stateHash()),
      batches: this.#batches,
      snapshots: this.#matching,
      trialBalance: replica.engine.trialBalance(),
      inFlight: replica.engine.transfersInFlight(),
    }
    const others = this.#options.markets.shards.filter((one) => one.index !== this.#shard.index)
    const received = new Map(others.map((one) => [one.index, replica.engine.transfersReceived(one.index)]))
    return { proof, paidIn: this.#paidIn, received }
  }

  async #take(bytes: Uint8Array, snapshots: ReadonlySet<Seq>): Promise<void> {
    const events = this.#check(() => this.#replica.apply(bytes))
    this.#batches++
    this.#noteFunds(events)
    await this.#options.each?.(this.#shard, { bytes, events })
    if (snapshots.has(this.#replica.seq)) await this.#compareSnapshot(this.#replica.seq)
  }

  #noteFunds(events: Float64Array): void {
    forEachEvent(events, (type, at) => {
      if (type !== EventType.funds_moved) return
      const kind = events[at + FUNDS_MOVED.kind]
      const sign = kind === CommandType.deposit ? 1 : kind === CommandType.withdraw ? -1 : 0
      const asset = events[at + EVENT.subject] as number
      this.#paidIn.set(asset, (this.#paidIn.get(asset) ?? 0) + sign * (events[at + FUNDS_MOVED.amount] as number))
    })
  }

  async #compareSnapshot(seq: Seq): Promise<void> {
    const snapshot = await this.#options.snapshots.read(this.#shard.index, seq)
    const other = new Replica(this.#shard)
    this.#check(() => other.restore(snapshot))
    const [theirs, ours] = [hex(other.engine.stateHash()), hex(this.#replica.engine.stateHash())]
    if (theirs !== ours || hex(snapshot.hash) !== hex(this.#replica.hash)) {
      throw new VerificationFailed(
        `${this.#shard.name}: the snapshot after batch ${seq} has state ${theirs}, the replay ${ours}`,
      )
    }
    this.#matching++
  }

  #check<Result>(work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      const { message } = error as Error
      throw new VerificationFailed(`${this.#shard.name}, after batch ${this.#replica.seq}: ${message}`, {
        cause: error,
      })
    }
  }
}

/** Deposits − withdrawals = Σ available + Σ held + Σ in flight, per asset over all shards. */
function checkMoney(markets: Markets, replayed: readonly Replayed[]): void {
  const sums = new Map<number, number>()
  const add = (asset: number, amount: number) => sums.set(asset, (sums.get(asset) ?? 0) + amount)
  const byName = new Map(replayed.map((one) => [one.proof.shard, one]))
  for (const { proof, paidIn } of replayed) {
    const from = markets.shards.find((shard) => shard.name === proof.shard)
    for (const [asset, amount] of paidIn) add(asset, amount)
    for (const { asset, available, held } of proof.trialBalance) add(asset, -available - held)
    for (const { asset, amount, toShard, number } of proof.inFlight) {
      const receiver = byName.get(markets.shards[toShard]?.name ?? '')
      const arrived = from === undefined ? 0 : (receiver?.received.get(from.index) ?? 0)
      if (number > arrived) add(asset, -amount)
    }
  }
  for (const [asset, difference] of sums) {
    if (difference === 0) continue
    const code = markets.assets.find((one) => one.id === asset)?.code ?? `asset ${asset}`
    throw new VerificationFailed(
      `money is not conserved in the restored copy: ${difference} of ${code} (smallest units) are missing`,
    )
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
