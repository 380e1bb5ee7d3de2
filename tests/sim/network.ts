// The links between simulated processes, as TCP gives them: in order within one direction, late, and lost with everything on its way when
// a connection breaks. Each end learns of that on its own, later, and believes in the connection until then; where the peer's process has
// ended and the way there is free, the living end is refused and so knows that it is gone.

import type { Scheduler, SimulatedProcess } from './scheduler.ts'

/** What a process hears from its end of the links. */
export type Endpoint = {
  readonly process: SimulatedProcess
  readonly origin: number
  up(peer: string, origin: number): void
  down(peer: string): void
  /** Nobody listens there. */
  refused(peer: string): void
  received(peer: string, frame: Uint8Array): void
}

/** What one end believes: the connection it has, 0 for none. */
type End = { readonly name: string; connection: number; lastDelivery_us: number }

type Link = {
  readonly ends: readonly [End, End]
  cut: boolean
  /** The connection there really is, 0: none. */
  connection: number
  dialling: boolean
  /** How many times slower than usual. */
  slowness: number
}

const TYPICAL_DELAY_US = 2_000
const WORST_DELAY_US = 60_000
const CONNECT_DELAY_US = 5_000
const RECONNECT_DELAY_US = 50_000
/** A half-open connection is noticed by the heartbeat that does not come. */
const NOTICE_DELAY_US = 150_000

export class SimulatedNetwork {
  readonly #scheduler: Scheduler
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #links: Link[] = []
  readonly #byEnds = new Map<string, Link>()
  readonly #byName = new Map<string, Link[]>()
  #connections = 0

  constructor(scheduler: Scheduler, names: readonly string[]) {
    this.#scheduler = scheduler
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        const ends = [a, b].map((name): End => ({ name, connection: 0, lastDelivery_us: 0 })) as [End, End]
        const link: Link = { ends, cut: false, connection: 0, dialling: false, slowness: 1 }
        this.#links.push(link)
        this.#byEnds.set(`${a} ${b}`, link).set(`${b} ${a}`, link)
        for (const name of [a, b]) this.#byName.set(name, [...(this.#byName.get(name) ?? []), link])
      }
    }
  }

  /** A process has started: it connects to whoever is there. */
  attach(name: string, endpoint: Endpoint): void {
    this.#endpoints.set(name, endpoint)
    for (const link of this.#linksOf(name)) {
      endOf(link, name).connection = 0
      this.#dial(link, CONNECT_DELAY_US)
    }
  }

  /** A process has ended, in whatever way: its peers see their connections close. */
  detach(name: string): void {
    this.#endpoints.delete(name)
    for (const link of this.#linksOf(name)) {
      endOf(link, name).connection = 0
      this.#break(link, TYPICAL_DELAY_US)
    }
  }

  /** false: this end knows of no connection, and nothing was sent. */
  send(from: string, to: string, parts: readonly Uint8Array[]): boolean {
    const link = this.#link(from, to)
    const { connection } = endOf(link, from)
    if (connection === 0) return false
    if (connection !== link.connection) return true
    const there = endOf(link, to)
    const { random, now_us } = this.#scheduler
    const delay_us = random.delay(TYPICAL_DELAY_US, WORST_DELAY_US) * link.slowness
    there.lastDelivery_us = Math.max(now_us + delay_us, there.lastDelivery_us + 1)
    const frame = Buffer.concat(parts)
    this.#scheduler.after(there.lastDelivery_us - now_us, () => {
      if (link.connection !== connection) return
      this.#tell(to, (endpoint) => {
        if (there.connection === connection) endpoint.received(from, new Uint8Array(frame))
      })
    })
    return true
  }

  /** Cuts a link: nothing gets through any more, and each end notices on its own, later. */
  cut(a: string, b: string): void {
    const link = this.#link(a, b)
    link.cut = true
    this.#break(link, NOTICE_DELAY_US)
  }

  heal(a: string, b: string): void {
    this.#link(a, b).cut = false
  }

  healAll(): void {
    for (const link of this.#links) {
      link.cut = false
      link.slowness = 1
    }
  }

  slow(a: string, b: string, slowness: number): void {
    this.#link(a, b).slowness = slowness
  }

  #dial(link: Link, delay_us: number): void {
    if (link.dialling) return
    link.dialling = true
    this.#scheduler.after(delay_us + this.#scheduler.random.below(delay_us), () => {
      link.dialling = false
      if (link.connection !== 0) return
      const endpoints = link.ends.map(({ name }) => this.#endpoints.get(name))
      // Whoever starts next dials.
      if (endpoints.every((one) => one === undefined)) return
      if (endpoints.every((one) => one !== undefined && !one.process.stalled) && !link.cut) this.#connect(link)
      else {
        if (!link.cut) this.#refuse(link)
        this.#dial(link, RECONNECT_DELAY_US)
      }
    })
  }

  #connect(link: Link): void {
    const connection = ++this.#connections
    link.connection = connection
    this.#scheduler.log(`link ${nameOf(link)} up`)
    for (const [i, end] of link.ends.entries()) {
      const peer = (link.ends[1 - i] as End).name
      const origin = this.#endpoints.get(peer)?.origin ?? 0
      end.lastDelivery_us = 0
      this.#tell(end.name, (endpoint) => {
        if (link.connection !== connection) return
        if (end.connection !== 0) endpoint.down(peer)
        end.connection = connection
        endpoint.up(peer, origin)
      })
    }
  }

  /** The living end finds nobody listening at the other. */
  #refuse(link: Link): void {
    const dead = link.ends.find(({ name }) => !this.#endpoints.has(name))
    const living = link.ends.find((end) => end !== dead)
    if (dead === undefined || living === undefined) return
    this.#tell(living.name, (endpoint) => {
      if (living.connection === 0 && !this.#endpoints.has(dead.name)) endpoint.refused(dead.name)
    })
  }

  #break(link: Link, noticeDelay_us: number): void {
    const { connection } = link
    this.#dial(link, RECONNECT_DELAY_US)
    if (connection === 0) return
    link.connection = 0
    this.#scheduler.log(`link ${nameOf(link)} down`)
    for (const [i, end] of link.ends.entries()) {
      const peer = (link.ends[1 - i] as End).name
      this.#scheduler.after(this.#scheduler.random.between(1, noticeDelay_us), () => {
        this.#tell(end.name, (endpoint) => {
          if (end.connection !== connection) return
          end.connection = 0
          endpoint.down(peer)
        })
      })
    }
  }

  /** In the process that is there now, once it gets to it; one that starts later has nothing to do with it. */
  #tell(name: string, what: (endpoint: Endpoint) => void): void {
    const endpoint = this.#endpoints.get(name)
    if (endpoint === undefined) return
    this.#scheduler.afterIn(endpoint.process, 0, () => {
      if (this.#endpoints.get(name) === endpoint) what(endpoint)
    })
  }

  #linksOf(name: string): readonly Link[] {
    return this.#byName.get(name) ?? []
  }

  #link(a: string, b: string): Link {
    const link = this.#byEnds.get(`${a} ${b}`)
    if (link === undefined) throw new RangeError(`no link between ${a} and ${b}`)
    return link
  }
}

function endOf(link: Link, name: string): End {
  return link.ends[0].name === name ? link.ends[0] : link.ends[1]
}

function nameOf(link: Link): string {
  return link.ends.map((end) => end.name).join(' – ')
}
