// Starts the parts of a process in order and stops them in reverse, within a deadline. Signals, a lost parent and broken
// invariants all lead to the same orderly stop; what does not stop in time is left behind and the process exits non-zero.

import type { Logger } from './logger.ts'

export type Part = {
  readonly name: string
  readonly start?: () => Promise<void> | void
  readonly stop?: () => Promise<void> | void
}

export type LifecycleOptions = {
  readonly logger: Logger
  /** For all parts together. */
  readonly stopTimeout_ms: number
}

export class Lifecycle {
  readonly #logger: Logger
  readonly #stopTimeout_ms: number
  readonly #started: Part[] = []
  #stopping: Promise<boolean> | null = null

  constructor(options: LifecycleOptions) {
    this.#logger = options.logger
    this.#stopTimeout_ms = options.stopTimeout_ms
  }

  /** Starts a part; if it throws, what was started before is stopped by the caller's `stop()`. */
  async add(part: Part): Promise<void> {
    await part.start?.()
    this.#started.push(part)
  }

  get stopping(): boolean {
    return this.#stopping !== null
  }

  /** Stops everything, last started first. True: all of it stopped in time and without a fault. */
  stop(reason: string): Promise<boolean> {
    this.#stopping ??= this.#stopAll(reason)
    return this.#stopping
  }

  /**
   * On SIGINT, SIGTERM, or the end of the parent's IPC channel: stop, then exit. A second signal exits at once. What a terminal sends to
   * everybody on it (Ctrl-C, hanging up) is for the supervisor, if there is one: it stops its processes in order.
   */
  exitOnSignals(): void {
    const leave = async (reason: string) => {
      if (this.stopping && reason.startsWith('SIG')) process.exit(1)
      const clean = await this.stop(reason)
      process.exit(clean ? 0 : 1)
    }
    const isSupervised = process.send !== undefined
    process.on('SIGINT', () => void (isSupervised || leave('SIGINT')))
    if (isSupervised) process.on('SIGHUP', () => {})
    process.on('SIGTERM', () => void leave('SIGTERM'))
    process.on('disconnect', () => void leave('the supervisor is gone'))
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (error: unknown) => {
        this.#logger.error('unexpected fault, stopping', { event, error })
        void this.stop(event).then(() => process.exit(70))
      })
    }
  }

  async #stopAll(reason: string): Promise<boolean> {
    this.#logger.info('stopping', { reason })
    const deadline_ms = performance.now() + this.#stopTimeout_ms
    let clean = true
    for (const part of this.#started.toReversed()) {
      clean = (await this.#stopOne(part, deadline_ms - performance.now())) && clean
    }
    this.#logger.info('stopped', { clean })
    return clean
  }

  async #stopOne(part: Part, left_ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, Math.max(left_ms, 0), 'late' as const)
    })
    try {
      const outcome = await Promise.race([Promise.resolve(part.stop?.()).then(() => 'stopped' as const), late])
      if (outcome === 'late') this.#logger.error('did not stop in time', { part: part.name })
      return outcome === 'stopped'
    } catch (error) {
      this.#logger.error('failed to stop', { part: part.name, error })
      return false
    } finally {
      clearTimeout(timer)
    }
  }
}
