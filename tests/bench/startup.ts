// From the command to ready, with everything installed: on an empty data directory, and again on the same one.

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchOptions, Figure } from './figure.ts'
import { percentile } from './statistics.ts'

const READY_SECONDS_TARGET = 5
const ROUNDS = 3
const PATIENCE_MS = 60_000

export async function run(options: BenchOptions): Promise<Figure[]> {
  const first: number[] = []
  const again: number[] = []
  const stops: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const directory = await mkdtemp(join(tmpdir(), 'wintrades-startup-'))
    try {
      for (const starts of [first, again]) {
        const { ready_seconds, stop_seconds } = await startOnce(directory, options.signal)
        options.say(`ready after ${ready_seconds.toFixed(2)} s, stopped in ${stop_seconds.toFixed(2)} s`)
        starts.push(ready_seconds)
        stops.push(stop_seconds)
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
  return [
    { name: 'startup.first', value: median(first), unit: 's', reference: READY_SECONDS_TARGET },
    { name: 'startup.again', value: median(again), unit: 's', reference: READY_SECONDS_TARGET },
    { name: 'startup.slowest', value: Math.max(...first, ...again), unit: 's', reference: READY_SECONDS_TARGET },
    { name: 'startup.stop', value: median(stops), unit: 's', reference: null },
  ]
}

function median(values: readonly number[]): number {
  return percentile(Float64Array.from(values).sort(), 0.5)
}

/** Runs the launcher as a person would, until it says that the platform is ready. */
async function startOnce(
  directory: string,
  signal: AbortSignal,
): Promise<{ readonly ready_seconds: number; readonly stop_seconds: number }> {
  const windows = process.platform === 'win32'
  const launcher = fileURLToPath(new URL(windows ? '../../wintrades.cmd' : '../../wintrades', import.meta.url))
  const start_ms = performance.now()
  const child = spawn(launcher, ['up', '--port', '0', '--data', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: windows,
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = () => child.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  try {
    await new Promise<void>((resolve, reject) => {
      let text = ''
      const patience = setTimeout(() => reject(new Error(`not ready after ${PATIENCE_MS / 1_000} s`)), PATIENCE_MS)
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (!/^ready in /m.test(text)) return
        clearTimeout(patience)
        resolve()
      })
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`it ended with ${code} before it was ready:\n${text}`)))
    })
    const ready_ms = performance.now()
    stop()
    await ended
    return {
      ready_seconds: (ready_ms - start_ms) / 1_000,
      stop_seconds: (performance.now() - ready_ms) / 1_000,
    }
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}
