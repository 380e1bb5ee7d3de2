// A simulated cluster: a process per region over one network and one database. Processes come and go; what they share stays.

import type { RegionName, ShardIndex } from '@wintrades/domain'
import { MemoryJournalStore, MemorySnapshots } from '@wintrades/venue'
import { SimulatedDatabase } from './database.ts'
import { MARKETS, REGIONS } from './markets.ts'
import { SimulatedNetwork } from './network.ts'
import { messageOf, type PlantedFaults, RegionProcess, type World } from './process.ts'
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

export class Cluster {
  readonly world: World
  readonly #running = new Map<RegionName, RegionProcess>()
  #generation = 0

  constructor(scheduler: Scheduler, faults: ClusterFaults) {
    const database = new SimulatedDatabase(scheduler)
    const now_us = () => database.now_us()
    const isReplicated = faults.replicated !== undefined || (faults.store === undefined && scheduler.random.chance(0.5))
    const makeStore = () =>
      isReplicated
        ? new ReplicatedStore(scheduler, database, faults.replicated ?? {})
        : new AtomicStore(scheduler, faults.store?.(now_us) ?? new MemoryJournalStore(now_us))
    this.world = {
      scheduler,
      network: new SimulatedNetwork(scheduler, REGIONS),
      database,
      stores: MARKETS.shards.map(makeStore),
      snapshots: new MemorySnapshots(),
      history: new ArchivedHistory(),
      faults,
    }
  }

  get processes(): readonly RegionProcess[] {
    return [...this.#running.values()]
  }

  at(region: string): RegionProcess | null {
    return this.#running.get(region as RegionName) ?? null
  }

  startAll(): void {
    for (const region of REGIONS) this.start(region)
  }

  /** Does nothing where a process runs. */
  start(region: string): void {
    const name = region as RegionName
    if (this.#running.has(name)) return
    const process = new RegionProcess(name, this.#generation++, this.world)
    this.#running.set(name, process)
    process.start(() => {
      this.#kill(process)
      this.world.scheduler.after(RESTART_US, () => this.start(region))
    })
  }

  crash(region: string): void {
    const process = this.at(region)
    if (process === null) return
    this.world.scheduler.log(`${process.process.name} crashes`)
    this.#kill(process)
  }

  /** Ends a process in order, or after a while by force, and starts the next. */
  stop(region: string): void {
    const process = this.at(region)
    if (process === null) return
    const { scheduler } = this.world
    scheduler.log(`${process.process.name} is asked to end`)
    const end = (how: string) => {
      if (!process.process.alive) return
      scheduler.log(`${process.process.name} ended ${how}`)
      this.#kill(process)
      scheduler.after(RESTART_US, () => this.start(region))
    }
    process.close().then(
      () => end('in order'),
      (error: unknown) => end(`with ${messageOf(error)}`),
    )
    scheduler.after(CLOSE_US_MAX, () => end('by force'))
  }

  /** Moves a shard's leadership from wherever it is. */
  handOver(shard: ShardIndex, to: RegionName): void {
    const { scheduler } = this.world
    const leader = this.processes.find((one) => one.ready && one.core.node(shard).leading)
    if (leader === undefined || leader.region === to) return
    scheduler.log(`shard ${shard} shall go from ${leader.process.name} to ${to}`)
    leader.client.handOver(shard, to).then(
      () => scheduler.log(`shard ${shard} went to ${to}`),
      (error: unknown) => scheduler.log(`shard ${shard} did not go to ${to}: ${messageOf(error)}`),
    )
  }

  #kill(process: RegionProcess): void {
    process.kill()
    if (this.#running.get(process.region) === process) this.#running.delete(process.region)
  }
}
