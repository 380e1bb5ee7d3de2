// The database of three regions in a lab: four MySQL servers, and in each region an operator that keeps them in order. Also ways to break it, for
// drills. The servers start empty; the operators make a replicating database of them.

import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { DatabaseControl, DatabaseRoles } from '@wintrades/operations/drill'
import { stringify } from 'yaml'
import { type Lab, type LabMysql, REGIONS, until } from './lab/index.ts'

type Operator = { readonly region: string; readonly url: string; process: ChildProcess | null }

const SERVERS = [
  { name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter', port: 3306 },
  { name: 'mysql_slave_eu', region: 'eu-west', serverId: 2, role: 'voter', port: 3306 },
  { name: 'mysql_slave_ap', region: 'asia-pacific', serverId: 3, role: 'voter', port: 3306 },
  { name: 'mysql_slave_us', region: 'us-east', serverId: 4, role: 'reader', port: 3307 },
] as const

const OPERATOR_PORT = 8300
const FORM_TIMEOUT_MS = 120_000
const QUESTION_MS = 2_000
const COMMAND_SECONDS = 120
const OPERATOR = new URL('../../services/operator/src/main.ts', import.meta.url).pathname
const NODE_ARGS = ['--disable-warning=ExperimentalWarning']

export class LabDataTier implements DatabaseControl {
  readonly lab: Lab
  readonly servers: readonly LabMysql[]
  readonly #operators: readonly Operator[]
  readonly #directory: string

  private constructor(lab: Lab, servers: readonly LabMysql[]) {
    this.lab = lab
    this.servers = servers
    this.#directory = join(lab.directory, 'operators')
    this.#operators = REGIONS.map((region) => ({
      region,
      url: `http://${lab.addressOf(region)}:${OPERATOR_PORT}`,
      process: null,
    }))
  }

  /** Resolves when there is a primary that all the others follow. */
  static async start(lab: Lab): Promise<LabDataTier> {
    const servers = await Promise.all(SERVERS.map((server) => lab.mysql(server)))
    const tier = new LabDataTier(lab, servers)
    tier.#writeOperatorFiles()
    for (const { region } of tier.#operators) tier.startOperator(region)
    await tier.untilWhole(FORM_TIMEOUT_MS)
    return tier
  }

  /** What a region's app process needs to use it. */
  environment(region: string): Readonly<Record<string, string>> {
    const { credentials } = this.#first
    const local = this.servers.filter((server) => server.region === region)
    const read = local.find((server) => server.role === 'reader') ?? local[0] ?? this.#first
    return {
      DB_HOST: this.servers.map(({ host, port }) => `${host}:${port}`).join(','),
      DB_READ_HOST: `${read.host}:${read.port}`,
      DB_USER: 'wintrades_app_a',
      DB_PASSWORD_FILE: credentials.passwordFileOf('app'),
      DB_CA_FILE: credentials.authorityFile,
      UV_THREADPOOL_SIZE: '64',
    }
  }

  async roles(): Promise<DatabaseRoles> {
    const seen = await Promise.all(this.servers.map((server) => readRole(server)))
    const open = seen.filter((one) => one?.isOpen === true).sort((a, b) => (b?.term ?? 0) - (a?.term ?? 0))
    const primary = open[0] ?? null
    const following = seen.filter((one) => one !== null && primary !== null && one.source === primary.address)
    return {
      primary: primary?.name ?? null,
      term: primary?.term ?? 0,
      following: following.map((one) => one?.name ?? ''),
    }
  }

  async untilWhole(timeout_ms = FORM_TIMEOUT_MS): Promise<void> {
    const whole = async () => (await this.roles()).following.length === this.servers.length - 1
    await until('every database server follows the primary', whole, { timeout_ms, every_ms: 200 }).catch(
      async (error: unknown) => {
        throw new Error(`${String(error)}; ${await this.#whatOperatorsSay()}`, { cause: error })
      },
    )
  }

  server(name: string): LabMysql {
    const found = this.servers.find((one) => one.name === name)
    if (found === undefined) throw new RangeError(`there is no server ${name}`)
    return found
  }

  kill(name: string): Promise<void> {
    return this.server(name).kill()
  }

  start(name: string): Promise<void> {
    return this.server(name).start()
  }

  wipe(name: string): Promise<void> {
    return this.server(name).wipe()
  }

  cut(region: string): Promise<void> {
    return this.lab.cut(region)
  }

  heal(region: string): Promise<void> {
    return this.lab.heal(region)
  }

  /** Through whichever operator answers first. */
  async promote(server: string): Promise<void> {
    const faults: string[] = []
    for (const { url } of this.#operators) {
      const response = await fetch(`${url}/database/promote`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': readFileSync(this.#keyFile, 'utf8').trimEnd() },
        body: JSON.stringify({ server, timeout_seconds: COMMAND_SECONDS }),
        signal: AbortSignal.timeout((COMMAND_SECONDS + 5) * 1_000),
      }).catch((error: unknown) => String(error))
      if (typeof response !== 'string' && response.ok) return
      faults.push(typeof response === 'string' ? response : await response.text())
    }
    throw new Error(`the promotion of ${server} was refused: ${faults.join('; ')}`)
  }

  startOperator(region: string): void {
    const operator = this.#operator(region)
    const env = { ...process.env, REGION: region, OPERATOR_FILE: join(this.#directory, `${region}.yml`) }
    const child = this.lab.spawn(region, [process.execPath, ...NODE_ARGS, OPERATOR], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log = createWriteStream(this.#logFile(region), { flags: 'a' })
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    operator.process = child
  }

  async killOperator(region: string): Promise<void> {
    const { process: child } = this.#operator(region)
    if (child === null || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  get #first(): LabMysql {
    return this.servers[0] as LabMysql
  }

  get #keyFile(): string {
    return join(this.#directory, 'operator.key')
  }

  #operator(region: string): Operator {
    const found = this.#operators.find((one) => one.region === region)
    if (found === undefined) throw new RangeError(`there is no operator in ${region}`)
    return found
  }

  #logFile(region: string): string {
    return join(this.#directory, `${region}.log`)
  }

  #writeOperatorFiles(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    writeFileSync(this.#keyFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 })
    const { credentials } = this.#first
    const account = (name: 'operator' | 'replication') => ({
      user: `wintrades_${name}_a`,
      password_file: credentials.passwordFileOf(name),
    })
    for (const { region } of this.#operators) {
      const file = {
        http: { host: this.lab.addressOf(region), port: OPERATOR_PORT, key_file: this.#keyFile },
        operators: Object.fromEntries(this.#operators.map((one) => [one.region, one.url])),
        database: {
          account: account('operator'),
          replication_account: account('replication'),
          authority_file: credentials.authorityFile,
          servers: this.servers.map(({ name, region: where, host, port, role }) => ({
            name,
            region: where,
            host,
            port,
            role,
          })),
        },
      }
      writeFileSync(join(this.#directory, `${region}.yml`), stringify(file), { mode: 0o600 })
    }
  }

  async #whatOperatorsSay(): Promise<string> {
    const lines = await Promise.all(
      this.#operators.map(async ({ region, url }) => {
        const answer = await fetch(`${url}/status`, { signal: AbortSignal.timeout(QUESTION_MS) })
          .then((response) => response.json() as Promise<{ lines: readonly { text: string }[] }>)
          .catch(() => null)
        if (answer === null) {
          const log = readFileSync(this.#logFile(region), 'utf8').trimEnd().split('\n').slice(-5).join('\n')
          return `the operator of ${region} does not answer: ${log}`
        }
        return `${region}: ${answer.lines
          .slice(-4)
          .map((line) => line.text)
          .join(' | ')}`
      }),
    )
    return lines.join('\n')
  }
}

type Role = {
  readonly name: string
  readonly address: string
  readonly isOpen: boolean
  readonly term: number
  /** What it receives from and applies; null: nothing. */
  readonly source: string | null
}

/** Null: the server does not answer. */
async function readRole(server: LabMysql): Promise<Role | null> {
  const timer = new AbortController()
  const read = async (): Promise<Role> => {
    const connection = await server.connect()
    try {
      const [rows] = await connection.query(
        // Not super_read_only: an operator lifts that for the moment in which it writes a term.
        'SELECT @@read_only AS closed, (SELECT MAX(number) FROM wintrades_operator.primary_term) AS term',
      )
      const [replicas] = await connection.query('SHOW REPLICA STATUS')
      const [row] = rows as { closed: number; term: number | null }[]
      const [replica] = replicas as Record<string, unknown>[]
      const follows = replica?.['Replica_IO_Running'] === 'Yes' && replica['Replica_SQL_Running'] === 'Yes'
      return {
        name: server.name,
        address: `${server.host}:${server.port}`,
        isOpen: row?.closed === 0,
        term: Number(row?.term ?? 0),
        source: follows ? `${replica['Source_Host']}:${replica['Source_Port']}` : null,
      }
    } finally {
      connection.destroy()
    }
  }
  const tooLate = pause(QUESTION_MS, null, { signal: timer.signal }).catch(() => null)
  const answer = await Promise.race([read().catch(() => null), tooLate])
  timer.abort()
  return answer
}
