// One simulated run from one seed: clients trade while faults happen, everything heals, everything settles, and what was left behind is
// judged: the history by the checker of the drills, and besides that the cluster has to work again.

import {
  type AccountId,
  BATCH,
  HEADER,
  type OrderId,
  readBatchHeader,
  type Seq,
  type ShardIndex,
} from '@wintrades/domain'
import {
  checkHistory,
  type History,
  type OrderReading,
  type ReplicaRecord,
  type ShardRecord,
  type SnapshotEntry,
  type Verdict,
} from '@wintrades/operations/drill'
import type { CommandHandler, Submission, SubmitResult } from '@wintrades/venue'
import { Clients } from './clients.ts'
import { Cluster, type ClusterFaults } from './cluster.ts'
import { MARKETS } from './markets.ts'
import { Nemesis } from './nemesis.ts'
import { messageOf } from './process.ts'
import { Scheduler } from './scheduler.ts'

export type RunOptions = {
  readonly seed: number
  /** How long clients trade, simulated. */
  readonly trading_ms?: number
  /** No faults of the outside world at all. */
  readonly calm?: boolean
  readonly faults?: ClusterFaults
  /** Kinds of fault of the outside world; without it the seed chooses. */
  readonly nemesis?: readonly string[]
  readonly trace?: (line: string) => void
}

export type RunResult = {
  readonly seed: number
  /** Names the run: the same seed gives the same. */
  readonly logHash: string
  /** `name: evidence`, empty when every promise was kept. */
  readonly offences: readonly string[]
  readonly lastLines: readonly string[]
  readonly counts: Verdict['counts'] | null
  /** Epochs begun, over all shards. */
  readonly epochs: number
  readonly simulated_ms: number
  readonly steps: number
}

const START_US = 1_700_000_000_000_000
const TRADING_MS = 2_500
/** A healed cluster is whole again by then: leases expire, shards go home, clients that gave up ask again. */
const SETTLING_US_MAX = 20_000_000
const POLL_US = 50_000
/** A command that had been waiting no longer than this when all was healed has to come to its outcome. */
const WAITING_US = 300_000
const ACCOUNTS = [101, 102, 103, 104] as AccountId[]
const LINES_KEPT = 60

export async function run(options: RunOptions): Promise<RunResult> {
  return await new Run(options).whole()
}

class Run {
  readonly #options: RunOptions
  readonly #scheduler: Scheduler
  readonly #cluster: Cluster
  readonly #clients: Clients
  readonly #offences: string[] = []
  #healed_us = Number.POSITIVE_INFINITY

  constructor(options: RunOptions) {
    this.#options = options
    this.#scheduler = new Scheduler(options.seed, START_US, options.trace ?? null)
    this.#cluster = new Cluster(this.#scheduler, options.faults ?? {})
    this.#cluster.startAll()
    this.#clients = new Clients({
      scheduler: this.#scheduler,
      places: this.#cluster.places,
      shards: MARKETS.shards.map((one) => one.index),
      instruments: MARKETS.instruments.map((one) => ({ ...one.definition, shard: one.shard })),
      assets: MARKETS.assets.map((one) => one.id),
      accounts: ACCOUNTS,
      submit: (place, shard, command, handler) => this.#submit(place, shard, command, handler),
    })
  }

  #submit(place: string, shard: ShardIndex, command: Submission, handler: CommandHandler): SubmitResult | null {
    const process = this.#cluster.at(place)
    const sent_us = this.#scheduler.now_us
    const unknown = () => {
      // Healed, the venue itself sends again what it has to; only a process that ends may leave that to others.
      if (process?.ready === true && sent_us > this.#healed_us - WAITING_US) {
        this.#offences.push(`liveness: a command of ${place} to shard ${shard} of ${sent_us} has no outcome`)
      }
      handler.unknown()
    }
    const { committed } = handler
    return process?.submit(shard, command, { committed, unknown }) ?? null
  }

  async whole(): Promise<RunResult> {
    let counts: Verdict['counts'] | null = null
    try {
      await this.#trade()
      await this.#settle()
      this.#clients.giveUp()
      counts = await this.#judge()
    } catch (error) {
      // Nothing in a run may throw: in an app it would end the process.
      this.#offences.push(`thrown: ${error instanceof Error ? error.stack : String(error)}`)
    }
    const { seed } = this.#options
    return {
      seed,
      logHash: this.#scheduler.logHash(),
      offences: this.#offences,
      lastLines: this.#scheduler.lastLines(LINES_KEPT),
      counts,
      epochs: this.#cluster.world.stores.reduce((sum, store) => sum + store.currentEpoch(), 0),
      simulated_ms: (this.#scheduler.now_us - START_US) / 1_000,
      steps: this.#scheduler.steps,
    }
  }

  async #trade(): Promise<void> {
    const nemesis = this.#options.calm === true ? null : new Nemesis(this.#cluster, this.#options.nemesis ?? null)
    await this.#scheduler.run(START_US + (this.#options.trading_ms ?? TRADING_MS) * 1_000)
    nemesis?.heal()
    this.#healed_us = this.#scheduler.now_us
  }

  /** A healed cluster leads every shard again, takes a command everywhere, and comes to rest with equal replicas. */
  async #settle(): Promise<void> {
    const until_us = this.#scheduler.now_us + SETTLING_US_MAX
    this.#clients.stop()
    await this.#reach(until_us, () => this.#leaderless())
    this.#clients.askEverywhere()
    await this.#reach(until_us, () => this.#clients.unsettled)
    await this.#reach(until_us, () => this.#unrest())
  }

  /** Goes on until there is nothing left in the way; what is there at the end is an offence. */
  async #reach(until_us: number, obstacles: () => readonly string[]): Promise<void> {
    while (this.#scheduler.now_us < until_us && obstacles().length > 0) {
      await this.#scheduler.run(this.#scheduler.now_us + POLL_US)
    }
    for (const one of obstacles().slice(0, 3)) this.#offences.push(`liveness: ${one}`)
  }

  #leaderless(): readonly string[] {
    return this.#everywhere((place, shard) => {
      const process = this.#cluster.at(place)
      if (process === null || !process.ready) return `${place} does not run`
      const { leader, fault } = process.client.status().shards[shard] ?? { leader: null, fault: 'unknown' }
      if (fault !== null) return `${place} has a fault: ${fault}`
      return leader === null ? `${place} knows no leader of shard ${shard}` : null
    })
  }

  #unrest(): readonly string[] {
    const alive = new Set(this.#cluster.processes.map((one) => one.origin))
    return this.#everywhere((place, shard) => {
      const node = this.#cluster.at(place)?.core.node(shard)
      if (node === undefined) return `${place} does not run`
      const last = this.#cluster.world.stores[shard]?.lastSeq() ?? 0
      if (node.replica.seq !== last) return `${place} has shard ${shard} up to ${node.replica.seq} of ${last}`
      const archived = this.#cluster.world.history.batches.get(shard)?.length ?? 0
      if (archived !== last) return `the history of shard ${shard} has ${archived} batches of ${last}`
      const { engine } = node.replica
      const transfers = engine.transfersInFlight().length
      if (transfers > 0) return `${transfers} transfers of shard ${shard} are still on their way`
      const lost = engine.origins().find((origin) => !alive.has(origin))
      return lost === undefined ? null : `orders that should go with process ${lost} are still in shard ${shard}`
    })
  }

  #everywhere(look: (place: string, shard: ShardIndex) => string | null): readonly string[] {
    return this.#cluster.places
      .flatMap((place) => MARKETS.shards.map(({ index }) => look(place, index)))
      .filter((one) => one !== null)
  }

  async #judge(): Promise<Verdict['counts']> {
    const history: History = {
      sendings: this.#clients.sendings,
      shards: await Promise.all(MARKETS.shards.map(({ index }) => this.#shardRecord(index))),
      replicas: this.#replicas(),
      readings: await this.#readings(),
      ownAccounts: ACCOUNTS,
      venuePaysIn: false,
      faultAt_ms: null,
      stoppedAt_ms: null,
    }
    const verdict = checkHistory(history)
    for (const { name, evidence } of verdict.checks) {
      for (const one of evidence) this.#offences.push(`${name}: ${one}`)
    }
    this.#checkArchive()
    this.#checkOrder()
    return verdict.counts
  }

  async #shardRecord(shard: ShardIndex): Promise<ShardRecord> {
    const { snapshots, stores } = this.#cluster.world
    const found: SnapshotEntry[] = []
    for (const seq of await snapshots.list(shard)) {
      found.push({ name: `snapshot ${shard}/${seq}`, seq, bytes: (await snapshots.read(shard, seq)).engine })
    }
    return { shard, journal: stores[shard]?.entries ?? [], base: null, snapshots: found }
  }

  #replicas(): readonly ReplicaRecord[] {
    return this.#cluster.processes.flatMap(({ place, core }) =>
      MARKETS.shards.map(({ index: shard }): ReplicaRecord => {
        const { engine, fault } = core.node(shard).replica
        this.#checkInvariants(place, shard)
        return {
          region: place,
          shard,
          seq: engine.seq,
          stateHash: Buffer.from(engine.stateHash()).toString('hex'),
          trialBalance: engine.trialBalance(),
          inFlight: engine.transfersInFlight(),
          fault: core.node(shard).fault ?? fault,
        }
      }),
    )
  }

  #checkInvariants(place: string, shard: ShardIndex): void {
    try {
      this.#cluster.at(place)?.core.node(shard).replica.engine.checkInvariants()
    } catch (error) {
      this.#offences.push(`invariants: shard ${shard} at ${place}: ${messageOf(error)}`)
    }
  }

  /** Clients ask about orders that may still be open. */
  async #readings(): Promise<readonly OrderReading[]> {
    const readings: OrderReading[] = []
    for (const { order, shard } of this.#clients.resting) {
      const region = this.#scheduler.random.pick(this.#cluster.places)
      const found = await this.#cluster.at(region)?.client.order(order as OrderId)
      if (found === undefined || found.value === null) continue
      readings.push({ shard, order, region, cumQty: found.value.cumQty, open: true })
    }
    return readings
  }

  /** What one process sent to a shard stands in its journal in the order of sending, each command once, whatever client ids it has. */
  #checkOrder(): void {
    for (const [shard, { entries }] of this.#cluster.world.stores.entries()) {
      const last = new Map<number, number>()
      for (const { bytes } of entries) {
        for (const { origin, correlation } of envelopesOf(bytes)) {
          const before = last.get(origin) ?? 0
          if (origin !== 0 && correlation <= before) {
            const { seq } = readBatchHeader(bytes)
            this.#offences.push(
              `sent_once: shard ${shard} seq ${seq} holds command ${correlation} of ${origin} after ${before}`,
            )
            return
          }
          last.set(origin, correlation)
        }
      }
    }
  }

  /** The archived history is the journal's beginning, byte for byte. */
  #checkArchive(): void {
    for (const [shard, batches] of this.#cluster.world.history.batches) {
      const { entries } = this.#cluster.world.stores[shard] ?? { entries: [] }
      const seq = batches.findIndex((batch, i) => !entries[i] || !Buffer.from(batch).equals(entries[i].bytes)) as
        | Seq
        | -1
      if (seq >= 0) this.#offences.push(`archive: batch ${seq + 1} of shard ${shard} is not the journal's`)
    }
  }
}

/** Who sent each command of a batch, and as which of theirs. */
function* envelopesOf(batch: Uint8Array): Generator<{ readonly origin: number; readonly correlation: number }> {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  let at: number = BATCH.commands
  for (let left = readBatchHeader(batch).commandCount; left > 0; left--) {
    const origin = view.getUint32(at + HEADER.origin, true)
    yield { origin, correlation: view.getUint32(at + HEADER.correlation, true) }
    at += view.getUint16(at + HEADER.length, true)
  }
}
