// A MySQL server of the lab. Boots closed (`super_read_only`), with the accounts of a region's server and one more for tests that may do
// everything; it is nobody's source and nobody's replica until somebody makes it so.

import { randomBytes } from 'node:crypto'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import { createConnection } from 'mysql2/promise'
import { emptyFolder, LabContainer } from './container.ts'
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
}

type Place = { readonly lab: Lab; readonly image: string; readonly address: string; readonly network: string }

/** May do everything, from everywhere. */
const ADMIN = 'lab_admin'
const MYSQL_USER = 999
const START_TIMEOUT_MS = 90_000

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
  readonly adminPassword = randomBytes(18).toString('base64url')
  readonly #place: Place
  readonly #options: LabMysqlOptions
  #container: LabContainer | null = null

  constructor(place: Place, options: LabMysqlOptions) {
    this.#place = place
    this.#options = options
    this.name = options.name
    this.region = options.region
    this.role = options.role
    this.host = place.address
    this.port = options.port ?? 3306
  }

  /** Its folders, container and first start. */
  async create(): Promise<void> {
    const { lab, image, network } = this.#place
    const files = emptyFolder(lab.directory, this.name, 'files')
    writeFileSync(join(files, 'my.cnf'), this.#configuration(), { mode: 0o644 })
    writeFileSync(join(files, 'init.sql'), this.#accounts(), { mode: 0o644 })
    writeFileSync(join(files, 'entrypoint.sh'), ENTRYPOINT, { mode: 0o755 })
    this.#emptyData()
    this.#container = await LabContainer.start({
      labNumber: lab.number,
      name: this.name,
      image,
      network,
      volumes: { [files]: '/etc/wintrades:ro', [this.#data]: '/var/lib/mysql' },
      command: ['/etc/wintrades/entrypoint.sh'],
    })
    await this.ready()
  }

  get container(): LabContainer {
    if (this.#container === null) throw new Error(`${this.name} was not started`)
    return this.#container
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

  get #data(): string {
    return join(this.#place.lab.directory, this.name, 'data')
  }

  #emptyData(): void {
    rmSync(this.#data, { recursive: true, force: true })
    emptyFolder(this.#data)
    chmodSync(this.#data, 0o777)
  }

  #configuration(): string {
    const { serverId, settings = [], role } = this.#options
    const voter = role === 'voter'
    return `${[
      '[mysqld]',
      'user=mysql',
      'datadir=/var/lib/mysql',
      'socket=/run/mysqld/mysqld.sock',
      'pid-file=/run/mysqld/mysqld.pid',
      'secure_file_priv=NULL',
      'mysqlx=OFF',
      'skip-name-resolve',
      `port=${this.port}`,
      `server_id=${serverId}`,
      `report_host=${this.host}`,
      `report_port=${this.port}`,
      'gtid_mode=ON',
      'enforce_gtid_consistency=ON',
      'log_bin=binlog',
      'log_replica_updates=ON',
      'max_allowed_packet=64M',
      'max_connections=400',
      'innodb_buffer_pool_size=256M',
      'innodb_numa_interleave=OFF',
      'sync_binlog=1',
      'innodb_flush_log_at_trx_commit=1',
      'replica_parallel_workers=4',
      'replica_preserve_commit_order=ON',
      'super_read_only=ON',
      'plugin_load_add=mysql_clone.so',
      'plugin_load_add=semisync_source.so',
      'plugin_load_add=semisync_replica.so',
      'rpl_semi_sync_source_timeout=4294967295',
      'rpl_semi_sync_source_wait_no_replica=ON',
      `rpl_semi_sync_replica_enabled=${voter ? 'ON' : 'OFF'}`,
      'sync_relay_log=1',
      'skip_replica_start=ON',
      'relay_log_recovery=OFF',
      'replica_net_timeout=4',
      ...settings,
    ].join('\n')}\n`
  }

  #accounts(): string {
    return `SET sql_log_bin=0;
CREATE USER ${ADMIN}@'%' IDENTIFIED BY '${this.adminPassword}';
GRANT ALL PRIVILEGES ON *.* TO ${ADMIN}@'%' WITH GRANT OPTION;
`
  }
}

const ENTRYPOINT = `#!/bin/sh
set -eu
chown -R ${MYSQL_USER}:${MYSQL_USER} /var/lib/mysql
rm -f /run/mysqld/*.lock
if [ ! -d /var/lib/mysql/mysql ]; then
  # --no-defaults: an empty server cannot be initialised read-only.
  mysqld --no-defaults --user=mysql --datadir=/var/lib/mysql --initialize-insecure --init-file=/etc/wintrades/init.sql
fi
exec mysqld --defaults-file=/etc/wintrades/my.cnf
`
