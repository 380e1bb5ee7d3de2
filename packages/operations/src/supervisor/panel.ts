// The live panel of `wintrades up` on a terminal: events scroll above it, it is redrawn in place below. What it shows is asked
// from the regions; without a terminal there are only the event lines.

import type { Platform } from './platform.ts'
import { type RegionReport, readRegion } from './region-report.ts'

const INTERVAL_MS = 1_000
const CLEAR_BELOW = '\u001b[0J'

type Output = NodeJS.WriteStream

export class Panel {
  readonly #output: Output
  #platform: Platform | null = null
  #timer: NodeJS.Timeout | undefined
  #lines: readonly string[] = []
  #previous: ReadonlyMap<number, { readonly commands: number; readonly at_ms: number }> = new Map()

  constructor(output: Output) {
    this.#output = output
  }

  start(platform: Platform): void {
    this.#platform = platform
    const tick = async () => {
      this.#draw(await this.#compose(platform))
      if (this.#platform !== null) this.#timer = setTimeout(() => void tick(), INTERVAL_MS)
    }
    void tick()
  }

  stop(): void {
    this.#platform = null
    clearTimeout(this.#timer)
    this.#erase()
  }

  /** An event line, above the panel. */
  print(line: string): void {
    this.#erase()
    this.#output.write(`${line}\n`)
    this.#paint()
  }

  #draw(lines: readonly string[]): void {
    if (this.#platform === null) return
    this.#erase()
    this.#lines = lines.map((line) => line.slice(0, Math.max(20, this.#output.columns - 1)))
    this.#paint()
  }

  #paint(): void {
    if (this.#lines.length > 0) this.#output.write(`${this.#lines.join('\n')}\n`)
  }

  #erase(): void {
    if (this.#lines.length > 0) this.#output.write(`\u001b[${this.#lines.length}A\r${CLEAR_BELOW}`)
  }

  async #compose(platform: Platform): Promise<string[]> {
    const processes = platform.processes()
    const regions = processes.filter((one) => one.region !== undefined)
    const reports = await Promise.all(regions.map((one) => readRegion(one)))
    const rows = regions.map((one, index) => {
      const memory = reports[index]?.memory_bytes
      const state = one.state === 'ready' ? 'ready' : one.state.toUpperCase()
      const used = memory === undefined || memory === null ? '–' : `${Math.round(memory / 1_048_576)} MB`
      return [one.name, state, String(one.pid ?? '–'), used, `restarts ${one.restarts}`]
    })
    return ['', ...table(['region', 'state', 'pid', 'memory', ''], rows), '', ...this.#shards(reports), '']
  }

  #shards(reports: readonly (RegionReport | null)[]): string[] {
    const now_ms = performance.now()
    const next = new Map<number, { commands: number; at_ms: number }>()
    const freshest = reports.find((report) => report !== null)?.shards ?? []
    const rows = freshest.map((shard) => {
      const seen = reports.flatMap((report) => report?.shards.filter((one) => one.shard === shard.shard) ?? [])
      const seq = Math.max(...seen.map((one) => one.seq))
      const commands = Math.max(...seen.map((one) => one.commands ?? 0))
      const before = this.#previous.get(shard.shard)
      next.set(shard.shard, { commands, at_ms: now_ms })
      const rate = before === undefined ? 0 : ((commands - before.commands) * 1_000) / (now_ms - before.at_ms)
      const lag = seq - Math.min(...seen.map((one) => one.seq))
      const fault = seen.find((one) => one.fault !== null)?.fault
      const health = fault ?? (seen.length < reports.length ? 'a region does not answer' : `lag ${lag}`)
      return [shard.name, shard.leader ?? 'none', String(shard.epoch), String(seq), rate.toFixed(0), health]
    })
    this.#previous = next
    return table(['shard', 'leader', 'epoch', 'seq', 'commands/s', 'health'], rows)
  }
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd()
  return [line(head), ...rows.map(line)]
}
