// Faults of the database while clients trade: the primary killed, cut off, moved on purpose, everything stopped, a server wiped. What is
// at hand to break it with (a lab on this machine, a stack of containers) comes in as `DatabaseControl`.

import { setTimeout as pause } from 'node:timers/promises'
import type { DrillFault, FaultGround } from './trading-drill.ts'
import { findLeader, type Timeline, until } from './watch.ts'

export type DatabaseServer = { readonly name: string; readonly region: string; readonly role: 'voter' | 'reader' }

/** What every server is to the others at one moment. */
export type DatabaseRoles = {
  /** The one that clients may write to; null: none, or nobody knows. */
  readonly primary: string | null
  readonly term: number
  /** Servers that receive from the primary and apply it. */
  readonly following: readonly string[]
}

/** Ways to break the database, and to see what has become of it. */
export interface DatabaseControl {
  readonly servers: readonly DatabaseServer[]
  roles(): Promise<DatabaseRoles>
  /** As a power cut would; it stays down until it is started. */
  kill(server: string): Promise<void>
  start(server: string): Promise<void>
  /** Its disk is lost; it starts empty. */
  wipe(server: string): Promise<void>
  /** No traffic between the region and the others. */
  cut(region: string): Promise<void>
  heal(region: string): Promise<void>
  /** A planned promotion; resolves when it is done, rejects when it is refused. */
  promote(server: string): Promise<void>
}

/** Every voter and reader follows the primary again. */
const WHOLE_TIMEOUT_MS = 180_000
const PROMOTION_TIMEOUT_MS = 60_000
/** How long a primary stays cut off, still being written to by its own region. */
const CUT_MS = 8_000
/** Time to trade between two steps of one fault. */
const BETWEEN_MS = 2_000
/** Nothing can be acknowledged while two of three voters are down: how long that takes is the drill's choice. */
const COLD_MS = 2_000

/** The limits hold over 80 and 200 ms; docs/drills.md has the goals. */
export const DATABASE_FAULTS = {
  'database-loss': {
    summary: 'kill -9 the database primary; start it again once another has taken over',
    silence_seconds_max: 15,
    make: loss,
  },
  'database-quick-return': {
    summary: 'kill -9 the database primary and start it again at once: with what it had not got acknowledged',
    silence_seconds_max: 20,
    make: quickReturn,
  },
  'database-and-leader-loss': {
    summary: 'kill -9 the database primary and the leader of a shard in the same moment',
    silence_seconds_max: 20,
    make: lossWithLeader,
  },
  'database-partition': {
    summary: 'cut the primary’s region off, still written to by its own processes, and heal it',
    silence_seconds_max: 25,
    make: partition,
  },
  'database-promotion': {
    summary: 'move the primary to another region and back, as an operator would',
    silence_seconds_max: 10,
    make: plannedPromotion,
  },
  'database-wipe': {
    summary: 'lose the disk of a server that follows: it is cloned',
    silence_seconds_max: 5,
    make: wipe,
  },
  'database-cold-start': {
    summary: 'kill -9 every database server, and start them again',
    silence_seconds_max: 90,
    make: coldStart,
  },
} as const

export type DatabaseFault = keyof typeof DATABASE_FAULTS

export function databaseFault(kind: DatabaseFault, control: DatabaseControl): DrillFault {
  const { silence_seconds_max, make } = DATABASE_FAULTS[kind]
  return {
    name: kind.replaceAll('-', '_'),
    silence_seconds_max,
    make: async (ground) => {
      await make(new Story(control, ground))
      return ground.markets.shards
    },
  }
}

/** The steps that faults are made of, each told as it happens. */
class Story {
  readonly control: DatabaseControl
  readonly ground: FaultGround
  readonly #timeline: Timeline

  constructor(control: DatabaseControl, ground: FaultGround) {
    this.control = control
    this.ground = ground
    this.#timeline = ground.timeline
  }

  note(text: string): void {
    this.#timeline.note(text)
  }

  async pause(milliseconds: number): Promise<void> {
    await pause(milliseconds, undefined, { signal: this.ground.signal })
  }

  async primary(): Promise<string> {
    const found = await this.#primaryOtherThan(null)
    if (found === null) throw new Error('the database has no primary')
    this.note(`${found.primary} is the database primary, of term ${found.term}`)
    return found.primary
  }

  async kill(server: string): Promise<void> {
    await this.control.kill(server)
    this.note(`kill -9 ${server}`)
  }

  async start(server: string): Promise<void> {
    this.note(`${server} is started again`)
    await this.control.start(server)
  }

  /** Resolves with the new primary. */
  async anotherPrimaryThan(former: string): Promise<string> {
    const found = await this.#primaryOtherThan(former)
    if (found === null) throw new Error(`no other primary than ${former} after ${PROMOTION_TIMEOUT_MS / 1_000} s`)
    this.note(`${found.primary} is the database primary now, of term ${found.term}`)
    return found.primary
  }

  /** Every server follows one primary again. */
  async untilWhole(): Promise<void> {
    const whole = await until(async () => {
      const { primary, following } = await this.control.roles()
      return primary !== null && following.length === this.control.servers.length - 1 ? primary : null
    }, WHOLE_TIMEOUT_MS)
    if (whole === null) {
      const { primary, following } = await this.control.roles()
      throw new Error(
        `not whole after ${WHOLE_TIMEOUT_MS / 1_000} s: primary ${primary}, followed by ${following.join(', ')}`,
      )
    }
    this.note(`every database server follows ${whole}`)
  }

  #primaryOtherThan(former: string | null): Promise<{ readonly primary: string; readonly term: number } | null> {
    return until(async () => {
      const { primary, term } = await this.control.roles()
      return primary === null || primary === former ? null : { primary, term }
    }, PROMOTION_TIMEOUT_MS)
  }

  region(server: string): string {
    const found = this.control.servers.find((one) => one.name === server)
    if (found === undefined) throw new RangeError(`there is no database server ${server}`)
    return found.region
  }
}

async function loss(story: Story): Promise<void> {
  const primary = await story.primary()
  await story.kill(primary)
  await story.anotherPrimaryThan(primary)
  await story.pause(BETWEEN_MS)
  await story.start(primary)
  await story.untilWhole()
}

async function quickReturn(story: Story): Promise<void> {
  const primary = await story.primary()
  await story.kill(primary)
  await story.start(primary)
  await story.untilWhole()
}

async function lossWithLeader(story: Story): Promise<void> {
  const { target, shard } = story.ground
  const primary = await story.primary()
  const leader = await findLeader(target, shard.index)
  if (leader === null) throw new Error(`nobody leads ${shard.name}`)
  const killed = story.kill(primary)
  process.kill(leader.process.pid, 'SIGKILL')
  story.note(`kill -9 ${leader.process.pid}: ${leader.process.region}, leader of ${shard.name}`)
  await killed
  await story.anotherPrimaryThan(primary)
  await story.pause(BETWEEN_MS)
  await story.start(primary)
  await story.untilWhole()
}

async function partition(story: Story): Promise<void> {
  const primary = await story.primary()
  const region = story.region(primary)
  await story.control.cut(region)
  story.note(`${region} is cut off, with ${primary} alive in it`)
  await story.anotherPrimaryThan(primary)
  await story.pause(CUT_MS)
  await story.control.heal(region)
  story.note(`${region} is back`)
  await story.untilWhole()
}

async function plannedPromotion(story: Story): Promise<void> {
  const primary = await story.primary()
  const other = story.control.servers.find((one) => one.role === 'voter' && one.name !== primary)
  if (other === undefined) throw new Error('there is no other voter')
  for (const server of [other.name, primary]) {
    story.note(`promotion of ${server} asked for`)
    await story.control.promote(server)
    story.note(`${server} is the database primary`)
    await story.pause(BETWEEN_MS)
  }
  await story.untilWhole()
}

async function wipe(story: Story): Promise<void> {
  const primary = await story.primary()
  const voter = story.control.servers.find((one) => one.role === 'voter' && one.name !== primary)
  if (voter === undefined) throw new Error('there is no other voter')
  story.note(`the disk of ${voter.name} is lost`)
  await story.control.wipe(voter.name)
  await story.untilWhole()
}

async function coldStart(story: Story): Promise<void> {
  await story.primary()
  await Promise.all(story.control.servers.map((server) => story.kill(server.name)))
  await story.pause(COLD_MS)
  await Promise.all(story.control.servers.map((server) => story.start(server.name)))
  await story.untilWhole()
}
