// One seeded run: a database formed from nothing, then work and faults in any order, then peace; after which there must be a primary again.

import type { PlantedFaults } from './faults.ts'
import { Random } from './random.ts'
import type { ModelServer } from './server.ts'
import { Violation, VOTERS, World } from './world.ts'

export type RunOptions = { readonly seed: number; readonly steps: number; readonly faults?: Partial<PlantedFaults> }

export type RunResult = {
  readonly world: World
  /** `refused`: the servers that are up hold no two that agree, and nobody was opened. */
  readonly end: 'serving' | 'refused'
  readonly stepsToServe: number
}

const PEACE_STEPS_MAX = 8_000

export function run({ seed, steps, faults = {} }: RunOptions): RunResult {
  const random = new Random(seed)
  const world = new World(2 + (seed % 2), faults)
  try {
    if (seed % 8 === 0) settle(world, random)
    else world.form()
    // Few kinds of fault at a time show more than all at once.
    const isDuel = random.chance(0.3)
    const kinds = isDuel ? DUEL : (Object.keys(TROUBLES).filter(() => random.chance(0.5)) as Trouble[])
    const trouble = isDuel ? 0.06 : 0.01 + random.next() * 0.08
    const lateness = isDuel ? 0.3 : 0.05
    const looks = random.chance(0.3) ? 1 : 4
    for (let step = 0; step < steps; step += 1) {
      const kind = random.chance(trouble) ? random.pick(kinds) : undefined
      if (kind !== undefined) TROUBLES[kind](world, random)
      else work(world, random, looks, lateness)
      world.check()
    }
    return settle(world, random)
  } catch (error) {
    if (error instanceof Violation)
      error.message = `seed ${seed}: ${error.message}\n${picture(world)}\n${world.lines.slice(-100).join('\n')}`
    throw error
  }
}

/** What goes on without faults: operators, replication, clients, and the service manager. */
function work(world: World, random: Random, looks: number, lateness: number, isBusy = true): void {
  const dice = random.below(100)
  if (dice < 40) {
    const promoter = random.pick(world.promoters)
    const fate = () => (random.chance(lateness) ? 'late' : random.chance(lateness / 2) ? 'lost' : 'now')
    if (promoter !== undefined) world.step(promoter, looks, fate)
  } else if (dice < 64) {
    const replica = random.pick(world.servers) as ModelServer
    for (let count = random.below(4); count >= 0; count -= 1) world.stream(replica)
  } else if (dice < 76) {
    const replica = random.pick(world.servers) as ModelServer
    for (let count = random.below(6); count >= 0; count -= 1) replica.apply()
  } else if (dice < 89) {
    world.deliverAck(random.below(world.acks.length))
  } else if (dice < 93) {
    const open = world.servers.filter((server) => server.isOpen)
    if (isBusy && open.length > 0) world.commit(random.pick(open) as ModelServer)
  } else if (dice < 95) world.finishClone(random.pick(world.servers) as ModelServer)
  else if (dice < 96) world.expireLock(random.pick(world.servers) as ModelServer)
  else if (dice < 97) world.executeLate(random.below(world.late.length))
  else restart(world, random)
}

function restart(world: World, random: Random): void {
  const server = random.pick(world.servers) as ModelServer
  if (server.cloningFrom === null) server.isUp = true
  const promoter = random.pick(world.promoters)
  if (promoter?.isUp === false) promoter.start()
  if (random.chance(0.2)) world.heal()
}

const TROUBLES = {
  crashServer: (world: World, random: Random) => world.crashServer(random.pick(world.servers) as ModelServer),
  crashPrimary: (world: World) => {
    const open = world.servers.find((server) => server.isOpen)
    if (open !== undefined) world.crashServer(open)
  },
  crashAll: (world: World, random: Random) => {
    if (random.chance(0.2)) for (const server of world.servers) world.crashServer(server)
  },
  crashPromoter: (world: World, random: Random) => {
    const promoter = random.pick(world.promoters)
    if (promoter?.isUp === true) world.crashPromoter(promoter)
  },
  cut: (world: World, random: Random) => {
    const [a, b] = [random.pick(VOTERS) as string, random.pick(VOTERS) as string]
    if (a !== b) world.cut(a, b)
  },
  isolatePrimary: (world: World) => {
    const open = world.servers.find((server) => server.isOpen)
    for (const other of VOTERS) if (open !== undefined && other !== open.region) world.cut(open.region, other)
  },
  isolate: (world: World, random: Random) => {
    const alone = random.pick(VOTERS) as string
    for (const other of VOTERS) if (other !== alone) world.cut(alone, other)
  },
  heal: (world: World) => world.heal(),
  plan: (world: World, random: Random) => {
    const promoter = random.pick(world.promoters)
    if (promoter !== undefined) promoter.promoteTo = random.chance(0.3) ? null : (random.pick(VOTERS) as string)
  },
  wipe: (world: World, random: Random) => {
    const server = random.pick(world.servers) as ModelServer
    if (world.mayBeWiped(server)) world.wipe(server)
  },
  interruptClosing: (world: World, random: Random) => {
    // The session that was closing a server is killed while it waits: the server takes commits again.
    const server = random.pick(world.servers) as ModelServer
    server.isClosing = false
  },
} satisfies Record<string, (world: World, random: Random) => void>

type Trouble = keyof typeof TROUBLES

/** What brings operators into each other's way. */
const DUEL: readonly Trouble[] = ['crashPrimary', 'crashPromoter', 'cut', 'isolatePrimary', 'heal', 'plan']

/** Peace: links whole, nothing late. Two voters or more are up; within a bound there must be a primary and everybody follow it. */
function settle(world: World, random: Random): RunResult {
  world.heal()
  world.late = []
  for (const promoter of world.promoters) {
    promoter.promoteTo = null
    if (!promoter.isUp) promoter.start()
  }
  const voters = world.servers.filter((server) => server.role === 'voter')
  const absent = random.chance(0.5) && voters.every((voter) => voter.term !== null) ? random.pick(voters) : undefined
  for (const server of world.servers) if (server !== absent && server.cloningFrom === null) server.isUp = true
  if (absent !== undefined) world.crashServer(absent)
  const before = world.counts.acknowledged
  for (let step = 0; step < PEACE_STEPS_MAX; step += 1) {
    // Clients fall silent once in a while, so that replicas can be seen to have everything.
    work(world, random, 4, 0, step % 400 < 150)
    if (absent !== undefined) absent.isUp = false
    world.check()
    if (step % 20 !== 0) continue
    const primary = world.serving()
    if (primary === null || world.counts.acknowledged === before || !isWhole(world, primary)) continue
    world.checkEnd(primary)
    return { world, end: 'serving', stepsToServe: step }
  }
  world.checkRefused()
  return { world, end: 'refused', stepsToServe: PEACE_STEPS_MAX }
}

/** Everybody that is up follows and has, but for the last few transactions, what the primary has. */
function isWhole(world: World, primary: ModelServer): boolean {
  return world.servers.every((server) => {
    if (!server.isUp || server === primary) return server === primary || server.cloningFrom === null
    return server.source === primary.name && server.isReceiving && server.log.length >= world.agreed.length
  })
}

export function picture(world: World): string {
  const servers = world.servers.map((server) => {
    const { name, isUp, isOpen, term, row, source, isReceiving, log, relay, owned, lock } = server
    const flags = [
      isUp ? 'up' : 'down',
      isOpen ? 'open' : 'closed',
      isReceiving ? `receives ${source}` : `stopped ${source}`,
    ]
    return `${name} ${flags.join(' ')} term ${term?.number} row ${row?.number} log ${log.length} relay ${relay.length} owned ${owned.length} lock ${lock}`
  })
  const operators = world.promoters.map((promoter) => `${promoter.id}: ${promoter.lastLine}`)
  return [...servers, ...operators].join('\n')
}
