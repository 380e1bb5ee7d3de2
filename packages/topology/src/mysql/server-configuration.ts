// The configuration file of one MySQL server, from what distinguishes it: name, number, role, memory. Promises that every server starts closed
// (super_read_only), starts no replication by itself, and acknowledges only what is on its disk; what opens it is the operator's (ADR 0010).

/** Where the entrypoint (deployment/mysql/entrypoint.sh) has everything, inside the server's container. */
export const MYSQL_LAYOUT = {
  volume: '/var/lib/mysql',
  dataDirectory: '/var/lib/mysql/data',
  runtimeDirectory: '/run/mysqld',
  socket: '/run/mysqld/mysqld.sock',
  /** The only folder that SQL can write a file into; a file `kill` in it is the request to be killed (ADR 0012). */
  requestsDirectory: '/run/mysqld/requests',
  tlsDirectory: '/run/mysqld/tls',
} as const

export type MysqlServer = {
  /** The name under which the other servers reach it: `mysql_master`. */
  readonly name: string
  readonly serverId: number
  /** A voter acknowledges commits; a reader never does. */
  readonly role: 'voter' | 'reader'
  readonly region: string
  readonly port: number
  /** What the server may use altogether. */
  readonly memory_mb: number
  readonly connections_max?: number
  /** Binary logs older than this are removed; they are archived long before. */
  readonly binlogKept_hours?: number
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$/
const MEMORY_MB_MIN = 512
const CONNECTIONS_MAX_DEFAULT = 500
const BINLOG_KEPT_HOURS_DEFAULT = 72

export function renderMysqlConfiguration(server: MysqlServer): string {
  check(server)
  const sections = [
    identity(server),
    durability(),
    replication(server),
    semiSync(server),
    network(server),
    size(server),
  ]
  const header = `# MySQL server ${server.name} (${server.role}, ${server.region}). Rendered; change what it is rendered from.\n[mysqld]\n`
  return `${header}${sections.map(section).join('\n')}`
}

type Section = { readonly about: string; readonly settings: Readonly<Record<string, string | number>> }

function section({ about, settings }: Section): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  return `\n# ${about}\n${lines.join('')}`
}

function identity(server: MysqlServer): Section {
  return {
    about: 'Who it is and where it keeps its things',
    settings: {
      server_id: server.serverId,
      report_host: server.name,
      report_port: server.port,
      user: 'mysql',
      datadir: MYSQL_LAYOUT.dataDirectory,
      socket: MYSQL_LAYOUT.socket,
      pid_file: `${MYSQL_LAYOUT.runtimeDirectory}/mysqld.pid`,
      secure_file_priv: MYSQL_LAYOUT.requestsDirectory,
      character_set_server: 'utf8mb4',
      default_time_zone: `'+00:00'`,
      log_error_verbosity: 2,
      // Of keys for an authentication that TLS makes needless.
      log_error_suppression_list: "'MY-010284'",
      event_scheduler: 'OFF',
      local_infile: 'OFF',
    },
  }
}

function durability(): Section {
  return {
    about: 'What is committed is on the disk; what the disk refuses stops the server',
    settings: {
      innodb_flush_log_at_trx_commit: 1,
      sync_binlog: 1,
      innodb_doublewrite: 'ON',
      binlog_error_action: 'ABORT_SERVER',
      // In order, though a commit then waits for the acknowledgement of the group before it too: the promoter compares what servers have executed, and
      // a replica goes on from there; without order that has gaps while commits wait, and a crash makes them last (ADR 0015).
      binlog_order_commits: 'ON',
      log_bin: 'binlog',
      relay_log: 'relay',
      gtid_mode: 'ON',
      enforce_gtid_consistency: 'ON',
      log_replica_updates: 'ON',
      binlog_row_image: 'FULL',
      // A transaction is then two events instead of five. A voter syncs its relay log after each event, which is what an acknowledgement waits for: twice as
      // many commits a second on one disk (ADR 0015); and the bytes between the regions are fewer.
      binlog_transaction_compression: 'ON',
      binlog_transaction_compression_level_zstd: 1,
    },
  }
}

function replication(server: MysqlServer): Section {
  return {
    about: 'Closed until the operator opens it; follows nobody until the operator says whom',
    settings: {
      read_only: 'ON',
      super_read_only: 'ON',
      skip_replica_start: 'ON',
      // It may discard what was acknowledged and is not applied yet.
      relay_log_recovery: 'OFF',
      sync_relay_log: server.role === 'voter' ? 1 : 10_000,
      replica_net_timeout: 4,
      replica_parallel_workers: 4,
      replica_preserve_commit_order: 'ON',
      replica_pending_jobs_size_max: '128M',
      plugin_load_add: '"mysql_clone.so;semisync_source.so;semisync_replica.so"',
      loose_clone_ssl_ca: `${MYSQL_LAYOUT.tlsDirectory}/ca.pem`,
    },
  }
}

/** `loose_`: while a data directory is made, plugins are not loaded. The operator checks the values before it uses a server. */
function semiSync(server: MysqlServer): Section {
  return {
    about: 'An acknowledged commit is on the disk of two voters: a primary waits for ever rather than not at all',
    settings: {
      loose_rpl_semi_sync_source_enabled: 'OFF',
      loose_rpl_semi_sync_source_timeout: 4_294_967_295,
      loose_rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
      loose_rpl_semi_sync_source_wait_for_replica_count: 1,
      loose_rpl_semi_sync_source_wait_no_replica: 'ON',
      loose_rpl_semi_sync_replica_enabled: server.role === 'voter' ? 'ON' : 'OFF',
    },
  }
}

function network(server: MysqlServer): Section {
  return {
    about: 'Network: TLS only, under the private authority',
    settings: {
      port: server.port,
      mysqlx: 'OFF',
      skip_name_resolve: 'ON',
      require_secure_transport: 'ON',
      tls_version: 'TLSv1.3',
      ssl_ca: `${MYSQL_LAYOUT.tlsDirectory}/ca.pem`,
      ssl_cert: `${MYSQL_LAYOUT.tlsDirectory}/server.pem`,
      ssl_key: `${MYSQL_LAYOUT.tlsDirectory}/server.key`,
      auto_generate_certs: 'OFF',
      caching_sha2_password_auto_generate_rsa_keys: 'OFF',
      sha256_password_auto_generate_rsa_keys: 'OFF',
      max_connections: server.connections_max ?? CONNECTIONS_MAX_DEFAULT,
      max_allowed_packet: '64M',
      replica_max_allowed_packet: '64M',
    },
  }
}

/** Half of the memory for InnoDB's pages: the rest is connections, binary log caches, appliers, and the file cache that a clone reads through. */
function size(server: MysqlServer): Section {
  const pool_mb = Math.floor(server.memory_mb / 2)
  const isSmall = server.memory_mb < 2_048
  return {
    about: 'Size',
    settings: {
      innodb_buffer_pool_size: `${pool_mb}M`,
      // Containers may not ask for it, and say so at every start.
      innodb_numa_interleave: 'OFF',
      innodb_redo_log_capacity: isSmall ? '128M' : '2G',
      max_binlog_size: isSmall ? '128M' : '512M',
      binlog_expire_logs_seconds: (server.binlogKept_hours ?? BINLOG_KEPT_HOURS_DEFAULT) * 3_600,
      table_open_cache: isSmall ? 400 : 4_000,
      ...(isSmall ? { performance_schema_max_table_instances: 400, performance_schema_max_thread_instances: 600 } : {}),
    },
  }
}

function check({ name, region, serverId, port, memory_mb, connections_max }: MysqlServer): void {
  const faults = [
    NAME.test(name) ? null : `name "${name}" must be a host name of at most 60 characters`,
    /^[a-z][a-z0-9-]{1,31}$/.test(region) ? null : `region "${region}" must be a region's name such as us-east`,
    isWhole(serverId, 1, 4_294_967_295) ? null : 'serverId must be a whole number from 1 to 4294967295',
    isWhole(port, 1, 65_535) ? null : 'port must be a whole number from 1 to 65535',
    isWhole(memory_mb, MEMORY_MB_MIN, 4_194_304) ? null : `memory_mb must be a whole number from ${MEMORY_MB_MIN}`,
    isWhole(connections_max ?? 1, 1, 100_000) ? null : 'connections_max must be a whole number from 1 to 100000',
  ].filter((fault) => fault !== null)
  if (faults.length > 0) throw new Error(`MySQL server ${name}: ${faults.join('; ')}`)
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}
