// A part of the operator: one thing that it keeps in order, by itself, until it is told to stop. Parts know nothing of each other.

import type { Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'

export type CommandResult = { readonly ok: boolean; readonly line: string }

export type Command = (body: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<CommandResult>

export type Reconciler = {
  readonly name: string
  /** Works until `signal` aborts. What it cannot mend it says; a throw is a fault in the program, and it is started again after a while. */
  run(signal: AbortSignal): Promise<void>
  /** For the status page, under its name. */
  status?(): unknown
  /** Registers what it measures; called once. */
  metrics?(metrics: Metrics): void
  /** What may be asked of it: `POST /NAME/COMMAND`. */
  readonly commands?: Readonly<Record<string, Command>>
}

const AGAIN_MS = 5_000

/** Runs all parts until `signal` aborts and all of them have ended. */
export async function runReconcilers(parts: readonly Reconciler[], logger: Logger, signal: AbortSignal): Promise<void> {
  await Promise.all(parts.map((part) => runOne(part, logger, signal)))
}

async function runOne(part: Reconciler, logger: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await part.run(signal)
    } catch (error) {
      logger.error('a part of the operator has failed and starts again', { part: part.name, error })
    }
    if (!signal.aborted) await pause(AGAIN_MS, signal)
  }
}

/** Returns early when `signal` aborts. */
export function pause(time_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, time_ms)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
