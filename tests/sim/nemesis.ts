// What goes wrong in a simulated run, and when: all of it by the run's own chance. Every fault ends by itself; `heal` ends them all.

import type { RegionName, ShardIndex } from '@wintrades/domain'
import type { Cluster } from './cluster.ts'
import { NO_FAULTS } from './database.ts'
import { MARKETS, type Place, REGIONS, regionOf } from './markets.ts'
import type { Random } from './random.ts'

type Fault = (nemesis: Nemesis) => void

const FAULTS: Readonly<Record<string, Fault>> = {
  crash: (nemesis) => nemesis.crash(),
  outage: (nemesis) => nemesis.outage(),
  region_outage: (nemesis) => nemesis.regionOutage(),
  restart: (nemesis) => nemesis.restart(),
  stall: (nemesis) => nemesis.stall(),
  slow_process: (nemesis) => nemesis.slowProcess(),
  cut: (nemesis) => nemesis.cut(),
  isolate: (nemesis) => nemesis.isolate(),
  isolate_region: (nemesis) => nemesis.isolateRegion(),
  slow_link: (nemesis) => nemesis.slowLink(),
  database_faults: (nemesis) => nemesis.databaseFaults(),
  database_outage: (nemesis) => nemesis.databaseOutage(),
  database_clock: (nemesis) => nemesis.databaseClock(),
  database_fail_over: (nemesis) => nemesis.databaseFailOver(),
  hand_over: (nemesis) => nemesis.handOver(),
  leap: (nemesis) => nemesis.leap(),
}

const PAUSE_MAXIMA_US = [100_000, 300_000, 800_000] as const
const FAULT_MAXIMA_US = [100_000, 500_000, 1_200_000] as const
const DATABASE_SKEW_US_MAX = 2_000_000

export class Nemesis {
  readonly #cluster: Cluster
  readonly #random: Random
  /** This run's kinds of fault: few at a time show more than all at once. */
  readonly #kinds: readonly string[]
  readonly #pauseMax_us: number
  readonly #faultMax_us: number
  #active = true

  /** `kinds`: these faults and no others. */
  constructor(cluster: Cluster, kinds: readonly string[] | null) {
    this.#cluster = cluster
    const { scheduler } = cluster.world
    this.#random = scheduler.random
    this.#kinds = kinds ?? this.#some(Object.keys(FAULTS))
    this.#pauseMax_us = this.#random.pick(PAUSE_MAXIMA_US)
    this.#faultMax_us = this.#random.pick(FAULT_MAXIMA_US)
    scheduler.log(`nemesis: ${this.#kinds.join(', ')}`)
    this.#goOn()
  }

  /** Ends every fault and makes no more. */
  heal(): void {
    const { scheduler, network, database } = this.#cluster.world
    this.#active = false
    scheduler.log('nemesis: healed')
    network.healAll()
    database.faults = NO_FAULTS
    for (const { process } of this.#cluster.processes) {
      process.slowness = 1
      scheduler.resume(process)
    }
    this.#cluster.startAll()
  }

  crash(): void {
    this.#crash(this.#place())
  }

  outage(): void {
    for (const place of this.#cluster.places) this.#crash(place)
  }

  regionOutage(): void {
    for (const place of this.#region()) this.#crash(place)
  }

  restart(): void {
    this.#cluster.stop(this.#place())
  }

  stall(): void {
    const process = this.#cluster.at(this.#place())?.process
    if (process === undefined) return
    this.#cluster.world.scheduler.log(`nemesis: ${process.name} stalls`)
    process.stalled = true
    this.#later(() => this.#cluster.world.scheduler.resume(process))
  }

  slowProcess(): void {
    const process = this.#cluster.at(this.#place())?.process
    if (process === undefined) return
    process.slowness = this.#random.between(2, 3)
    this.#later(() => {
      process.slowness = 1
    })
  }

  cut(): void {
    const [a, b] = this.#link()
    this.#cluster.world.network.cut(a, b)
    this.#later(() => this.#cluster.world.network.heal(a, b))
  }

  isolate(): void {
    this.#isolate([this.#place()])
  }

  /** Its processes still see each other. */
  isolateRegion(): void {
    this.#isolate(this.#region())
  }

  slowLink(): void {
    const [a, b] = this.#link()
    this.#cluster.world.network.slow(a, b, this.#random.between(2, 20))
    this.#later(() => this.#cluster.world.network.slow(a, b, 1))
  }

  databaseFaults(): void {
    const { database } = this.#cluster.world
    const some = () => (this.#random.chance(0.5) ? this.#random.below(30) / 100 : 0)
    database.faults = { refused: some(), answerLost: some(), late: some(), slow: some() / 3 }
    this.#later(() => {
      database.faults = NO_FAULTS
    })
  }

  databaseOutage(): void {
    const { database } = this.#cluster.world
    database.faults = { ...NO_FAULTS, refused: 1 }
    this.#later(() => {
      database.faults = NO_FAULTS
    })
  }

  databaseClock(): void {
    const { database } = this.#cluster.world
    database.skew_us = this.#random.between(-DATABASE_SKEW_US_MAX, DATABASE_SKEW_US_MAX)
  }

  /** Another server with another clock; for a while there is none. */
  databaseFailOver(): void {
    const { stores } = this.#cluster.world
    for (const store of stores) store.failOver()
    this.databaseClock()
    if (this.#random.chance(0.7)) this.databaseOutage()
  }

  handOver(): void {
    const shard = this.#random.below(MARKETS.shards.length) as ShardIndex
    this.#cluster.handOver(shard, this.#random.pick(REGIONS) as string as RegionName)
  }

  leap(): void {
    this.#cluster.at(this.#place())?.leap(this.#random.between(1, 2_000_000))
  }

  #goOn(): void {
    this.#cluster.world.scheduler.after(this.#random.between(1, this.#pauseMax_us), () => {
      if (!this.#active) return
      const kind = this.#random.pick(this.#kinds)
      this.#cluster.world.scheduler.log(`nemesis: ${kind}`)
      FAULTS[kind]?.(this)
      this.#goOn()
    })
  }

  /** When the fault ends. */
  #later(action: () => void): void {
    this.#cluster.world.scheduler.after(this.#random.between(1, this.#faultMax_us), action)
  }

  #crash(place: Place): void {
    this.#cluster.crash(place)
    this.#later(() => this.#cluster.start(place))
  }

  #isolate(inside: readonly Place[]): void {
    const { network, scheduler } = this.#cluster.world
    scheduler.log(`nemesis: ${inside.join(', ')} isolated`)
    const outside = this.#cluster.places.filter((one) => !inside.includes(one))
    const links = inside.flatMap((a) => outside.map((b) => [a, b] as const))
    for (const [a, b] of links) network.cut(a, b)
    this.#later(() => {
      for (const [a, b] of links) network.heal(a, b)
    })
  }

  #some(names: readonly string[]): readonly string[] {
    const count = this.#random.between(1, names.length)
    const kinds = new Set<string>()
    while (kinds.size < count) kinds.add(this.#random.pick(names))
    return [...kinds]
  }

  #place(): Place {
    return this.#random.pick(this.#cluster.places)
  }

  #region(): readonly Place[] {
    const region = this.#random.pick(REGIONS) as string
    return this.#cluster.places.filter((place) => regionOf(place) === region)
  }

  #link(): readonly [Place, Place] {
    const a = this.#place()
    return [a, this.#random.pick(this.#cluster.places.filter((one) => one !== a))]
  }
}
