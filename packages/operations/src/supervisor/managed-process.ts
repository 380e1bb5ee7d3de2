// One child process that should run: starts it, keeps its log, starts it again when it dies (at once the first time, then with
// exponential back-off), and stops it in order. The child ends by itself when the supervisor's channel closes.

import { type ChildProcess, fork } from 'node:child_process'
import type { LogFile } from './log-file.ts'
import type { ProcessState, ProcessStatus } from './status-file.ts'

export type ProcessPlan = {
  readonly name: string
  /** Region processes have one. */
  readonly region?: string
  /** The TypeScript file to run. */
  readonly entry: string
  readonly args?: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What precedes the command, to run it in another network. */
  readonly enter?: readonly string[]
  /** Where it can be reached from here. */
  readonly host: string
  readonly httpPort: number | null
  readonly linkPort: number | null
  /** Answers 200 on `httpPort` once the process works; null: it counts as ready when it runs. */
  readonly readyPath: string | null
}

export type ProcessEvent =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'died'; readonly how: string; readonly restartIn_ms: number }
  | { readonly kind: 'stopped'; readonly how: string }
  | { readonly kind: 'killed'; readonly afterMs: number }

const RESTART_DELAY_MS_MAX = 10_000
const RESTART_DELAY_MS_FIRST = 250
/** A process that has run this long has recovered: the back-off starts anew. */
const STABLE_MS = 60_000
/**
 * As `wintrades` gives them to itself (`wintrades`, `wintrades.cmd`). An order's journey through the engine is many small functions:
 * within its own bounds V8 leaves too many of them as calls, which costs the bare book a fifth of its rate.
 */
const NODE_ARGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-inlined-bytecode-size=1000',
  '--max-inlined-bytecode-size-cumulative=3000',
]

export class ManagedProcess {
  readonly plan: ProcessPlan
  readonly #log: LogFile
  readonly #onEvent: (event: ProcessEvent) => void
  #child: ChildProcess | null = null
  #pid: number | null = null
  #state: ProcessState = 'stopped'
  /** Killed, and not yet heard to be gone: it is not ready any more. */
  #dying = false
  #restarts = 0
  #failures = 0
  #started_ms = 0
  #timer: NodeJS.Timeout | undefined

  constructor(plan: ProcessPlan, log: LogFile, onEvent: (event: ProcessEvent) => void) {
    this.plan = plan
    this.#log = log
    this.#onEvent = onEvent
  }

  get status(): ProcessStatus {
    const { name, region, host, httpPort, linkPort } = this.plan
    const own = { name, ...(region === undefined ? {} : { region }) }
    return {
      ...own,
      pid: this.#pid,
      host,
      httpPort,
      linkPort,
      state: this.#dying ? 'waiting' : this.#state,
      restarts: this.#restarts,
    }
  }

  start(): void {
    this.#state = 'starting'
    this.#started_ms = performance.now()
    const [execPath, ...execArgv] = [...(this.plan.enter ?? []), process.execPath, ...NODE_ARGS]
    const child = fork(this.plan.entry, this.plan.args ?? [], {
      env: this.plan.environment,
      execPath: execPath as string,
      execArgv,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    child.stdout?.on('data', (chunk: Buffer) => this.#log.write(chunk))
    child.stderr?.on('data', (chunk: Buffer) => this.#log.write(chunk))
    child.once('error', (error) => {
      this.#log.write(`${error.stack}\n`)
      // One that could not even be started has no exit to wait for.
      if (child.pid === undefined) this.#exited(child, error.message)
    })
    child.once('exit', (code, signal) => this.#exited(child, describeExit(code, signal)))
    if (child.pid === undefined) return
    this.#pid = child.pid
    this.#onEvent({ kind: 'started', pid: child.pid })
  }

  /** Whoever watches the process has seen it work. */
  markReady(): void {
    if (this.#state !== 'starting') return
    this.#state = 'ready'
    this.#onEvent({ kind: 'ready' })
  }

  /** Sends a signal, as an accident would: the process is started again afterwards. */
  kill(signal: NodeJS.Signals): void {
    this.#dying = this.#child?.kill(signal) === true && signal === 'SIGKILL'
  }

  /** Asks it to stop; kills it when it has not within the time. */
  async stop(timeout_ms: number): Promise<void> {
    clearTimeout(this.#timer)
    const child = this.#child
    this.#state = child === null ? 'stopped' : 'stopping'
    if (child === null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    // On Windows a signal kills at once; the closed channel asks for an orderly stop everywhere.
    if (process.platform === 'win32') child.disconnect()
    else child.kill('SIGTERM')
    const timer = setTimeout(() => {
      this.#onEvent({ kind: 'killed', afterMs: timeout_ms })
      child.kill('SIGKILL')
    }, timeout_ms)
    await gone
    clearTimeout(timer)
  }

  #exited(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    this.#child = null
    this.#dying = false
    if (this.#state === 'stopping') {
      this.#state = 'stopped'
      this.#onEvent({ kind: 'stopped', how })
      return
    }
    const stable = this.#state === 'ready' && performance.now() - this.#started_ms > STABLE_MS
    this.#failures = stable ? 0 : this.#failures
    const delay_ms =
      this.#failures === 0 ? 0 : Math.min(RESTART_DELAY_MS_FIRST * 2 ** (this.#failures - 1), RESTART_DELAY_MS_MAX)
    this.#failures += 1
    this.#state = 'waiting'
    this.#onEvent({ kind: 'died', how, restartIn_ms: delay_ms })
    this.#timer = setTimeout(() => {
      this.#restarts += 1
      this.start()
    }, delay_ms)
  }
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exit code ${code ?? 'unknown'}` : signal
}
