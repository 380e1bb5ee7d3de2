// Finds the primary from the servers themselves: of those that can be written to, the one with the highest term. Remembers it until somebody
// suspects it, or until a look around finds a higher term. Which server is asked decides only how fast things go: what may commit is decided
// by the servers (an old primary's commits are never acknowledged) and by the journal's own fencing.

import type { Logger } from '../logger.ts'
import { MysqlUnavailable } from './errors.ts'
import type { MysqlOptions } from './options.ts'
import { MysqlPool, type PoolFigures, type PoolLimits } from './pool.ts'
import { MysqlVersionFault, readRole } from './term.ts'

export type Primary = {
  readonly pool: MysqlPool
  readonly term: number
}

export type ServerFigures = PoolFigures & {
  readonly server: string
  readonly isReachable: boolean
  readonly isWritable: boolean
  readonly term: number
}

export type PrimaryFigures = {
  /** host:port; null: not known at this moment. */
  readonly primary: string | null
  readonly term: number
  readonly looks: number
  readonly changes: number
  readonly suspicions: number
  readonly servers: readonly ServerFigures[]
}

type Server = {
  readonly pool: MysqlPool
  /** A connection of its own for looking, so that a crowded pool does not hide the server's state. */
  readonly probe: MysqlPool
  isReachable: boolean
  isWritable: boolean
  term: number
  fault: string | null
}

/** An unreachable server is waited for this long once a writable one has answered: it might have a higher term. */
const GRACE_MS = 300
const LOOK_TIMEOUT_MS = 1_500
const PAUSE_MS = 100
const FIND_TIMEOUT_MS = 3_000

export class PrimaryFinder {
  readonly #servers: readonly Server[]
  readonly #logger: Logger
  readonly #standby: number
  readonly #listeners = new Set<() => void>()
  #primary: Primary | null = null
  /** The last that there was: a higher term than its needs no waiting for others. */
  #lastTerm = -1
  #lastServer = ''
  #looking: Promise<void> | null = null
  #finding: Promise<Primary> | null = null
  #watch: NodeJS.Timeout | null = null
  #closed = false
  #looks = 0
  #changes = 0
  #suspicions = 0

  /** `standby`: connections that are kept to every server, primary or not, while there is a watch. */
  constructor(options: MysqlOptions, logger: Logger, limits: Partial<PoolLimits> & { readonly standby?: number } = {}) {
    this.#logger = logger
    this.#standby = limits.standby ?? 0
    this.#servers = options.servers.map((address) => ({
      pool: new MysqlPool(address, options, limits),
      probe: new MysqlPool(address, options, { connections_max: 1, waiting_max: 2 }),
      isReachable: false,
      isWritable: false,
      term: 0,
      fault: null,
    }))
  }

  get figures(): PrimaryFigures {
    return {
      primary: this.#primary?.pool.server ?? null,
      term: this.#primary?.term ?? this.#lastTerm,
      looks: this.#looks,
      changes: this.#changes,
      suspicions: this.#suspicions,
      servers: this.#servers.map(({ pool, isReachable, isWritable, term }) => ({
        server: pool.server,
        isReachable,
        isWritable,
        term,
        ...pool.figures,
      })),
    }
  }

  /** The primary, looked for as long as `deadline_ms` when it is not known. */
  async primary(deadline_ms: number = FIND_TIMEOUT_MS): Promise<Primary> {
    if (this.#primary !== null) return this.#primary
    this.#finding ??= this.#find(deadline_ms).finally(() => {
      this.#finding = null
    })
    return await this.#finding
  }

  /** Something is wrong with it, or it may have been replaced: it is looked for again before anybody gets it. */
  suspect(primary: Primary): void {
    if (this.#primary !== primary) return
    this.#suspicions++
    this.#primary = null
  }

  /** Lends a connection to the primary. An error that speaks against the server makes it suspect. */
  async use<Result>(
    work: Parameters<typeof MysqlPool.prototype.use<Result>>[0],
    deadline_ms: number,
    isTrouble: (error: unknown) => boolean,
  ): Promise<Result> {
    const primary = await this.primary(deadline_ms)
    try {
      return await primary.pool.use(work, deadline_ms)
    } catch (error) {
      if (isTrouble(error)) this.suspect(primary)
      throw error
    }
  }

  /** Looks around every so often: what hangs at a primary that was replaced is broken off, and goes on at the new one. */
  watch(interval_ms: number): void {
    this.#watch ??= setInterval(() => void this.#look(), interval_ms)
    this.#watch.unref()
  }

  /** Called when another server has become the primary. Returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    if (this.#watch !== null) clearInterval(this.#watch)
    for (const { pool, probe } of this.#servers) {
      pool.close()
      probe.close()
    }
  }

  async #find(deadline_ms: number): Promise<Primary> {
    const until_ms = performance.now() + deadline_ms
    for (;;) {
      await this.#look()
      if (this.#primary !== null) return this.#primary
      if (this.#closed || performance.now() >= until_ms) throw new MysqlUnavailable(this.#describe())
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  #describe(): string {
    const states = this.#servers.map(({ pool, isReachable, isWritable, term, fault }) =>
      isReachable
        ? `${pool.server} ${isWritable ? `is of term ${term}, which is over` : 'is read-only'}`
        : `${pool.server}: ${fault ?? 'no answer yet'}`,
    )
    return `no MySQL server can be written to (${states.join('; ')})`
  }

  /** One look around at a time; whoever asks meanwhile shares it. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookAround().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookAround(): Promise<void> {
    if (this.#closed) return
    this.#looks++
    const asked = this.#primary
    const answers = this.#servers.map((server) => this.#ask(server))
    await this.#enough(answers)
    if (this.#closed) return
    // Terms never fall: a lower one than was seen is a primary that has been replaced, and cannot know it.
    const writable = this.#servers.filter((one) => one.isReachable && one.isWritable && one.term >= this.#lastTerm)
    const best = writable.reduce<Server | null>(
      (one, other) => (one === null || other.term > one.term ? other : one),
      null,
    )
    // Suspected while this look was under way: what it saw may be older than what made it suspect.
    if (asked !== null && this.#primary === null) return
    if (best === null) {
      if (this.#primary !== null) this.suspect(this.#primary)
      return
    }
    this.#choose(best)
    // Whoever becomes the primary next is not reached by a first connection over half the world.
    for (const server of this.#servers) {
      if (server.isReachable) void Promise.allSettled([server.pool.warm(this.#standby)])
    }
  }

  #choose({ pool, term }: Server): void {
    if (this.#primary?.pool === pool && this.#primary.term === term) return
    const isOther = this.#lastServer !== pool.server || this.#lastTerm !== term
    const before = this.#lastServer
    this.#primary = { pool, term }
    this.#lastTerm = Math.max(this.#lastTerm, term)
    this.#lastServer = pool.server
    if (!isOther) return
    this.#changes++
    this.#logger.info('the MySQL primary', { server: pool.server, term, before: before === '' ? null : before })
    const reason = new MysqlUnavailable(`${pool.server} is the primary now`)
    for (const one of this.#servers) if (one.pool !== pool && one.pool.server === before) one.pool.abort(reason)
    for (const listener of this.#listeners) listener()
  }

  /**
   * Resolves when every server has answered; or one that can be written to and a higher term than there ever was; or one that can be written
   * to, and the rest had their time.
   */
  async #enough(answers: readonly Promise<void>[]): Promise<void> {
    await new Promise<void>((resolve) => {
      let left = answers.length
      let timer: NodeJS.Timeout | null = null
      const end = () => {
        if (timer !== null) clearTimeout(timer)
        resolve()
      }
      for (const [i, answer] of answers.entries()) {
        void answer.then(() => {
          const server = this.#servers[i] as Server
          if (--left === 0) return end()
          if (!server.isReachable || !server.isWritable || server.term < this.#lastTerm) return
          if (server.term > this.#lastTerm && this.#lastTerm >= 0) return end()
          timer ??= setTimeout(resolve, GRACE_MS)
        })
      }
    })
  }

  async #ask(server: Server): Promise<void> {
    try {
      const role = await server.probe.use((connection) => readRole(connection, LOOK_TIMEOUT_MS), LOOK_TIMEOUT_MS)
      server.isReachable = true
      server.isWritable = role.isWritable
      server.term = role.term
      server.fault = null
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error)
      if (error instanceof MysqlVersionFault && server.fault !== fault) this.#logger.error('a MySQL server', { fault })
      server.isReachable = false
      server.isWritable = false
      server.fault = fault
    }
  }
}
