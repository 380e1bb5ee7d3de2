// The database of a deployment in a lab: four servers in three regions, and operators as real processes in the networks of their regions. Formed by the
// operators themselves. For every test that needs a database which is kept, promoted and mended.

import type { ChildProcess } from 'node:child_process'
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DatabaseAccess, DatabaseServer } from '@wintrades/operations/operator'
import { type Lab, type LabMysql, REGIONS, until } from './lab/index.ts'

export const SERVERS = [
  { name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter', port: 3306 },
  { name: 'mysql_slave_eu', region: 'eu-west', serverId: 2, role: 'voter', port: 3306 },
  { name: 'mysql_slave_ap', region: 'asia-pacific', serverId: 3, role: 'voter', port: 3306 },
  { name: 'mysql_slave_us', region: 'us-east', serverId: 4, role: 'reader', port: 3307 },
] as const

export type ServerName = (typeof SERVERS)[number]['name']
export type Region = (typeof REGIONS)[number]

export type DatabaseReport = {
  readonly operator: string
  readonly outcome: string
  readonly line: string
  readonly primary: string | null
  readonly servers: readonly {
    readonly name: string
    readonly state: string
    readonly row: number | null
    readonly source: string | null
    readonly fault: string | null
    readonly diskFullAt: string | null
  }[]
}

export type LabDatabaseOptions = {
  /** Further sections of `operator.yml`, once the servers are there: of a region's operator, or (null) for commands that run on this host. */
  readonly sections?: (database: LabDatabase, region: Region | null) => string
  /** Servers that have a disk of their own, by name: its size. */
  readonly disks_mb?: Readonly<Partial<Record<ServerName, number>>>
  /** Added to the environment of every operator. */
  readonly environment?: Readonly<Record<string, string>>
}

const OPERATOR_PROGRAM = fileURLToPath(new URL('../../services/operator/src/main.ts', import.meta.url))
const OPERATOR_PORT = 8_300
const KEY = 'the-operators-key-of-this-lab'
const FORM_MS = 120_000

export class LabDatabase {
  readonly lab: Lab
  readonly servers: readonly LabMysql[]
  readonly #options: LabDatabaseOptions
  readonly #operators = new Map<Region, ChildProcess>()

  private constructor(lab: Lab, servers: readonly LabMysql[], options: LabDatabaseOptions) {
    this.lab = lab
    this.servers = servers
    this.#options = options
  }

  /** The servers, empty; nobody keeps them yet. */
  static async start(lab: Lab, options: LabDatabaseOptions = {}): Promise<LabDatabase> {
    const disk = (name: ServerName) => {
      const disk_mb = options.disks_mb?.[name]
      return disk_mb === undefined ? {} : { disk_mb }
    }
    const servers = await Promise.all(SERVERS.map((server) => lab.mysql({ ...server, ...disk(server.name) })))
    const database = new LabDatabase(lab, servers, options)
    database.#writeOperatorFile()
    return database
  }

  /** Servers and operators, once there is a primary that everybody follows. */
  static async startFormed(
    lab: Lab,
    regions: readonly Region[] = REGIONS,
    options: LabDatabaseOptions = {},
  ): Promise<LabDatabase> {
    const database = await LabDatabase.start(lab, options)
    for (const region of regions) database.startOperator(region)
    await database.whole()
    return database
  }

  server(name: string): LabMysql {
    const server = this.servers.find((one) => one.name === name)
    if (server === undefined) throw new Error(`no server ${name}`)
    return server
  }

  /** What a promoter in this process needs. */
  get access(): DatabaseAccess {
    const { credentials } = this.servers[0] as LabMysql
    return {
      operator: { user: 'wintrades_operator_a', passwordFile: credentials.passwordFileOf('operator') },
      replication: { user: 'wintrades_replication_a', passwordFile: credentials.passwordFileOf('replication') },
      authorityFile: credentials.authorityFile,
      authorityFileOnServers: '/run/mysqld/tls/ca.pem',
    }
  }

  get descriptions(): readonly DatabaseServer[] {
    return this.servers.map(({ name, region, host, port, role }) => ({ name, region, host, port, role }))
  }

  /** `operator.yml`, for operators and for `wintrades db --file`. */
  get operatorFile(): string {
    return join(this.lab.directory, 'operator.yml')
  }

  addressOf(region: Region): string {
    return `http://${this.lab.addressOf(region)}:${OPERATOR_PORT}`
  }

  startOperator(region: Region): void {
    const file = join(this.lab.directory, `operator-${region}.yml`)
    writeFileSync(file, this.#operatorYaml(region), { mode: 0o600 })
    const environment = {
      ...process.env,
      ...this.#options.environment,
      REGION: region,
      OPERATOR_FILE: file,
      LOG_LEVEL: 'info',
    }
    const child = this.lab.spawn(region, [process.execPath, OPERATOR_PROGRAM], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout?.pipe(createWriteStream(this.logFileOf(region), { flags: 'a' }))
    this.#operators.set(region, child)
  }

  logFileOf(region: Region): string {
    const folder = process.env['LAB_LOGS'] ?? join(this.lab.directory, 'logs')
    mkdirSync(folder, { recursive: true })
    return join(folder, `operator-${region}.log`)
  }

  async killOperator(region: Region): Promise<void> {
    await this.#end(region, 'SIGKILL')
  }

  async stopOperators(): Promise<void> {
    await Promise.all([...this.#operators.keys()].map((region) => this.#end(region, 'SIGTERM')))
  }

  async report(region: Region): Promise<DatabaseReport> {
    const response = await fetch(`${this.addressOf(region)}/status`, { signal: AbortSignal.timeout(2_000) })
    const body = (await response.json()) as { parts: { database: DatabaseReport } }
    return body.parts.database
  }

  async command(
    region: Region,
    name: string,
    server: string,
    timeout_seconds = 60,
  ): Promise<{ ok: boolean; line: string }> {
    const response = await fetch(`${this.addressOf(region)}/database/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': KEY },
      body: JSON.stringify({ server, timeout_seconds }),
    })
    return (await response.json()) as { ok: boolean; line: string }
  }

  /** Until an operator sees a primary that all others follow. Returns the primary's name. */
  async whole(options: { readonly primary?: string; readonly timeout_ms?: number } = {}): Promise<string> {
    let last = 'no operator answers'
    const isWhole = async () => {
      const reports = await Promise.all(
        [...this.#operators.keys()].map((region) => this.report(region).catch(() => null)),
      )
      for (const report of reports) {
        if (report === null) continue
        last = `${report.line}; ${report.servers.map((one) => `${one.name} ${one.state}`).join(', ')}`
        const { primary } = report
        if (report.outcome !== 'serving' || (options.primary !== undefined && options.primary !== primary)) continue
        const others = report.servers.filter((one) => one.name !== primary)
        if (
          primary !== null &&
          others.every((one) => one.state === 'replica' && one.source === primary && one.fault === null)
        )
          return primary
      }
      throw new Error(last)
    }
    return await until('everybody follows one primary', isWhole, {
      timeout_ms: options.timeout_ms ?? FORM_MS,
      every_ms: 200,
    })
  }

  async #end(region: Region, signal: NodeJS.Signals): Promise<void> {
    const child = this.#operators.get(region)
    if (child === undefined) return
    this.#operators.delete(region)
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  #writeOperatorFile(): void {
    writeFileSync(join(this.lab.directory, 'operator.key'), `${KEY}\n`, { mode: 0o600 })
    writeFileSync(this.operatorFile, this.#operatorYaml(null), { mode: 0o600 })
  }

  #operatorYaml(region: Region | null): string {
    const host = region === null ? '127.0.0.1' : this.lab.addressOf(region)
    const { operator, replication, authorityFile } = this.access
    const servers = this.descriptions.map(
      (one) =>
        `    - { name: ${one.name}, region: ${one.region}, host: ${one.host}, port: ${one.port}, role: ${one.role} }`,
    )
    return `http: { host: ${host}, port: ${OPERATOR_PORT}, key_file: ${join(this.lab.directory, 'operator.key')} }
operators:
${REGIONS.map((region) => `  ${region}: ${this.addressOf(region)}`).join('\n')}
database:
  account: { user: ${operator.user}, password_file: ${operator.passwordFile} }
  replication_account: { user: ${replication.user}, password_file: ${replication.passwordFile} }
  authority_file: ${authorityFile}
  servers:
${servers.join('\n')}
${this.#options.sections?.(this, region) ?? ''}`
  }
}
