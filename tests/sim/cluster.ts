// A simulated cluster: one to three processes a region over one network and one database. Processes come and go; what they share stays.

import type { RegionName, ShardIndex } from '@wintrades/domain'
import { MemoryJournalStore, MemorySnapshots } from '@wintrades/venue'
import { SimulatedDatabase } from './database.ts'
import { MARKETS, type Place, REGIONS } from './markets.ts'
import { SimulatedNetwork } from './network.ts'
import { messageOf, PlacedProcess, type PlantedFaults, type World } from './process.ts'
import { type ReplicatedFaults, ReplicatedStore } from './replicated-store.ts'
import type { Scheduler } from './scheduler.ts'
import { ArchivedHistory, AtomicStore } from './stores.ts'

export type ClusterFaults = PlantedFaults & {
  /** The database does everything in one step, by this store. */
  readonly store?: (now_us: ConstructorParameters<typeof MemoryJournalStore>[0]) => MemoryJournalStore
  /** The database is replicated, and leaves these things out. */
  readonly replicated?: ReplicatedFaults
}

/** How long a supervisor takes to start a process again. */
const RESTART_US = 200_000
const CLOSE_US_MAX = 1_500_000
/** Processes of a region, as often as they stand here: many of them make runs slow. */
const PROCESSES = [1, 1, 2, 3] as const

export class Cluster {
  readonly world: World
  readonly #running = new Map<Place, PlacedProcess>()
  #generation = 0

  constructor(scheduler: Scheduler, faults: ClusterFaults) {
    const database = new SimulatedDatabase(scheduler)
    const now_us = () => database.now_us()
    const isReplicated = faults.replicated !== undefined || (faults.store === undefined && scheduler.random.chance(0.5))
    const makeStore = () =>
      isReplicated
        ? new ReplicatedStore(scheduler, database, faults.replicated ?? {})
        : new AtomicStore(scheduler, faults.store?.(now_us) ?? new MemoryJournalStore(now_us))
    const places = REGIONS.flatMap((region) =>
      Array.from({ length: scheduler.random.pick(PROCESSES) }, (_, i): Place => `${region}/${i}`),
    )
    this.world = {
      scheduler,
      places,
      fixed: scheduler.random.chance(0.5),
      network: new SimulatedNetwork(scheduler, places),
      database,
      stores: MARKETS.shards.map(makeStore),
      snapshots: new MemorySnapshots(),
      history: new ArchivedHistory(),
      faults,
    }
  }

  get places(): readonly Place[] {
    return this.world.places
  }

  get processes(): readonly PlacedProcess[] {
    return [...this.#running.values()]
  }

  at(place: string): PlacedProcess | null {
    return this.#running.get(place as Place) ?? null
  }

  startAll(): void {
    for (const place of this.places) this.start(place)
  }

  /** Does nothing where a process runs. */
  start(place: Place): void {
    if (this.#running.has(place)) return
    const process = new PlacedProcess(place, this.#generation++, this.world)
    this.#running.set(place, process)
    process.start(() => {
      this.#kill(process)
      this.world.scheduler.after(RESTART_US, () => this.start(place))
    })
  }

  crash(place: Place): void {
    const process = this.at(place)
    if (process === null) return
    this.world.scheduler.log(`${process.process.name} crashes`)
    this.#kill(process)
  }

  /** Ends a process in order, or after a while by force, and starts the next. */
  stop(place: Place): void {
    const process = this.at(place)
    if (process === null) return
    const { scheduler } = this.world
    scheduler.log(`${process.process.name} is asked to end`)
    const end = (how: string) => {
      if (!process.process.alive) return
      scheduler.log(`${process.process.name} ended ${how}`)
      this.#kill(process)
      scheduler.after(RESTART_US, () => this.start(place))
    }
    process.close().then(
      () => end('in order'),
      (error: unknown) => end(`with ${messageOf(error)}`),
    )
    scheduler.after(CLOSE_US_MAX, () => end('by force'))
  }

  /** Moves a shard's leadership from wherever it is; any process may be asked. */
  handOver(shard: ShardIndex, to: RegionName): void {
    const { scheduler } = this.world
    const ready = this.processes.filter((one) => one.ready)
    if (ready.length === 0) return
    const asked = scheduler.random.pick(ready)
    scheduler.log(`shard ${shard} shall go to ${to}, ${asked.process.name} is asked`)
    asked.client.handOver(shard, to).then(
      () => scheduler.log(`shard ${shard} went to ${to}`),
      (error: unknown) => scheduler.log(`shard ${shard} did not go to ${to}: ${messageOf(error)}`),
    )
  }

  #kill(process: PlacedProcess): void {
    process.kill()
    if (this.#running.get(process.place) === process) this.#running.delete(process.place)
  }
}
