// One process of a region in the simulation: the venue's own code over simulated ports, with an archiver beside it as in the app. It can
// crash, which forgets all that is not in the stores, and be started again as another process.

import type { RegionName, ShardIndex, Timestamp } from '@wintrades/domain'
import type { LogFields, Logger, LogLevel } from '@wintrades/platform'
import {
  Archiver,
  type Clock,
  type Journal,
  type SnapshotStore,
  type Submission,
  type SubmitResult,
  type Timing,
  type Transport,
  VenueClient,
  VenueCore,
} from '@wintrades/venue'
import type { SimulatedDatabase } from './database.ts'
import { MARKETS, type Place, regionOf } from './markets.ts'
import type { SimulatedNetwork } from './network.ts'
import type { Scheduler } from './scheduler.ts'
import { SimulatedProcess } from './scheduler.ts'
import { type ArchivedHistory, SimulatedJournal, type Store } from './stores.ts'
import { SimulatedTransport } from './transport.ts'

/** Everything a process shares with the others. */
export type World = {
  readonly scheduler: Scheduler
  /** Where processes may run. */
  readonly places: readonly Place[]
  /** Processes can be nowhere but at these places, and know that. */
  readonly fixed: boolean
  readonly network: SimulatedNetwork
  readonly database: SimulatedDatabase
  readonly stores: readonly Store[]
  readonly snapshots: SnapshotStore
  readonly history: ArchivedHistory
  readonly faults: PlantedFaults
}

/** Faults that are put into a port on purpose, to see the checker find them. */
export type PlantedFaults = {
  readonly journal?: (journal: Journal, scheduler: Scheduler) => Journal
  readonly transport?: (transport: Transport, scheduler: Scheduler) => Transport
  readonly snapshots?: (snapshots: SnapshotStore, scheduler: Scheduler) => SnapshotStore
  readonly clock?: (clock: Clock, scheduler: Scheduler) => Clock
}

/** A cluster in haste: everything several times faster than by default, so that a few seconds see many changes of leader. */
const TIMING: Timing = {
  leaseTtl_ms: 600,
  leaseRenew_ms: 150,
  leaseRead_ms: 120,
  claimStep_ms: 60,
  siblingStep_ms: 20,
  startGrace_ms: 300,
  reservation_ms: 250,
  failBack_ms: 900,
  isolation_ms: 900,
}
const DEADLINE_MS = 2_500
const IN_FLIGHT_MAX = 1_024
const SKEW_US_MAX = 3_000_000
const SNAPSHOT_COMMANDS = 100
const SNAPSHOT_MS = 500
/** Longer than any stall, shorter than a run. */
const JOURNAL_KEPT_MS = 1_500
const ARCHIVE_IDLE_US = 100_000
const ARCHIVE_BUSY_US = 2_000

export class PlacedProcess {
  readonly place: Place
  readonly region: RegionName
  readonly origin: number
  readonly process: SimulatedProcess
  readonly core: VenueCore
  readonly #world: World
  readonly #client: VenueClient
  readonly #clock: Clock
  /** How far this process's clock is off; it never runs back, as a monotonic clock does not. */
  #skew_us: number
  #ready = false

  constructor(place: Place, generation: number, world: World) {
    const { scheduler, faults } = world
    const region = regionOf(place)
    this.place = place
    this.region = region
    this.origin = scheduler.random.between(1, 0xffff_ffff)
    this.process = new SimulatedProcess(`${place}#${generation}`)
    this.#world = world
    this.#skew_us = scheduler.random.between(-SKEW_US_MAX, SKEW_US_MAX)
    const clock = this.#makeClock()
    this.#clock = faults.clock?.(clock, scheduler) ?? clock
    let client: VenueClient | null = null
    this.core = new VenueCore({
      region,
      origin: this.origin,
      markets: MARKETS,
      clock: this.#clock,
      journals: this.#journals(),
      transport: this.#transport(),
      snapshots: this.#snapshots(),
      logger: this.#logger('venue'),
      timing: TIMING,
      onBatch: (batch, outcomes) =>
        client?.takeBatch({ ...batch, bytes: batch.bytes.slice(), events: batch.events.slice() }, outcomes),
      onStatus: (status) => client?.takeStatus(status),
    })
    this.#client = client = this.#makeClient()
  }

  /** It has recovered and takes commands. */
  get ready(): boolean {
    return this.#ready && this.process.alive
  }

  get client(): VenueClient {
    return this.#client
  }

  /** Recovers and joins the others; when it cannot, it ends, as the app does, and `failed` is called. */
  start(failed: () => void): void {
    const { scheduler } = this.#world
    scheduler.log(`${this.process.name} starts as ${this.origin}, ${Math.round(this.#skew_us / 1_000)} ms off`)
    scheduler.afterIn(this.process, 0, () => {
      this.core.start().then(
        () => {
          this.#ready = true
          scheduler.log(`${this.process.name} is ready`)
          this.#archive()
        },
        (error: unknown) => {
          scheduler.log(`${this.process.name} cannot start: ${messageOf(error)}`)
          failed()
        },
      )
    })
  }

  submit(shard: ShardIndex, command: Submission, handler: Parameters<VenueClient['submit']>[2]): SubmitResult | null {
    return this.ready ? this.#client.submit(shard, command, handler) : null
  }

  /** Its clock goes forward at once, as after a suspended machine. */
  leap(by_us: number): void {
    this.#skew_us += by_us
    this.#world.scheduler.log(`${this.process.name}: the clock leaps by ${Math.round(by_us / 1_000)} ms`)
  }

  /** Takes nothing any more, gives up what it leads, and ends. */
  close(): Promise<void> {
    this.#ready = false
    return this.#client.close()
  }

  kill(): void {
    this.process.alive = false
    this.#world.network.detach(this.place)
  }

  #archive(): void {
    const { scheduler, history } = this.#world
    const archiver = new Archiver({
      markets: MARKETS,
      journals: this.#journals(),
      snapshots: this.#snapshots(),
      history: history.writer(),
      logger: this.#logger('archiver'),
      isLeading: (shard) => this.core.node(shard).leading,
      snapshotCommands: SNAPSHOT_COMMANDS,
      snapshot_ms: SNAPSHOT_MS,
      journalKept_ms: JOURNAL_KEPT_MS,
      now_ms: () => scheduler.now_us / 1_000,
    })
    const turn = () => {
      void archiver
        .turn()
        .then((more) => scheduler.afterIn(this.process, more ? ARCHIVE_BUSY_US : ARCHIVE_IDLE_US, turn))
    }
    turn()
  }

  #makeClock(): Clock {
    const { scheduler } = this.#world
    return {
      now_us: () => (scheduler.now_us + this.#skew_us) as Timestamp,
      after: (delay_ms, action) => scheduler.afterIn(this.process, delay_ms * 1_000, action),
      soon: (action) => void scheduler.afterIn(this.process, 0, action),
    }
  }

  #makeClient(): VenueClient {
    const { core } = this
    return new VenueClient({
      channel: {
        submit: (shard, records, first, count) => core.submit(shard, records, first, count),
        forgetThrough: (shard, correlation) => core.forgetThrough(shard, correlation),
        ask: async (question) => core.ask(question),
        handOver: (shard, to) => core.handOver(shard, to),
        close: () => core.close(),
      },
      status: core.status(),
      now_ms: () => this.#world.scheduler.now_us / 1_000,
      soon: (action) => this.#clock.soon(action),
      every: (interval_ms, action) => this.#every(interval_ms, action),
      deadline_ms: DEADLINE_MS,
      inFlightMax: IN_FLIGHT_MAX,
    })
  }

  #every(interval_ms: number, action: () => void): () => void {
    let cancel = () => {}
    const again = () => {
      cancel = this.#clock.after(interval_ms, () => {
        again()
        action()
      })
    }
    again()
    return () => cancel()
  }

  #journals(): readonly Journal[] {
    const { stores, database, faults, scheduler } = this.#world
    return stores.map((store) => {
      const journal = new SimulatedJournal(store, database, this.process, this.origin)
      return faults.journal?.(journal, scheduler) ?? journal
    })
  }

  #snapshots(): SnapshotStore {
    const { snapshots, faults, scheduler } = this.#world
    return faults.snapshots?.(snapshots, scheduler) ?? snapshots
  }

  #transport(): Transport {
    const { faults, scheduler } = this.#world
    const transport = new SimulatedTransport(this, this.#world)
    return faults.transport?.(transport, scheduler) ?? transport
  }

  /** Into the run's log, without what is measured in real time. */
  #logger(component: string): Logger {
    const { scheduler } = this.#world
    const log =
      (level: LogLevel) =>
      (message: string, { took_ms: _took_ms, ...fields }: LogFields = {}) =>
        scheduler.log(`${this.process.name} ${component} ${level}: ${message}${fieldsOf(fields)}`)
    const logger: Logger = {
      component,
      level: 'info',
      debug: () => {},
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: () => logger,
    }
    return logger
  }
}

function fieldsOf(fields: LogFields): string {
  return Object.entries(fields)
    .map(([name, value]) => ` ${name}=${value instanceof Error ? value.message : String(value)}`)
    .join('')
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
