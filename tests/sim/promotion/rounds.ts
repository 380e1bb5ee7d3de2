// The model driven without chance: fair rounds in which everybody does its part in turn, with events put in where the caller wants them.
// `explore` puts in every sequence of a few events at every position.

import type { PlantedFaults } from './faults.ts'
import type { ModelPromoter } from './promoter.ts'
import type { Fate, World as ModelWorld } from './world.ts'
import { Violation, World } from './world.ts'

export type Event = { readonly name: string; readonly happen: (world: World, run: Rounds) => void }

const PEACE_ROUNDS_MAX = 150

export class Rounds {
  readonly world: ModelWorld
  /** Statements that the operators send next and that arrive late: only when `executeLate` says so. */
  lateNext = 0
  #position = 0
  #turn = 0

  constructor(world: ModelWorld) {
    this.world = world
  }

  /** One turn: one operator looks, decides and sends, then everything else goes on. */
  turn(isBusy = true): void {
    const { world } = this
    const promoter = world.promoters[this.#turn++ % world.promoters.length] as ModelPromoter
    world.step(promoter, world.servers.length, () => this.#fate())
    world.step(promoter, world.servers.length, () => this.#fate())
    world.check()
    for (const server of world.servers) {
      if (isBusy) world.commit(server)
      for (let count = 0; count < 4; count += 1) world.stream(server)
      for (let count = 0; count < 4; count += 1) server.apply()
      world.finishClone(server)
      if (this.#turn % 5 === 0) world.expireLock(server)
    }
    for (let count = world.acks.length; count > 0; count -= 1) world.deliverAck(0)
    world.check()
  }

  #fate(): Fate {
    if (this.lateNext === 0) return 'now'
    this.lateNext -= 1
    return 'late'
  }

  /** Runs `turns` turns; `events` happen before the turns at which they stand. */
  run(turns: number, events: readonly { readonly at: number; readonly event: Event }[]): void {
    for (; this.#position < turns; this.#position += 1) {
      for (const { at, event } of events) {
        if (at !== this.#position) continue
        this.world.note(`--- ${event.name}`)
        event.happen(this.world, this)
        this.world.check()
      }
      this.turn()
    }
  }

  /** Faults end; there must be a primary again, everybody must follow it, and all that was acknowledged must be there. */
  settle(): 'serving' | 'refused' {
    const { world } = this
    world.heal()
    this.lateNext = 0
    while (world.late.length > 0) world.executeLate(0)
    for (const promoter of world.promoters) {
      promoter.promoteTo = null
      if (!promoter.isUp) promoter.start()
    }
    const before = world.counts.acknowledged
    for (let round = 0; round < PEACE_ROUNDS_MAX; round += 1) {
      for (const server of world.servers) if (server.cloningFrom === null) server.isUp = true
      // Clients fall silent once in a while, so that replicas can be seen to have everything.
      this.turn(round % 20 < 10)
      const primary = world.serving()
      if (primary === null || world.counts.acknowledged === before) continue
      const isWhole = world.servers.every((server) => {
        return server === primary || (server.source === primary.name && server.log.length >= world.agreed.length)
      })
      if (!isWhole) continue
      world.checkEnd(primary)
      return 'serving'
    }
    world.checkRefused()
    return 'refused'
  }
}

export type Scenario = {
  readonly promoters: number
  readonly turns: number
  /** What always happens, and when. */
  readonly script: readonly { readonly at: number; readonly event: Event }[]
  readonly events: readonly Event[]
  /** How many of `events` are put in, at any positions. */
  readonly depth: number
  readonly faults?: Partial<PlantedFaults>
}

/** How runs ended that did not end with a primary: a lost disk beside another fault may leave two voters that diverge. */
export type Explored = { runs: number; refused: number; refusedAfterLostDisk: number }

/** Every way of putting up to `depth` events at any positions, in any order, each run from the start to its end. */
export function explore(scenario: Scenario): Explored {
  const explored: Explored = { runs: 0, refused: 0, refusedAfterLostDisk: 0 }
  const descend = (chosen: readonly { readonly at: number; readonly event: Event }[], from: number): void => {
    runOne(scenario, chosen, explored)
    if (chosen.length === scenario.depth) return
    for (let at = from; at < scenario.turns; at += 1) {
      for (const event of scenario.events) descend([...chosen, { at, event }], at)
    }
  }
  descend([], 0)
  return explored
}

function runOne(scenario: Scenario, chosen: Scenario['script'], explored: Explored): void {
  const world = new World(scenario.promoters, scenario.faults)
  world.form()
  const rounds = new Rounds(world)
  try {
    rounds.run(scenario.turns, [...scenario.script, ...chosen])
    if (rounds.settle() === 'refused') {
      if (world.counts.disksLost > 0) explored.refusedAfterLostDisk += 1
      else explored.refused += 1
    }
    explored.runs += 1
  } catch (error) {
    if (error instanceof Violation) {
      const events = chosen.map(({ at, event }) => `${event.name} at ${at}`).join(', ')
      error.message = `${events}: ${error.message}\n${world.lines.join('\n')}`
    }
    throw error
  }
}

/** The events of which scenarios are made. */
export const EVENTS = {
  killPrimary: {
    name: 'the primary is killed',
    happen: (world) => {
      const open = world.servers.find((server) => server.isOpen)
      if (open !== undefined) world.crashServer(open)
    },
  },
  killEu: { name: 'eu is killed', happen: (world) => world.crashServer(world.serverOf('eu')) },
  restartAll: {
    name: 'what is down starts',
    happen: (world) => {
      for (const server of world.servers) if (server.cloningFrom === null) server.isUp = true
      for (const promoter of world.promoters) if (!promoter.isUp) promoter.start()
    },
  },
  killAll: {
    name: 'every server is killed',
    happen: (world) => {
      for (const server of world.servers) world.crashServer(server)
    },
  },
  killOperator: {
    name: 'the first operator dies',
    happen: (world) => {
      const [first] = world.promoters
      if (first?.isUp) world.crashPromoter(first)
    },
  },
  delay: {
    name: 'the next statement will be late',
    happen: (_world, rounds) => {
      rounds.lateNext += 1
    },
  },
  arrive: { name: 'what is late arrives', happen: (world) => world.executeLate(0) },
  isolateUs: {
    name: 'us is cut off',
    happen: (world) => {
      world.cut('us', 'eu')
      world.cut('us', 'ap')
    },
  },
  isolateEu: {
    name: 'eu is cut off',
    happen: (world) => {
      world.cut('eu', 'us')
      world.cut('eu', 'ap')
    },
  },
  heal: { name: 'links heal', happen: (world) => world.heal() },
  planEu: {
    name: 'a promotion of eu is asked for',
    happen: (world) => {
      for (const promoter of world.promoters) promoter.promoteTo = 'eu'
    },
  },
  wipeAp: {
    name: 'ap is wiped',
    happen: (world) => {
      const ap = world.serverOf('ap')
      if (world.mayBeWiped(ap)) world.wipe(ap)
    },
  },
} satisfies Record<string, Event>
