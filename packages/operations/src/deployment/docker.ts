// The docker command line, as a deployment uses it: bounded in time, its output read as JSON, its errors in words. Whatever is secret goes in through
// standard input, never through an argument.

import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'

const TIMEOUT_MS = 60_000
/** Managers that are far from each other, one of whom was lost, take a minute at times. */
const LEADER_MS = 90_000
const LEADER_LOOK_MS = 2_000
const LEADERLESS = /does not have a leader|context deadline exceeded/i
const READS = /^((node|service|secret|config|network|volume) (ls|ps|inspect|logs)|inspect|stack (ls|ps|services))\b/
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

export type RunOptions = {
  readonly input?: string
  readonly timeout_ms?: number
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  /** Hears every line as it comes, of both outputs. */
  readonly onLine?: (line: string) => void
  readonly signal?: AbortSignal
}

export class DockerFault extends Error {
  override readonly name = 'DockerFault'
  /** What docker said. */
  readonly output: string

  constructor(message: string, output: string) {
    super(message)
    this.output = output
  }
}

export class Docker {
  readonly #environment: Readonly<Record<string, string>>

  /** `environment`: DOCKER_HOST, for a daemon other than the one of this process's environment. */
  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment
  }

  /** What it prints on standard output, without the line end. Where the managers are choosing a leader, what only reads is asked again. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const deadline_ms = performance.now() + LEADER_MS
    for (;;) {
      try {
        return await this.#run(args, options)
      } catch (error) {
        const isLeaderless =
          error instanceof DockerFault && LEADERLESS.test(error.output) && READS.test(args.slice(0, 2).join(' '))
        if (!isLeaderless || performance.now() > deadline_ms || options.signal?.aborted === true) throw error
        await pause(LEADER_LOOK_MS)
      }
    }
  }

  async #run(args: readonly string[], options: RunOptions): Promise<string> {
    const { input, timeout_ms = TIMEOUT_MS, environment, directory, onLine, signal } = options
    return await new Promise((resolve, reject) => {
      const child = spawn('docker', args, {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...this.#environment, ...environment },
        timeout: timeout_ms,
        ...(directory === undefined ? {} : { cwd: directory }),
        ...(signal === undefined ? {} : { signal }),
      })
      const out = new Output(onLine)
      const err = new Output(onLine)
      child.stdout.on('data', (chunk: Buffer) => out.add(chunk))
      child.stderr.on('data', (chunk: Buffer) => err.add(chunk))
      child.on('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'ENOENT'
            ? new DockerFault('docker is not installed: install Docker 20.10 or later', '')
            : error,
        )
      })
      child.on('close', (code, killedBy) => {
        if (code === 0) return resolve(out.text)
        const said = err.text || out.text
        const how = killedBy === null ? '' : ` (ended after ${timeout_ms / 1_000} s)`
        reject(new DockerFault(`docker ${args.slice(0, 2).join(' ')}: ${explain(said)}${how}`, said))
      })
      // A program that ends early takes no more input: its exit code says why.
      child.stdin.on('error', () => {})
      child.stdin.end(input ?? '')
    })
  }

  /** One JSON value a line, as `--format '{{json .}}'` makes docker print. */
  async lines<Row>(args: readonly string[], options: RunOptions = {}): Promise<readonly Row[]> {
    const text = await this.run([...args, '--format', '{{json .}}'], options)
    return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line) as Row]))
  }

  /** Everything docker knows of these; empty for none. */
  async inspect<Row>(
    kind: 'node' | 'service' | 'secret' | 'config' | 'network',
    ids: readonly string[],
  ): Promise<readonly Row[]> {
    if (ids.length === 0) return []
    return JSON.parse(await this.run([kind, 'inspect', ...ids])) as readonly Row[]
  }
}

class Output {
  readonly #chunks: Buffer[] = []
  readonly #onLine: ((line: string) => void) | undefined
  #bytes = 0
  #rest = ''

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes <= OUTPUT_BYTES_MAX) this.#chunks.push(chunk)
    if (this.#onLine === undefined) return
    const lines = `${this.#rest}${chunk.toString('utf8')}`.split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#onLine(line)
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8').trimEnd()
  }
}

/** The line that matters, and what to do where that is known. */
function explain(said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  const line = (
    lines.findLast((one) => /error|denied|cannot|fail/i.test(one)) ??
    lines.at(-1) ??
    'no reason given'
  ).trim()
  if (/cannot connect to the docker daemon/i.test(line))
    return `${line} Start it (systemctl start docker, or dockerd), or name its host in DOCKER_HOST`
  if (/permission denied/i.test(line) && /docker\.sock/.test(line))
    return `${line} Become root, or a member of the group docker`
  return line
}
