// The promoter at work on real servers: looks at all of them without pause, asks the rules (promotion/decide.ts) for the one next action, carries it out,
// says what it saw, did or refused when that is news. One action at a time; what it remembers, it can lose. Any number of these may run.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Logger, neverLog } from '@wintrades/platform'
import {
  type Action,
  type Decision,
  decide,
  isReachable,
  type Memory,
  NOTHING_REMEMBERED,
  type Outcome,
  primaryOf,
  type ServerName,
  type ServerState,
  type View,
} from '../promotion/index.ts'
import type { CommandResult } from '../reconciler.ts'
import { pause } from '../reconciler.ts'
import { CLOSE_AGAIN, LOCK, LOCK_WAIT_SECONDS, type OnServer, packetOf } from './actions.ts'
import { type Packet, statement } from './packet.ts'
import { Pulse } from './pulse.ts'
import type { DatabaseAccess, DatabaseServer } from './server.ts'
import { type Performed, ServerSession } from './session.ts'

export type PromoterOptions = {
  readonly region: string
  /** In order of preference: voters are locked, and chosen among equals, in this order. */
  readonly servers: readonly DatabaseServer[]
  readonly access: DatabaseAccess
  readonly logger: Logger
  /** What is news to a person. */
  readonly say?: (line: string) => void
  /** Before and after each action: where a test ends the process. */
  readonly onAction?: (when: 'before' | 'after', action: Action, count: number) => void
}

/** How often servers are looked at: while all is well, and while something is to be done. */
const LOOK_CALM_MS = 500
const LOOK_BUSY_MS = 100
/** Without news the rules are asked again after so long. */
const TURN_MS = 1_000
const FIRST_LOOK_MS = 3_000
const FILE_EXISTS = 1086
const ACTION_MS = LOCK_WAIT_SECONDS * 1_000 + 3_000
/** The same action again and again: something keeps it from helping. */
const REPEAT_PAUSE_MS_MAX = 2_000

export type PromoterFigures = {
  readonly outcome: Outcome | 'starting'
  readonly line: string
  readonly primary: ServerName | null
  readonly actions: Readonly<Record<string, number>>
}

export class MysqlPromoter {
  readonly self: string
  readonly #options: PromoterOptions
  readonly #sessions: readonly ServerSession[]
  readonly #pulse: Pulse
  #memory: Memory = NOTHING_REMEMBERED
  #promoteTo: ServerName | null = null
  #cloneWanted: ServerName | null = null
  #decision: Decision | null = null
  #view: View | null = null
  #isNews = false
  readonly #waiters = new Set<() => void>()
  #repeated = { text: '', times: 0 }
  #count = 0
  readonly #actions: Record<string, number> = {}
  readonly #faults = new Map<ServerName, string | null>()

  constructor(options: PromoterOptions) {
    this.#options = options
    // Never used again after a restart: terms name whose they are.
    this.self = `${options.region}/${randomBytes(6).toString('hex')}`
    const { servers, access } = options
    const onSeen = () => this.#tellNews()
    this.#sessions = servers.map((server) => new ServerSession({ server, servers, access, onSeen }))
    this.#pulse = new Pulse(access)
  }

  get sessions(): readonly ServerSession[] {
    return this.#sessions
  }

  get figures(): PromoterFigures {
    const { outcome = 'starting', line = 'looking at the servers for the first time' } = this.#decision ?? {}
    const primary = this.#view === null ? null : primaryOf(this.#view)
    return { outcome, line, primary: primary?.name ?? null, actions: { ...this.#actions } }
  }

  async run(signal: AbortSignal): Promise<void> {
    const sessions = Promise.all(this.#sessions.map((session) => session.run(signal)))
    const firstLook = performance.now() + FIRST_LOOK_MS
    while (!signal.aborted && performance.now() < firstLook && !this.#sessions.every((one) => one.isTried)) {
      await this.#newsOr(LOOK_BUSY_MS, signal)
    }
    while (!signal.aborted) {
      await this.#turn(signal)
      if (this.#decision?.action == null && !this.#isNews) await this.#newsOr(TURN_MS, signal)
    }
    this.#pulse.close()
    await sessions
  }

  /** Moves the primary there; resolves when it is there and has a voter that follows it, or says why it is not. */
  async promote(server: ServerName, signal: AbortSignal): Promise<CommandResult> {
    const target = this.#options.servers.find((one) => one.name === server)
    const voters = this.#options.servers.filter((one) => one.role === 'voter').map((one) => one.name)
    if (target?.role !== 'voter') return no(`${server} is no voter; voters are ${voters.join(', ')}`)
    if (this.#promoteTo !== null && this.#promoteTo !== server)
      return no(`the promotion of ${this.#promoteTo} is under way`)
    this.#promoteTo = server
    try {
      // What other servers still need, a clone perhaps, goes on by itself: clients are served.
      const isThere = () => this.figures.primary === server && this.#isFollowed(server)
      return await this.#until(isThere, signal, `${server} is the primary`)
    } finally {
      this.#promoteTo = null
    }
  }

  /** Waits until the server follows the primary; what keeps it from that is said. An applier that stopped with an error is started again. */
  async rejoin(server: ServerName, signal: AbortSignal): Promise<CommandResult> {
    const session = this.#sessions.find((one) => one.server.name === server)
    if (session === undefined) return no(`there is no server ${server}`)
    // What was seen a moment ago may be over: an answer rests on a look that began after the question.
    if (session.observation.isReachable) await session.perform([], ACTION_MS)
    await this.#restartApplier(session)
    return await this.#until(
      () => this.#follows(server),
      signal,
      `${server} follows ${this.figures.primary ?? 'nobody'}`,
    )
  }

  /** Replaces what the server has by a copy of the primary's. Destroys what it has. */
  async clone(server: ServerName, signal: AbortSignal): Promise<CommandResult> {
    const session = this.#sessions.find((one) => one.server.name === server)
    if (session === undefined) return no(`there is no server ${server}`)
    if (this.figures.primary === server) return no(`${server} is the primary: promote another one first`)
    if (this.figures.primary === null) return no(`there is no primary to clone from: ${this.figures.line}`)
    const uuidBefore = this.#stateOf(server)?.uuid ?? null
    this.#cloneWanted = server
    try {
      const isNew = () => this.#follows(server) && this.#stateOf(server)?.uuid !== uuidBefore
      return await this.#until(isNew, signal, `${server} is a copy of ${this.figures.primary} and follows it`)
    } finally {
      this.#cloneWanted = null
    }
  }

  /** One look, one decision, one action. */
  async #turn(signal: AbortSignal): Promise<void> {
    const view = this.#look()
    const decision = decide(view, this.#memory)
    this.#view = view
    this.#memory = decision.memory
    this.#decision = decision
    this.#say(decision)
    const isCalm = decision.outcome === 'serving'
    for (const session of this.#sessions) session.look(isCalm ? LOOK_CALM_MS : LOOK_BUSY_MS)
    this.#pulse.beat(view, isCalm, this.#options.servers)
    if (decision.action === null) return
    await this.#slowDown(decision.action, signal)
    if (!signal.aborted) await this.#act(decision.action)
  }

  #look(): View {
    this.#isNews = false
    return {
      self: this.self,
      servers: this.#sessions.map((session) => session.observation),
      promoteTo: this.#promoteTo,
      cloneWanted: this.#cloneWanted,
    }
  }

  async #act(action: Action): Promise<void> {
    this.#count += 1
    this.#actions[action.kind] = (this.#actions[action.kind] ?? 0) + 1
    this.#options.onAction?.('before', action, this.#count)
    if (action.kind === 'release_locks') await this.#releaseLocks()
    else {
      const performed = await this.#perform(action)
      if (performed.outcome !== 'done') {
        this.#options.logger.warn(`${action.kind} on ${action.server}: ${performed.outcome}`, {
          reason: performed.reason,
        })
      }
    }
    this.#options.onAction?.('after', action, this.#count)
  }

  async #perform(action: OnServer): Promise<Performed> {
    const session = this.#sessionOf(action.server)
    const packet = packetOf(action, {
      server: session.server,
      find: (name) => this.#sessionOf(name).server,
      isSameSource: action.kind === 'attach' && this.#isSameSource(session, action.source),
      replication: this.#replication(),
      self: this.self,
    })
    if (action.kind !== 'clone') return await this.#performNow(session, action, packet)
    if (this.#cloneWanted === action.server) this.#cloneWanted = null
    // A clone takes as long as the data is large; meanwhile everything else goes on.
    void session
      .performLong(packet, CLOSE_AGAIN, `${action.server} is being cloned from ${action.donor}`)
      .then((performed) => {
        const { outcome } = performed
        const reason = outcome === 'done' ? 'copied, restarting' : performed.reason
        this.#options.logger.info(`clone of ${action.server}: ${outcome}`, { reason })
      })
    return { outcome: 'done' }
  }

  async #performNow(session: ServerSession, action: OnServer, packet: Packet): Promise<Performed> {
    const performed = await session.perform(packet, ACTION_MS)
    // A request that lies there already is about to be carried out.
    const isPending = performed.outcome === 'refused' && performed.errno === FILE_EXISTS && action.kind === 'kill'
    return isPending ? { outcome: 'done' } : performed
  }

  #isSameSource(session: ServerSession, source: ServerName): boolean {
    const { observation, details } = session
    return (
      observation.isReachable &&
      observation.channel.source === source &&
      details?.replicationUser === this.#options.access.replication.user
    )
  }

  #replication(): { readonly user: string; readonly password: string; readonly authorityFile: string } {
    const { replication, authorityFileOnServers } = this.#options.access
    const password = readFileSync(replication.passwordFile, 'utf8').trimEnd()
    neverLog(password)
    return { user: replication.user, password, authorityFile: authorityFileOnServers }
  }

  async #releaseLocks(): Promise<void> {
    const held = this.#sessions.filter(({ observation }) => observation.isReachable && observation.lock === 'mine')
    await Promise.all(held.map((session) => session.perform([statement(`SELECT RELEASE_LOCK('${LOCK}')`)], ACTION_MS)))
  }

  async #restartApplier(session: ServerSession): Promise<void> {
    const { observation } = session
    if (!observation.isReachable || observation.channel.applier !== 'failed') return
    await session.perform([statement(`START REPLICA SQL_THREAD FOR CHANNEL ''`)], ACTION_MS)
  }

  /** The same action over and over is done ever more slowly. */
  async #slowDown(action: Action, signal: AbortSignal): Promise<void> {
    const text = action.kind === 'release_locks' ? action.kind : `${action.kind} ${action.server}`
    this.#repeated = { text, times: this.#repeated.text === text ? this.#repeated.times + 1 : 0 }
    const { times } = this.#repeated
    if (times > 1) await pause(Math.min(50 * 2 ** times, REPEAT_PAUSE_MS_MAX), signal)
  }

  #say(decision: Decision): void {
    for (const { server, fault } of this.#sessions) {
      if ((this.#faults.get(server.name) ?? null) === fault) continue
      this.#faults.set(server.name, fault)
      const line = fault ?? `${server.name} answers`
      this.#options.say?.(line)
    }
    this.#options.say?.(decision.line)
  }

  async #until(isSo: () => boolean, signal: AbortSignal, done: string): Promise<CommandResult> {
    const began_ms = performance.now()
    while (!isSo()) {
      if (signal.aborted) return no(this.#whyNot())
      await this.#newsOr(LOOK_BUSY_MS, signal)
    }
    return { ok: true, line: `${done} (${((performance.now() - began_ms) / 1_000).toFixed(1)} s)` }
  }

  #whyNot(): string {
    const faults = this.#sessions.map(({ fault }) => fault).filter((fault) => fault !== null)
    return `not done in time. ${[this.figures.line, ...faults].join('. ')}`
  }

  #isFollowed(primary: ServerName): boolean {
    const state = this.#stateOf(primary)
    return state !== null && state.semiSync.clients > 0
  }

  #follows(server: ServerName): boolean {
    const { primary } = this.figures
    const state = this.#stateOf(server)
    return (
      state !== null &&
      state.channel.source === primary &&
      state.channel.receiver === 'receiving' &&
      state.channel.applier === 'running'
    )
  }

  #stateOf(server: ServerName): ServerState | null {
    const { observation } = this.#sessionOf(server)
    return isReachable(observation) ? observation : null
  }

  #sessionOf(name: ServerName): ServerSession {
    const session = this.#sessions.find((one) => one.server.name === name)
    if (session === undefined) throw new Error(`no server ${name} is configured`)
    return session
  }

  #tellNews(): void {
    this.#isNews = true
    for (const tell of [...this.#waiters]) tell()
  }

  #newsOr(time_ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, time_ms)
      signal.addEventListener('abort', done, { once: true })
      this.#waiters.add(done)
      if (signal.aborted) done()
    })
  }
}

function no(line: string): CommandResult {
  return { ok: false, line }
}
