// A MySQL server of the lab: the configuration, entrypoint, accounts and certificates of a deployment, and one account more, for tests that may do
// everything. Boots closed (`super_read_only`); it is nobody's source and nobody's replica until somebody makes it so.

import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderMysqlConfiguration } from '@wintrades/topology'
import type { Connection } from 'mysql2/promise'
import { createConnection } from 'mysql2/promise'
import { emptyFolder, LabContainer } from './container.ts'
import { LabCredentials } from './credentials.ts'
import type { LabDisk } from './disk.ts'
import type { Lab } from './lab.ts'
import { until } from './until.ts'

export type LabMysqlOptions = {
  readonly name: string
  readonly region: string
  readonly serverId: number
  /** A voter acknowledges what the primary commits (`rpl_semi_sync_replica_enabled`). */
  readonly role: 'voter' | 'reader'
  /** 3306 if not given; servers of one region need different ones. */
  readonly port?: number
  /** Further lines of the configuration. */
  readonly settings?: readonly string[]
  /** Its volume is a disk of its own of this size, which can be full. */
  readonly disk_mb?: number
}

type Place = { readonly lab: Lab; readonly image: string; readonly address: string; readonly network: string }

/** May do everything, from everywhere. */
const ADMIN = 'lab_admin'
const MEMORY_MB = 512
/** On a machine that makes four servers at once and has much else to do. */
const START_TIMEOUT_MS = 240_000

/** A file of a MySQL server's deployment. */
function deployed(name: string): string {
  return fileURLToPath(new URL(`../../../deployment/mysql/${name}`, import.meta.url))
}

export async function startLabMysql(place: Place, options: LabMysqlOptions): Promise<LabMysql> {
  const server = new LabMysql(place, options)
  await server.create()
  return server
}

export class LabMysql {
  readonly name: string
  readonly region: string
  readonly role: 'voter' | 'reader'
  readonly host: string
  readonly port: number
  readonly credentials: LabCredentials
  readonly #place: Place
  readonly #options: LabMysqlOptions
  #container: LabContainer | null = null
  #disk: LabDisk | null = null

  constructor(place: Place, options: LabMysqlOptions) {
    this.#place = place
    this.#options = options
    this.name = options.name
    this.region = options.region
    this.role = options.role
    this.host = place.address
    this.port = options.port ?? 3306
    this.credentials = new LabCredentials(place.lab.directory)
  }

  /** Its folders, container and first start. */
  async create(): Promise<void> {
    const { lab, image, network } = this.#place
    const files = emptyFolder(lab.directory, this.name, 'files')
    writeFileSync(join(files, 'mysql.cnf'), this.#configuration(), { mode: 0o644 })
    writeFileSync(join(files, 'initialise.sql'), this.#initialiseSql(), { mode: 0o644 })
    copyFileSync(deployed('entrypoint.sh'), join(files, 'entrypoint.sh'))
    const tls = await this.credentials.certify(this.name, [this.host, '127.0.0.1', 'localhost'])
    this.#emptyData()
    const { disk_mb } = this.#options
    if (disk_mb !== undefined) {
      this.#disk = await lab.mountDisk(this.volume, disk_mb)
      chmodSync(this.volume, 0o777)
    }
    this.#container = await LabContainer.start({
      labNumber: lab.number,
      name: this.name,
      image,
      network,
      volumes: {
        [files]: '/etc/wintrades:ro',
        [this.credentials.secrets]: '/run/secrets:ro',
        [tls]: '/run/tls:ro',
        [this.volume]: '/var/lib/mysql',
      },
      environment: { MYSQL_TLS: '/run/tls' },
      command: ['/etc/wintrades/entrypoint.sh'],
    })
    await this.ready()
  }

  /** Of the account for tests that may do everything. */
  get adminPassword(): string {
    return this.credentials.adminPassword
  }

  /** What it runs from; another server of the same version can too. */
  get image(): string {
    return this.#place.image
  }

  get container(): LabContainer {
    if (this.#container === null) throw new Error(`${this.name} was not started`)
    return this.#container
  }

  /** Of a server that was started with `disk_mb`. */
  get disk(): LabDisk {
    if (this.#disk === null) throw new Error(`${this.name} has no disk of its own`)
    return this.#disk
  }

  /** On this host: what the container has as /var/lib/mysql. */
  get volume(): string {
    return join(this.#place.lab.directory, this.name, 'data')
  }

  /** Resolves when it answers. */
  async ready(): Promise<void> {
    const answers = async () => {
      if (!(await this.container.isRunning())) throw new Error(`${this.name} ended: ${await this.container.log(15)}`)
      const connection = await this.connect()
      await connection.end()
      return true
    }
    await until(`${this.name} answers`, answers, { timeout_ms: START_TIMEOUT_MS, every_ms: 200 })
  }

  /** As an administrator who may do everything. The caller ends it. */
  async connect(): Promise<Connection> {
    const { host, port, adminPassword: password } = this
    return await createConnection({
      host,
      port,
      user: ADMIN,
      password,
      connectTimeout: 5_000,
      multipleStatements: false,
    })
  }

  /** One statement, as an administrator. */
  async query<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    const connection = await this.connect()
    try {
      const [rows] = await connection.query(sql, [...parameters])
      return (Array.isArray(rows) ? rows : []) as Row[]
    } finally {
      await connection.end()
    }
  }

  /** As a power cut would; what was not synced is lost with the container's processes only, not with the disk. */
  kill(): Promise<void> {
    return this.container.kill()
  }

  stop(): Promise<void> {
    return this.container.stop()
  }

  async start(): Promise<void> {
    await this.container.start()
    await this.ready()
  }

  pause(): Promise<void> {
    return this.container.pause()
  }

  unpause(): Promise<void> {
    return this.container.unpause()
  }

  /** Ends it and takes its disk away; starts it empty. */
  async wipe(): Promise<void> {
    if (await this.container.isRunning()) await this.kill()
    this.#emptyData()
    await this.start()
  }

  #emptyData(): void {
    if (this.#disk !== null) {
      for (const name of readdirSync(this.volume)) rmSync(join(this.volume, name), { recursive: true, force: true })
      return
    }
    emptyFolder(this.volume)
    chmodSync(this.volume, 0o777)
  }

  #configuration(): string {
    const { serverId, settings = [], role, name, region } = this.#options
    const rendered = renderMysqlConfiguration({ name, serverId, role, region, port: this.port, memory_mb: MEMORY_MB })
    // Tests may ask without TLS, as `lab_admin`; every other account requires it all the same.
    const withoutTls = ['require_secure_transport = OFF', 'caching_sha2_password_auto_generate_rsa_keys = ON']
    return `${[rendered, ...withoutTls, ...settings].join('\n')}\n`
  }

  #initialiseSql(): string {
    return `${readFileSync(deployed('initialise.sql'), 'utf8')}
CREATE USER ${ADMIN}@'%' IDENTIFIED BY '@mysql_lab_admin@';
GRANT ALL PRIVILEGES ON *.* TO ${ADMIN}@'%' WITH GRANT OPTION;
`
  }
}
