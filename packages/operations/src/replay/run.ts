// Plays a recording: reads it, finds or starts a platform, opens accounts, sends every operation in its order and at its time, and
// counts what came of it.

import { setTimeout as pause } from 'node:timers/promises'
import { identifyRecording, type RecordingHead, readRecording } from '@wintrades/marketdata'
import {
  ApiClient,
  CLIENT_CODES,
  type InstrumentView,
  type OrderView,
  type Result,
  valueOrThrow,
} from '../client/index.ts'
import { ReplayAccount } from './accounts.ts'
import { Grid } from './grid.ts'
import type { ReplayResult } from './result.ts'
import { Schedule } from './schedule.ts'
import { type Extent, fit, measure, type Need, survey } from './survey.ts'
import { privateTarget, type ReplayTarget, runningTarget } from './target.ts'
import { type Operation, Translator } from './translate.ts'

export type ReplayOptions = {
  readonly file: string
  readonly dataDirectory: string
  readonly private: boolean
  /** Null: what the recording says, or the platform's instrument of that base asset. */
  readonly symbol: string | null
  readonly accounts: number
  /** How many times faster than recorded; Infinity: as fast as answers come. */
  readonly speed: number
  readonly say: (line: string) => void
  /** Told now and then, 0 to 1. */
  readonly progress: (share: number, text: string) => void
  readonly signal: AbortSignal
}

const UNDER_WAY_MAX = 256
const PROGRESS_MS = 200
const SETTLE_TIMEOUT_MS = 15_000
const SETTLE_POLL_MS = 200
/** Of the name that begins the client order ids of one replay. */
const RUN_CHARS = 6

export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { file, say, accounts } = options
  const head = await identifyRecording(file)
  const extent = await measure(file, head.format)
  for (const fault of extent.firstFaults)
    say(`  line ${fault.line} ${fault.reason}${fault.text === '' ? '' : `: ${fault.text}`}`)
  if (extent.faults > extent.firstFaults.length) say(`  and ${extent.faults - extent.firstFaults.length} more lines`)
  if (extent.actions === 0) throw new Error(`${file} has no order flow in it`)
  const run = Date.now().toString(36).slice(-RUN_CHARS)
  const running = options.private ? null : runningTarget(options.dataDirectory)
  const plan =
    running === null ? await planPrivate(options, head, extent, run) : await planRunning(options, head, running, run)
  const { target, instrument, grid, need } = plan
  say(
    `${head.format} recording of ${duration(extent)}: ${need.operations.toLocaleString('en-US')} operations in ` +
      `${instrument.symbol}, by ${accounts} accounts, on ${target.private ? 'a private platform' : target.baseUrl}`,
  )
  try {
    return await play(options, { head, extent, run, target, instrument, grid, need })
  } finally {
    await target.close()
  }
}

type Plan = {
  readonly target: ReplayTarget
  readonly instrument: InstrumentView
  readonly grid: Grid
  readonly need: Need
}

async function planPrivate(options: ReplayOptions, head: RecordingHead, extent: Extent, run: string): Promise<Plan> {
  const { file, accounts, say, signal } = options
  const symbol = options.symbol ?? `${head.base}-${head.quote}`
  const { limits, grid, need } = await fit(file, head.format, extent, { accounts, run })
  say('starting a private platform')
  const target = await privateTarget({ symbol, limits, say, signal })
  try {
    return { target, grid, need, instrument: await findInstrument(target.baseUrl, symbol, null) }
  } catch (error) {
    await target.close()
    throw error
  }
}

async function planRunning(
  options: ReplayOptions,
  head: RecordingHead,
  target: ReplayTarget,
  run: string,
): Promise<Plan> {
  const instrument = await findInstrument(target.baseUrl, options.symbol ?? `${head.base}-${head.quote}`, head.base)
  const grid = Grid.of(instrument.tickSize, instrument.lotSize)
  const need = await survey(options.file, head.format, { grid, accounts: options.accounts, run })
  return { target, instrument, grid, need }
}

/** The named instrument, else the first of that base asset (when the recording, not the user, named it). */
async function findInstrument(baseUrl: string, symbol: string, base: string | null): Promise<InstrumentView> {
  const client = new ApiClient({ baseUrls: [baseUrl], connections: 1 })
  try {
    const answer = valueOrThrow(await client.instruments(), 'read instruments')
    const instruments = 'items' in answer ? answer.items : answer
    const found = instruments.find((one) => one.symbol === symbol) ?? instruments.find((one) => one.base === base)
    if (found !== undefined) return found
    const names = instruments.map((one) => one.symbol).join(', ')
    throw new Error(`the platform has no instrument ${symbol}; choose with --symbol one of ${names}, or use --private`)
  } finally {
    await client.close()
  }
}

type Played = Plan & { readonly head: RecordingHead; readonly extent: Extent; readonly run: string }

async function play(options: ReplayOptions, played: Played): Promise<ReplayResult> {
  const { instrument, grid, need, target, extent } = played
  const tally = new Tally(grid)
  const accounts: ReplayAccount[] = []
  try {
    for (const shortage of need.accounts) {
      const place = { baseUrl: target.baseUrl, instrument, grid, onLost: () => tally.lost() }
      accounts.push(await ReplayAccount.open(place, shortage))
    }
    const started_ms = performance.now()
    const agreed = await sendAll(options, played, accounts, tally)
    const seconds = (performance.now() - started_ms) / 1_000
    const { trades, lots } = await settled(accounts, grid, tally.lots)
    return {
      symbol: instrument.symbol,
      accounts: accounts.length,
      ...tally.counts,
      agreed,
      trades,
      volume: grid.quantity(lots),
      volume_lots: lots,
      expected: { trades: need.trades, volume: grid.quantity(need.lots), volume_lots: need.lots },
      rejects: tally.rejects,
      rounded: need.rounded,
      faults: extent.faults,
      seconds,
      answer_ms: tally.answer_ms(),
      private: target.private,
    }
  } finally {
    await Promise.all(accounts.map((account) => account.close()))
  }
}

/** Returns how often there was nothing to send. */
async function sendAll(
  { speed, progress, signal, file }: ReplayOptions,
  { head, grid, need, extent, run }: Played,
  accounts: readonly ReplayAccount[],
  tally: Tally,
): Promise<number> {
  const translator = new Translator({ grid, accounts: accounts.length, run })
  const schedule = new Schedule(UNDER_WAY_MAX)
  const started_ms = performance.now()
  let told_ms = started_ms
  for await (const record of readRecording(file, head.format)) {
    if (record.kind === 'fault') continue
    const due_ms = started_ms + (record.time_us - extent.from_us) / 1_000 / speed
    if (due_ms > performance.now()) await pause(due_ms - performance.now(), null, { signal })
    for (const operation of translator.translate(record)) {
      signal.throwIfAborted()
      await schedule.admit(operation)
      const account = accounts[operation.account] as ReplayAccount
      const sent_ms = performance.now()
      void account.send(operation).then((result) => {
        tally.add(operation, result, performance.now() - sent_ms)
        schedule.done(operation)
      })
    }
    if (performance.now() - told_ms > PROGRESS_MS) {
      told_ms = performance.now()
      const rate = Math.round((tally.counts.operations / (told_ms - started_ms)) * 1_000)
      progress(
        tally.counts.operations / need.operations,
        `${rate.toLocaleString('en-US')}/s, ${translator.trades} trades`,
      )
    }
  }
  await schedule.drain()
  progress(1, '')
  return translator.agreed
}

/** Trades as the accounts' own histories have them, once these hold the volume that the answers named. */
async function settled(
  accounts: readonly ReplayAccount[],
  grid: Grid,
  answered_lots: number,
): Promise<{ readonly trades: number; readonly lots: number }> {
  const deadline_ms = performance.now() + SETTLE_TIMEOUT_MS
  for (;;) {
    const executions = (await Promise.all(accounts.map((account) => account.taken()))).flat()
    const lots = executions.reduce((sum, one) => sum + grid.lots(one.quantity), 0)
    if (lots >= answered_lots || performance.now() > deadline_ms) return { trades: executions.length, lots }
    await pause(SETTLE_POLL_MS)
  }
}

function duration({ from_us, to_us }: Extent): string {
  const minutes = (to_us - from_us) / 60e6
  if (minutes < 2) return `${(minutes * 60).toFixed(1)} seconds`
  return minutes < 120 ? `${minutes.toFixed(0)} minutes` : `${(minutes / 60).toFixed(1)} hours`
}

const TIMES_KEPT_MAX = 200_000

/** Counts answers. */
class Tally {
  readonly counts = { operations: 0, placed: 0, cancels: 0, changes: 0, repeats: 0, unknown: 0, reconnected: 0 }
  readonly rejects = new Map<string, { count: number; message: string }>()
  /** What orders had traded when they were answered. */
  lots = 0
  readonly #grid: Grid
  readonly #times_ms: number[] = []

  constructor(grid: Grid) {
    this.#grid = grid
  }

  add(operation: Operation, result: Result<OrderView>, time_ms: number): void {
    const { counts } = this
    counts.operations += 1
    if (this.#times_ms.length < TIMES_KEPT_MAX) this.#times_ms.push(time_ms)
    if (operation.kind === 'place') counts.placed += 1
    else if (operation.kind === 'cancel') counts.cancels += 1
    else if (operation.repeat) counts.repeats += 1
    else counts.changes += 1
    if (!result.ok) {
      if (result.error.code === CLIENT_CODES.unknown) counts.unknown += 1
      else this.#reject(result.error.code, result.error.message)
    } else if (result.value.status === 'REJECTED') {
      this.#reject(result.value.rejectCode ?? 'REJECTED', result.value.reason ?? 'rejected')
    } else if (operation.kind === 'place' && Number(result.value.cumQty) > 0) {
      this.lots += this.#grid.lots(result.value.cumQty)
    }
  }

  lost(): void {
    this.counts.reconnected += 1
  }

  answer_ms(): ReplayResult['answer_ms'] {
    const times = Float64Array.from(this.#times_ms).sort()
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
    return { p50: at(0.5), p99: at(0.99), max: at(1) }
  }

  #reject(code: string, message: string): void {
    const seen = this.rejects.get(code)
    if (seen === undefined) this.rejects.set(code, { count: 1, message })
    else seen.count += 1
  }
}
