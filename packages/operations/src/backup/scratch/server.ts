// A MySQL server of our own for a while: receives a clone, opens a restored copy, applies binlogs to it. It runs from a configurable command (the
// program itself, or a container of the servers' image), listens on this machine alone unless told otherwise, and is gone when it is stopped.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { neverLog } from '@wintrades/platform'
import { breakOff } from '@wintrades/platform/mysql'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { pause } from '../../operator/reconciler.ts'
import { BackupRefused } from '../store/faults.ts'

export type ScratchCommand = {
  /** Program and first arguments; `{work}` stands for the directory that everything of the server lies in. */
  readonly command: readonly string[]
  /** The address it listens on: 127.0.0.1 unless other servers shall clone from it. */
  readonly listen?: string
}

export type ScratchOptions = ScratchCommand & {
  /** Everything of the server but its data lies here: configuration, socket, log. */
  readonly work: string
  readonly dataDirectory: string
  /** Further lines of the configuration. */
  readonly settings?: readonly string[]
  readonly signal?: AbortSignal
}

export const SCRATCH_USER = 'wintrades_scratch'
const START_TIMEOUT_MS = 180_000
const LOOK_MS = 100
const FOREVER = new AbortController().signal
const STOP_TIMEOUT_MS = 120_000
const KILL_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000
const LOG_LINES = 40
/** Room for a socket's path is 107 characters. */
const WORK_CHARACTERS_MAX = 90
const SERVER_ID_MIN = 4_000_000_000

export class ScratchServer {
  readonly host: string
  readonly port: number
  readonly password: string
  readonly #child: ChildProcess
  readonly #log: ServerLog

  private constructor(host: string, port: number, password: string, child: ChildProcess, log: ServerLog) {
    this.host = host
    this.port = port
    this.password = password
    this.#child = child
    this.#log = log
  }

  /** An empty data directory, as a new server has it. */
  static async initialise(options: ScratchOptions, settings: readonly string[]): Promise<void> {
    await mkdir(options.work, { recursive: true, mode: 0o700 })
    const args = ['--no-defaults', `--datadir=${options.dataDirectory}`, ...userArgument(), '--initialize-insecure']
    const { child, log } = run(options, [...args, ...settings])
    const end = await ended(child, START_TIMEOUT_MS)
    if (end !== 0) throw new BackupRefused(`a scratch server could not be made (${end}): ${log.last()}`)
  }

  /** Resolves when it answers. Whatever account it was left with, it has one more that may do everything. */
  static async start(options: ScratchOptions): Promise<ScratchServer> {
    if (options.work.length > WORK_CHARACTERS_MAX) {
      throw new BackupRefused(
        `${options.work} is too long a path for a server's socket: choose a shorter work directory`,
      )
    }
    await mkdir(options.work, { recursive: true, mode: 0o700 })
    const host = options.listen ?? '127.0.0.1'
    const port = await freePort(host)
    const password = randomBytes(24).toString('base64url')
    neverLog(password)
    const initFile = join(options.work, 'init.sql')
    await writeFile(initFile, ACCOUNT.replace('@PASSWORD@', password), { mode: 0o600 })
    const file = join(options.work, 'scratch.cnf')
    await writeFile(file, configuration(options, host, port, initFile), { mode: 0o600 })
    const { child, log } = run(options, [`--defaults-file=${file}`])
    const server = new ScratchServer(host, port, password, child, log)
    try {
      await server.#ready(options.signal)
    } catch (error) {
      await server.kill()
      throw error
    } finally {
      await rm(initFile, { force: true })
    }
    return server
  }

  /** The caller ends it. */
  async connect(): Promise<Connection> {
    return await createConnection({
      host: this.host,
      port: this.port,
      user: SCRATCH_USER,
      password: this.password,
      connectTimeout: CONNECT_TIMEOUT_MS,
      supportBigNumbers: true,
      dateStrings: true,
      flags: ['-LOCAL_FILES'],
    })
  }

  async query<Row = Record<string, unknown>>(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const connection = await this.connect()
    try {
      const [rows] = await connection.query<RowDataPacket[]>(sql, [...values])
      return (Array.isArray(rows) ? rows : []) as Row[]
    } finally {
      await connection.end()
    }
  }

  /** What it wrote last. */
  lastWords(): string {
    return this.#log.last()
  }

  /** In order: everything is in its data directory when this resolves; with `isLast`, without the scratch account. */
  async stop({ isLast = false }: { readonly isLast?: boolean } = {}): Promise<void> {
    const connection = await this.connect()
    try {
      if (isLast) {
        await connection.query('SET SESSION sql_log_bin = 0')
        await connection.query('DROP USER IF EXISTS wintrades_scratch')
      }
      await connection.query('SHUTDOWN')
    } finally {
      breakOff(connection)
    }
    const end = await ended(this.#child, STOP_TIMEOUT_MS)
    if (end !== 0) {
      await this.kill()
      throw new BackupRefused(`a scratch server did not stop in order (${end}): ${this.#log.last()}`)
    }
  }

  /** At once; what it leaves is as after a crash, and the next to start there recovers it. */
  async kill(): Promise<void> {
    if (this.#isOver) return
    // A container's client passes the first two on; it could not pass on SIGKILL. One whose applier is stuck never ends by the first.
    for (const name of ['SIGTERM', 'SIGABRT'] as const) {
      this.#child.kill(name)
      if ((await ended(this.#child, KILL_TIMEOUT_MS)) !== 'still running') return
    }
    this.#child.kill('SIGKILL')
    await ended(this.#child, KILL_TIMEOUT_MS)
  }

  get #isOver(): boolean {
    const { pid, exitCode, signalCode } = this.#child
    return pid === undefined || exitCode !== null || signalCode !== null
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    const deadline_ms = performance.now() + START_TIMEOUT_MS
    for (;;) {
      signal?.throwIfAborted()
      if (this.#isOver) {
        throw new BackupRefused(`a scratch server did not start: ${this.#log.last()}`)
      }
      try {
        const connection = await this.connect()
        await connection.end()
        return
      } catch (error) {
        if (performance.now() > deadline_ms) {
          const words = `a scratch server did not answer within ${START_TIMEOUT_MS / 1_000} s: ${this.#log.last()}`
          throw new BackupRefused(words, { cause: error })
        }
      }
      await pause(LOOK_MS, signal ?? FOREVER)
    }
  }
}

function configuration(
  { work, dataDirectory, settings = [] }: ScratchOptions,
  host: string,
  port: number,
  initFile: string,
): string {
  return `${[
    '[mysqld]',
    ...(process.getuid?.() === 0 ? ['user=root'] : []),
    `datadir=${dataDirectory}`,
    `socket=${join(work, 'mysqld.sock')}`,
    `pid-file=${join(work, 'mysqld.pid')}`,
    `init-file=${initFile}`,
    `bind-address=${host}`,
    `port=${port}`,
    'mysqlx=OFF',
    'skip-name-resolve',
    'secure_file_priv=NULL',
    `server_id=${SERVER_ID_MIN + Math.floor(Math.random() * 200_000_000)}`,
    'gtid_mode=ON',
    'enforce_gtid_consistency=ON',
    'disable-log-bin',
    'event_scheduler=OFF',
    'max_allowed_packet=1G',
    'innodb_buffer_pool_size=256M',
    'innodb_numa_interleave=OFF',
    // What a crash of this server would lose is made again.
    'innodb_flush_log_at_trx_commit=0',
    // Never receives; applies what is laid before it, in the order in which it was committed.
    'skip_replica_start=ON',
    'relay_log_recovery=OFF',
    'relay_log=restore-relay',
    'replica_parallel_workers=1',
    ...settings,
  ].join('\n')}\n`
}

/** Run by the server as it starts. `@PASSWORD@`: of letters, digits, - and _. */
const ACCOUNT = `SET SESSION sql_log_bin = 0;
DROP USER IF EXISTS wintrades_scratch;
CREATE USER wintrades_scratch IDENTIFIED BY '@PASSWORD@';
GRANT ALL PRIVILEGES ON *.* TO wintrades_scratch WITH GRANT OPTION;
`

function userArgument(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : []
}

/** The last lines of what a server writes. */
class ServerLog {
  #lines: string[] = []

  add(text: string): void {
    this.#lines.push(...text.split('\n').filter((line) => line.trim() !== ''))
    this.#lines = this.#lines.slice(-LOG_LINES)
  }

  /** Its errors, or the last of whatever there is. */
  last(): string {
    const errors = this.#lines.filter((line) => line.includes('[ERROR]'))
    return (errors.length > 0 ? errors : this.#lines).slice(-4).join(' | ') || 'it said nothing'
  }
}

function run(options: ScratchOptions, args: readonly string[]): { child: ChildProcess; log: ServerLog } {
  const [program, ...first] = options.command.map((word) => word.replaceAll('{work}', options.work))
  if (program === undefined) throw new BackupRefused('the command that starts a scratch server is empty: name mysqld')
  const log = new ServerLog()
  const child = spawn(program, [...first, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.on('error', (error) =>
    log.add(`[ERROR] ${program}: ${error.message}: install the MySQL server there, of the servers' version`),
  )
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => log.add(chunk.toString()))
  return { child, log }
}

async function ended(child: ChildProcess, timeout_ms: number): Promise<number | string> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    // A program that cannot be started ends with an error instead.
    const exit = once(child, 'exit').then(
      () => true,
      () => true,
    )
    const late = new AbortController()
    const isEnded = await Promise.race([exit, pause(timeout_ms, late.signal).then(() => false)])
    late.abort()
    if (!isEnded) return 'still running'
  }
  return child.exitCode ?? child.signalCode ?? 'not started'
}

async function freePort(host: string): Promise<number> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
