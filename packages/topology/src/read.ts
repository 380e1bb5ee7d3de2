// `topology.yml`, parsed → the model, or every fault with its path and what to write instead. Keys and values are checked here; what must agree
// between them in `agreement.ts`.

import { findDisagreements } from './agreement.ts'
import { type ContentFault, Fields } from './fields.ts'
import {
  CONTINENTS,
  type Database,
  IMAGES,
  type ImageName,
  REPLICAS_MAX,
  type Region,
  type Resources,
  type Topology,
} from './model.ts'

export type TopologyResult =
  | { readonly ok: true; readonly topology: Topology }
  | { readonly ok: false; readonly faults: readonly ContentFault[] }

/** A shard of markets.yml. */
export type ShardRegions = { readonly name: string; readonly regions: readonly string[] }

const REGIONS_MAX = 16
const SERVERS_MAX = 32
const DOMAINS_MAX = 32
const NETWORKS_MAX = 256
const SUN_TIMES_MAX = 24
const MEMORY_MB_MAX = 4_194_304
// Docker's names of configs have at most 64 characters, of which these are parts.
const STACK = /^[a-z][a-z0-9-]{1,15}$/
const NAME = /^[a-z][a-z0-9-]{1,23}$/
const SERVER = /^[a-z][a-z0-9_]{1,28}$/
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/
const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/
const IMAGE = /^[a-z0-9]([a-z0-9._/:-]{0,200}[A-Za-z0-9._-])?(@sha256:[0-9a-f]{64})?$/
const NETWORK = /^[0-9A-Fa-f:.]{2,45}\/\d{1,3}$/
const CONTINENT = new RegExp(`^(${CONTINENTS.join('|')})$`)

/** `shards`: of markets.yml; the regions that they name must be the topology's. */
export function readTopology(raw: unknown, shards: readonly ShardRegions[]): TopologyResult {
  const faults: ContentFault[] = []
  const fields = new Fields(raw, '', faults, 'topology.example.yml')
  const regions = fields.list('regions', REGIONS_MAX, readRegion)
  const topology: Topology = {
    stack: fields.text(
      'stack',
      STACK,
      'a name of at most 16 characters such as wintradesgo (a-z, 0-9, -)',
      'wintradesgo',
    ),
    tradingMode: fields.oneOf('trading_mode', ['paper', 'live'], 'paper'),
    domains: fields.texts('domains', DOMAINS_MAX, DOMAIN, 'a host name such as trade.example.com'),
    regions,
    defaultRegion: fields.text('default_region', NAME, 'a region such as us-east', regions[0]?.name ?? ''),
    images: readImages(fields.innerOrNone('images')),
    ports: readPorts(fields.innerOrNone('ports')),
    operations: readOperations(fields.innerOrNone('operations')),
    network: readNetwork(fields.innerOrNone('network')),
    balancer: readBalancer(fields.innerOrNone('balancer')),
    database: readDatabase(fields.inner('database')),
    cache: readCache(fields.innerOrNone('cache')),
    content: readContent(fields.innerOrNone('content')),
    operator: readOperator(fields.innerOrNone('operator')),
    backups: fields.has('backups') ? readBackups(fields.inner('backups')) : null,
    monitoring: fields.has('monitoring') ? readMonitoring(fields.inner('monitoring')) : null,
    logging: readLogging(fields.innerOrNone('logging')),
    update: readUpdate(fields.innerOrNone('update')),
  }
  for (const key of ['backups', 'monitoring']) fields.optional(key)
  fields.end()
  // What does not stand on its own cannot be compared.
  if (faults.length === 0) faults.push(...findDisagreements(topology, shards))
  return faults.length > 0 ? { ok: false, faults } : { ok: true, topology }
}

function readRegion(fields: Fields): Region {
  const app = fields.inner('app')
  const region: Region = {
    name: fields.text('name', NAME, 'a name such as us-east'),
    label: fields.text('label', /^[\p{L}\p{N}][\p{L}\p{N} ,.()-]{0,63}$/u, 'a name for people such as US East'),
    continents: fields.texts(
      'continents',
      CONTINENTS.length,
      CONTINENT,
      `one of ${CONTINENTS.join(', ')}`,
    ) as Region['continents'],
    next: fields.texts('next', REGIONS_MAX, NAME, 'a region such as eu-west'),
    networks: fields.texts('networks', NETWORKS_MAX, NETWORK, 'a network such as 192.0.2.0/24'),
    app: {
      replicas: app.integer('replicas', 0, REPLICAS_MAX, 3),
      ...readResources(app, { cpus: 2, memory_mb: 1_024 }, 256),
    },
  }
  app.end()
  return region
}

function readResources(fields: Fields, fallback: Resources, memory_mb_min: number): Resources {
  return {
    cpus: fields.decimal('cpus', 0.1, 512, fallback.cpus),
    memory_mb: fields.integer('memory_mb', memory_mb_min, MEMORY_MB_MAX, fallback.memory_mb),
  }
}

function readImages(fields: Fields): Topology['images'] {
  const names = Object.keys(IMAGES) as ImageName[]
  const meaning = 'an image such as mysql:9.7 or registry.example.com/mysql:9.7'
  const images = names.map((name) => [name, fields.text(name, IMAGE, meaning, IMAGES[name])])
  fields.end()
  return Object.fromEntries(images) as Topology['images']
}

function readPorts(fields: Fields): Topology['ports'] {
  const ports = { http: fields.integer('http', 1, 65_535, 80), https: fields.integer('https', 1, 65_535, 443) }
  fields.end()
  return ports
}

function readOperations(fields: Fields): Topology['operations'] {
  const operations = {
    address: fields.text('address', /^[0-9A-Fa-f:.]{2,45}$/, 'an address of the nodes such as 127.0.0.1', '127.0.0.1'),
    statsPort: fields.integer('stats_port', 1_024, 65_535, 8_080),
    operatorPort: fields.integer('operator_port', 1_024, 65_535, 8_300),
    prometheusPort: fields.integer('prometheus_port', 1_024, 65_535, 9_090),
  }
  fields.end()
  return operations
}

function readNetwork(fields: Fields): Topology['network'] {
  const meaning = 'a network such as 10.80.0.0/20'
  const network = {
    globalSubnet: fields.text('global_subnet', NETWORK, meaning, '10.80.0.0/20'),
    dataSubnet: fields.text('data_subnet', NETWORK, meaning, '10.80.16.0/20'),
    operationsSubnet: fields.text('operations_subnet', NETWORK, meaning, '10.80.32.0/20'),
    encrypted: fields.flag('encrypted', true),
  }
  fields.end()
  return network
}

function readBalancer(fields: Fields): Topology['balancer'] {
  const balancer = {
    ...readResources(fields, { cpus: 2, memory_mb: 1_024 }, 128),
    connections_max: fields.integer('connections_max', 100, 1_000_000, 10_000),
    requestsPerSecondPerAddress: fields.integer('requests_per_second_per_address', 1, 1_000_000, 1_000),
    requestsPerSecondPerKey: fields.integer('requests_per_second_per_key', 1, 1_000_000, 5_000),
    connectionsPerAddress: fields.integer('connections_per_address', 1, 1_000_000, 1_000),
  }
  fields.end()
  return balancer
}

function readDatabase(fields: Fields): Database {
  const database: Database = {
    ...readResources(fields, { cpus: 2, memory_mb: 2_048 }, 512),
    connections_max: fields.integer('connections_max', 50, 100_000, 500),
    binlogKept_hours: fields.integer('binlog_kept_hours', 1, 8_760, 72),
    servers: fields.list('servers', SERVERS_MAX, (item) => ({
      name: item.text('name', SERVER, 'a name such as mysql_master (a-z, 0-9, _)'),
      region: item.text('region', NAME, 'a region such as us-east'),
      role: item.oneOf('role', ['voter', 'reader']),
    })),
    followTheSun: fields.list('follow_the_sun', SUN_TIMES_MAX, (item) => ({
      at: item.text('at', TIME, 'a time in UTC such as "08:00", in quotes'),
      region: item.text('region', NAME, 'a region such as us-east'),
    })),
  }
  fields.end()
  return database
}

function readCache(fields: Fields): Topology['cache'] {
  const cache = {
    nodes: fields.integer('nodes', 3, 64, 6),
    replicasPerMaster: fields.integer('replicas_per_master', 0, 5, 1),
    ...readResources(fields, { cpus: 1, memory_mb: 256 }, 16),
  }
  fields.end()
  return cache
}

function readContent(fields: Fields): Topology['content'] {
  const content = {
    replicas: fields.integer('replicas', 1, REPLICAS_MAX, 2),
    ...readResources(fields, { cpus: 1, memory_mb: 256 }, 64),
  }
  fields.end()
  return content
}

function readOperator(fields: Fields): Resources {
  const operator = readResources(fields, { cpus: 1, memory_mb: 512 }, 128)
  fields.end()
  return operator
}

function readBackups(fields: Fields): Topology['backups'] {
  const backups = {
    region: fields.text('region', NAME, 'a region such as eu-west'),
    at: fields.text('at', TIME, 'a time in UTC such as "03:15", in quotes', '03:15'),
    keepDaily: fields.integer('keep_daily', 1, 3_650, 7),
    keepWeekly: fields.integer('keep_weekly', 0, 520, 5),
    verifyEvery_hours: fields.integer('verify_every_hours', 1, 8_760, 24),
    memory_mb: fields.integer('memory_mb', 1_024, MEMORY_MB_MAX, 2_048),
  }
  fields.end()
  return backups
}

function readMonitoring(fields: Fields): Topology['monitoring'] {
  const monitoring = {
    region: fields.text('region', NAME, 'a region such as us-east'),
    ...readResources(fields, { cpus: 1, memory_mb: 1_024 }, 256),
    retention_days: fields.integer('retention_days', 1, 3_650, 15),
  }
  fields.end()
  return monitoring
}

function readLogging(fields: Fields): Topology['logging'] {
  const logging = { file_mb: fields.integer('file_mb', 1, 1_024, 16), files: fields.integer('files', 1, 100, 4) }
  fields.end()
  return logging
}

function readUpdate(fields: Fields): Topology['update'] {
  const update = {
    delay_seconds: fields.integer('delay_seconds', 0, 3_600, 5),
    monitor_seconds: fields.integer('monitor_seconds', 5, 3_600, 15),
    appStop_seconds: fields.integer('app_stop_seconds', 15, 600, 30),
    databaseStop_seconds: fields.integer('database_stop_seconds', 10, 3_600, 120),
  }
  fields.end()
  return update
}
