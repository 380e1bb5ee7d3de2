// The app processes of a region, and the region's operator.

import {
  appServiceOf,
  type Backups,
  INNER_PORTS,
  NODE_LABELS,
  operatorServiceOf,
  type Region,
  type Topology,
} from '../model.ts'
import type { Yaml } from '../yaml.ts'
import { CONFIGS } from './configs.ts'
import {
  deployOf,
  healthOf,
  httpTest,
  loggingOf,
  type Members,
  mountConfig,
  mountMemory,
  mountSecret,
  mountVolume,
  USERS,
} from './parts.ts'
import { REDIS_CERTIFICATE_NAME, SECRETS } from './secrets.ts'

/** Where the programs of the images expect what they are given. */
const CONFIGURATION = '/etc/wintrades'
const RUN_SECRETS = '/run/secrets'
const DATA = '/var/lib/wintrades'
export const BACKUPS_DIRECTORY = '/var/lib/wintrades-backups'
/** A stop that is cut off is worse than one that waits: the process is given up this much before its container. */
const STOP_MARGIN_SECONDS = 5
/** What balancers and caches need to see that a process takes nothing new: three of their looks. */
const DRAIN_MS = 3_000

/** The order book is a third faster where more of it may be inlined. */
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-inlined-bytecode-size=1000',
  '--max-inlined-bytecode-size-cumulative=3000',
] as const

export function appServices(topology: Topology): Record<string, Yaml> {
  return Object.fromEntries(topology.regions.map((region) => [appServiceOf(region.name), app(topology, region)]))
}

export function operatorServices(topology: Topology): Record<string, Yaml> {
  return Object.fromEntries(topology.regions.map(({ name }) => [operatorServiceOf(name), operator(topology, name)]))
}

function app(topology: Topology, region: Region): Yaml {
  const service = appServiceOf(region.name)
  const { appStop_seconds } = topology.update
  const secret = (source: string, target = source) => mountSecret(source, target, USERS.own)
  return {
    image: ownImage(topology.images.app),
    command: ['node', ...NODE_FLAGS, 'services/app/src/main.ts'],
    ...confined(),
    environment: appEnvironment(topology, region),
    configs: [mountConfig(CONFIGS.markets, `${CONFIGURATION}/markets.yml`)],
    secrets: [
      ...[SECRETS.linkKey, SECRETS.jwt, SECRETS.encryption, SECRETS.apiKey].map((name) => secret(name)),
      secret(SECRETS.mysql('app', 'a')),
      secret(SECRETS.redis('app', 'a')),
      secret(SECRETS.authority, 'ca.pem'),
      secret(SECRETS.certificate(service), 'server.pem'),
      secret(SECRETS.certificateKey(service), 'server.key'),
    ],
    volumes: [mountMemory(DATA, 256), mountMemory('/tmp', 64)],
    networks: ['global', 'data'],
    // Alive, not ready: a process that waits for another region is not better for being started again.
    healthcheck: healthOf({
      test: httpTest(INNER_PORTS.http, '/health/live'),
      interval_seconds: 10,
      timeout_seconds: 8,
      retries: 3,
      start_seconds: 120,
    }),
    stop_grace_period: `${appStop_seconds}s`,
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: region.app.replicas,
      resources: region.app,
      labels: [NODE_LABELS.region(region.name)],
      order: 'start-first',
    }),
  }
}

function appEnvironment(topology: Topology, { name }: Region): Members {
  const { regions, database, network, tradingMode, update } = topology
  const file = (secret: string) => `${RUN_SECRETS}/${secret}`
  const reader = readServerOf(topology, name)
  return {
    APP_ENV: 'production',
    // As `wintrades` gives it to its processes.
    GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    TRADING_MODE: tradingMode,
    REGION: name,
    MARKETS_FILE: `${CONFIGURATION}/markets.yml`,
    DATA_DIRECTORY: DATA,
    STOP_TIMEOUT_MS: String((update.appStop_seconds - STOP_MARGIN_SECONDS) * 1_000),
    DRAIN_MS: String(DRAIN_MS),
    HTTP_HOST: '0.0.0.0',
    HTTP_PORT: String(INNER_PORTS.http),
    TRUSTED_PROXIES: network.globalSubnet,
    LINK_HOST: '0.0.0.0',
    LINK_PORT: String(INNER_PORTS.link),
    // Its own region too: the name leads to every process of it.
    LINK_PEERS: regions.map((region) => `${region.name}=${appServiceOf(region.name)}:${INNER_PORTS.link}`).join(','),
    LINK_KEY_FILE: file(SECRETS.linkKey),
    LINK_CERTIFICATE_FILE: file('server.pem'),
    LINK_CERTIFICATE_KEY_FILE: file('server.key'),
    LINK_CA_FILE: file('ca.pem'),
    JWT_SECRET_FILE: file(SECRETS.jwt),
    ENCRYPTION_KEY_FILE: file(SECRETS.encryption),
    API_KEY_FILE: file(SECRETS.apiKey),
    DB_HOST: database.servers.map((server) => server.name).join(','),
    DB_PORT: String(INNER_PORTS.mysql),
    DB_READ_HOST: reader,
    DB_USER: 'wintrades_app_a',
    DB_PASSWORD_FILE: file(SECRETS.mysql('app', 'a')),
    DB_CA_FILE: file('ca.pem'),
    CACHE_DRIVER: 'redis',
    REDIS_HOST: 'redis_cluster',
    REDIS_PORT: String(INNER_PORTS.redis),
    REDIS_USER: 'wintrades_app',
    REDIS_PASSWORD_FILE: file(SECRETS.redis('app', 'a')),
    REDIS_CA_FILE: file('ca.pem'),
    REDIS_CERTIFICATE_NAME,
    // A name that is being looked up holds a thread for seconds while its service is recreated.
    UV_THREADPOOL_SIZE: '64',
  }
}

/** A reader of the region, or what there is in it; undefined: reads go to the primary. */
function readServerOf({ database }: Topology, region: string): string | undefined {
  const here = database.servers.filter((server) => server.region === region)
  return (here.find(({ role }) => role === 'reader') ?? here[0])?.name
}

function operator(topology: Topology, region: string): Yaml {
  const { backups } = topology
  const keepsBackups = backups?.region === region
  const secret = (source: string, target = source) => mountSecret(source, target, USERS.own)
  return {
    image: ownImage(topology.images.operator),
    command: ['node', 'services/operator/src/main.ts'],
    ...confined(),
    environment: {
      APP_ENV: 'production',
      REGION: region,
      OPERATOR_FILE: `${CONFIGURATION}/operator.yml`,
      MARKETS_FILE: `${CONFIGURATION}/markets.yml`,
      DATA_DIRECTORY: DATA,
      ENCRYPTION_KEY_FILE: keepsBackups ? `${RUN_SECRETS}/${SECRETS.encryption}` : undefined,
      UV_THREADPOOL_SIZE: '64',
    },
    configs: [
      mountConfig(CONFIGS.operator(region), `${CONFIGURATION}/operator.yml`),
      mountConfig(CONFIGS.markets, `${CONFIGURATION}/markets.yml`),
    ],
    secrets: [
      secret(SECRETS.operatorKey),
      secret(SECRETS.authority, 'ca.pem'),
      secret(SECRETS.mysql('operator', 'a')),
      secret(SECRETS.mysql('replication', 'a')),
      secret(SECRETS.redis('operator', 'a')),
      secret(SECRETS.balancerOperator),
      ...(keepsBackups ? [secret(SECRETS.mysql('backup', 'a')), secret(SECRETS.encryption)] : []),
    ],
    volumes: [
      mountMemory(DATA, 64),
      mountMemory('/tmp', 64),
      ...(keepsBackups ? [mountVolume('backups', BACKUPS_DIRECTORY)] : []),
    ],
    networks: ['data', 'operations'],
    healthcheck: healthOf({
      test: httpTest(INNER_PORTS.operator, '/health/live'),
      interval_seconds: 10,
      timeout_seconds: 8,
      retries: 3,
      start_seconds: 60,
    }),
    stop_grace_period: '30s',
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: 1,
      resources: {
        cpus: topology.operator.cpus,
        memory_mb: operatorMemory_mb(topology, keepsBackups ? backups : null),
      },
      labels: [NODE_LABELS.region(region), ...(keepsBackups ? [NODE_LABELS.backups] : [])],
      order: 'stop-first',
    }),
  }
}

function operatorMemory_mb({ operator }: Topology, backups: Backups | null): number {
  return Math.max(operator.memory_mb, backups?.memory_mb ?? 0)
}

/** Of this repository: without a tag, the release's. */
function ownImage(image: string): string {
  const hasTag = /[:@][^/]*$/.test(image)
  return hasTag ? image : `${image}:\${WINTRADES_RELEASE:?wintrades deploy sets it}`
}

function confined(): Members {
  return {
    user: `${USERS.own}:${USERS.own}`,
    init: true,
    read_only: true,
    cap_drop: ['ALL'],
  }
}
