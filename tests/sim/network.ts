// The links between simulated processes: in order within one direction of one link, in any order between links, late, and cut by
// partitions and crashes. A cut link loses what is on its way, as a broken TCP connection does, and both ends hear of it.

import type { Scheduler, SimulatedProcess } from './scheduler.ts'

/** What a process hears from its end of the links. */
export type Endpoint = {
  readonly process: SimulatedProcess
  up(peer: string): void
  down(peer: string): void
  received(peer: string, frame: Uint8Array): void
}

type Link = {
  readonly ends: readonly [string, string]
  cut: boolean
  /** The connection there is now, 0: none. Frames of an earlier one are lost. */
  connection: number
  connecting: boolean
  /** Time of the last delivery in each direction. */
  readonly lastDelivery_us: Map<string, number>
  /** How many times slower than usual. */
  slowness: number
}

const TYPICAL_DELAY_US = 2_000
const WORST_DELAY_US = 60_000
const CONNECT_DELAY_US = 5_000
const RECONNECT_DELAY_US = 40_000
/** A half-open connection is noticed by the heartbeat that does not come. */
const NOTICE_DELAY_US = 150_000

export class SimulatedNetwork {
  readonly #scheduler: Scheduler
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #links: Link[] = []
  #connections = 0

  constructor(scheduler: Scheduler, names: readonly string[]) {
    this.#scheduler = scheduler
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        this.#links.push({
          ends: [a, b],
          cut: false,
          connection: 0,
          connecting: false,
          lastDelivery_us: new Map(),
          slowness: 1,
        })
      }
    }
  }

  /** A process has started: it connects to whoever is there. */
  attach(name: string, endpoint: Endpoint): void {
    this.#endpoints.set(name, endpoint)
    for (const link of this.#linksOf(name)) this.#connect(link, CONNECT_DELAY_US)
  }

  /** A process has ended, in whatever way: its peers see their connections close. */
  detach(name: string): void {
    this.#endpoints.delete(name)
    for (const link of this.#linksOf(name)) this.#close(link, TYPICAL_DELAY_US)
  }

  /** false: there is no connection, and nothing was sent. */
  send(from: string, to: string, frame: Uint8Array): boolean {
    const link = this.#link(from, to)
    const { connection } = link
    if (connection === 0) return false
    if (link.cut) return true
    const { random } = this.#scheduler
    const delay_us = random.delay(TYPICAL_DELAY_US, WORST_DELAY_US) * link.slowness
    const at_us = Math.max(this.#scheduler.now_us + delay_us, (link.lastDelivery_us.get(to) ?? 0) + 1)
    link.lastDelivery_us.set(to, at_us)
    const copy = frame.slice()
    this.#scheduler.after(at_us - this.#scheduler.now_us, () => {
      const endpoint = this.#endpoints.get(to)
      if (endpoint === undefined || link.connection !== connection || link.cut) return
      this.#scheduler.afterIn(endpoint.process, 0, () => {
        if (link.connection === connection) endpoint.received(from, copy)
      })
    })
    return true
  }

  isConnected(from: string, to: string): boolean {
    return this.#link(from, to).connection !== 0
  }

  /** Cuts a link: nothing gets through any more, and each end notices on its own, later. */
  cut(a: string, b: string): void {
    const link = this.#link(a, b)
    if (link.cut) return
    link.cut = true
    this.#close(link, NOTICE_DELAY_US)
  }

  heal(a: string, b: string): void {
    const link = this.#link(a, b)
    if (!link.cut) return
    link.cut = false
    this.#connect(link, RECONNECT_DELAY_US)
  }

  healAll(): void {
    for (const link of this.#links) {
      link.slowness = 1
      this.heal(...link.ends)
    }
  }

  slow(a: string, b: string, slowness: number): void {
    this.#link(a, b).slowness = slowness
  }

  #connect(link: Link, delay_us: number): void {
    if (link.connecting || link.connection !== 0) return
    link.connecting = true
    this.#scheduler.after(delay_us + this.#scheduler.random.below(delay_us), () => {
      link.connecting = false
      const ends = link.ends.map((name) => this.#endpoints.get(name))
      if (link.cut || ends.some((end) => end === undefined)) return
      link.connection = ++this.#connections
      link.lastDelivery_us.clear()
      const { connection } = link
      this.#scheduler.log(`link ${link.ends.join(' – ')} up`)
      for (const [i, end] of ends.entries()) {
        const peer = link.ends[1 - i] as string
        if (end === undefined) continue
        this.#scheduler.afterIn(end.process, 0, () => {
          if (link.connection === connection) end.up(peer)
        })
      }
    })
  }

  #close(link: Link, noticeDelay_us: number): void {
    const { connection } = link
    if (connection === 0) return
    const [a, b] = link.ends
    for (const [name, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      const endpoint = this.#endpoints.get(name)
      if (endpoint === undefined) continue
      this.#scheduler.after(this.#scheduler.random.between(1, noticeDelay_us), () => {
        if (link.connection === connection) link.connection = 0
        this.#scheduler.afterIn(endpoint.process, 0, () => {
          if (this.#endpoints.get(name) === endpoint) endpoint.down(peer)
        })
        this.#connect(link, RECONNECT_DELAY_US)
      })
    }
    if (!this.#endpoints.has(a) || !this.#endpoints.has(b)) link.connection = 0
    this.#scheduler.log(`link ${link.ends.join(' – ')} down`)
  }

  #linksOf(name: string): readonly Link[] {
    return this.#links.filter((link) => link.ends.includes(name))
  }

  #link(a: string, b: string): Link {
    const link = this.#links.find((one) => one.ends.includes(a) && one.ends.includes(b))
    if (link === undefined || a === b) throw new RangeError(`no link between ${a} and ${b}`)
    return link
  }
}
