// The clock and the only source of order in a simulated run: a queue of actions by simulated time. Everything that happens is
// written to a log whose hash names the run: the same seed gives the same hash.

import { setImmediate as turn } from 'node:timers/promises'
import { Random } from './random.ts'

/** Whose action it is. Actions of a dead process are dropped; those of a stalled one wait until it goes on. */
export class SimulatedProcess {
  readonly name: string
  alive = true
  stalled = false
  /** How many times slower than usual its timers and deliveries are. */
  slowness = 1
  readonly waiting: (() => void)[] = []

  constructor(name: string) {
    this.name = name
  }
}

/** A real turn of the event loop now and then, for whoever runs the simulation. */
const STEPS_PER_TURN = 1_024

type Entry = { readonly at_us: number; readonly order: number; readonly action: () => void; cancelled: boolean }

export class Scheduler {
  readonly random: Random
  readonly #heap: Entry[] = []
  readonly #keptLines: string[] = []
  readonly #trace: ((line: string) => void) | null
  #now_us: number
  #order = 0
  #hash = 0xcbf29ce4
  #hashHigh = 0x84222325
  #steps = 0

  constructor(seed: number, start_us: number, trace: ((line: string) => void) | null = null) {
    this.random = new Random(seed)
    this.#now_us = start_us
    this.#trace = trace
  }

  get now_us(): number {
    return this.#now_us
  }

  get steps(): number {
    return this.#steps
  }

  /** Runs `action` after `delay_us`; returns what prevents it. Same time: first come, first served. */
  after(delay_us: number, action: () => void): () => void {
    const entry = {
      at_us: this.#now_us + Math.max(0, Math.round(delay_us)),
      order: this.#order++,
      action,
      cancelled: false,
    }
    this.#push(entry)
    return () => {
      entry.cancelled = true
    }
  }

  /** The same for an action inside a process, which a crash forgets, a stall holds up and slowness stretches. */
  afterIn(process: SimulatedProcess, delay_us: number, action: () => void): () => void {
    let cancelled = false
    const guarded = () => {
      if (cancelled || !process.alive) return
      if (process.stalled) process.waiting.push(guarded)
      else action()
    }
    const cancel = this.after(delay_us * process.slowness, guarded)
    return () => {
      cancelled = true
      cancel()
    }
  }

  /** Lets a stalled process go on: what waited happens now, in order. */
  resume(process: SimulatedProcess): void {
    process.stalled = false
    for (const action of process.waiting.splice(0)) this.after(0, action)
  }

  /** Runs until `until_us`, or until `done()` after any action. */
  async run(until_us: number, done: () => boolean = () => false): Promise<void> {
    await turn()
    while (this.#heap.length > 0 && (this.#heap[0] as Entry).at_us <= until_us) {
      const entry = this.#pop()
      if (entry.cancelled) continue
      this.#now_us = entry.at_us
      this.#steps++
      entry.action()
      await (this.#steps % STEPS_PER_TURN === 0 ? turn() : consequences())
      if (done()) return
    }
    if (this.#now_us < until_us && !done()) this.#now_us = until_us
  }

  log(text: string): void {
    const line = `${this.#now_us} ${text}`
    for (let i = 0; i < line.length; i++) {
      this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193)
      this.#hashHigh = Math.imul(this.#hashHigh + line.charCodeAt(i), 0x85ebca6b) ^ (this.#hashHigh >>> 13)
    }
    this.#keptLines.push(line)
    if (this.#keptLines.length > 400) this.#keptLines.splice(0, 200)
    this.#trace?.(line)
  }

  /** Names the run: equal for equal logs. */
  logHash(): string {
    return (this.#hashHigh >>> 0).toString(16).padStart(8, '0') + (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  lastLines(count: number): readonly string[] {
    return this.#keptLines.slice(-count)
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    heap.push(entry)
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(entry, heap[parent] as Entry)) break
      heap[at] = heap[parent] as Entry
      at = parent
    }
    heap[at] = entry
  }

  #pop(): Entry {
    const heap = this.#heap
    const first = heap[0] as Entry
    const last = heap.pop() as Entry
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!before(heap[child] as Entry, last)) break
      heap[at] = heap[child] as Entry
      at = child
    }
    heap[at] = last
    return first
  }
}

/** What an action resolved has its consequences first, whatever the depth of its promises: ticks come when no microtask is left. */
function consequences(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}

function before(a: Entry, b: Entry): boolean {
  return a.at_us < b.at_us || (a.at_us === b.at_us && a.order < b.order)
}
