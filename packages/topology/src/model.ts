// What is deployed where, as `topology.yml` says it: checked, and whole. Every file of a deployment is a function of this.

export const CONTINENTS = [
  'africa',
  'antarctica',
  'asia',
  'europe',
  'north-america',
  'oceania',
  'south-america',
] as const

export type Continent = (typeof CONTINENTS)[number]

/** What one container may use at most. */
export type Resources = { readonly cpus: number; readonly memory_mb: number }

export type Region = {
  readonly name: string
  /** For people. */
  readonly label: string
  readonly continents: readonly Continent[]
  /** Every other region, nearest first. */
  readonly next: readonly string[]
  /** Networks whose clients belong here whatever their continent. */
  readonly networks: readonly string[]
  readonly app: Resources & { readonly replicas: number }
}

export const IMAGES = {
  app: 'wintrades/app',
  operator: 'wintrades/operator',
  mysql: 'mysql:9.7',
  redis: 'redis:8',
  haproxy: 'haproxy:3.2',
  varnish: 'varnish:7.7',
  prometheus: 'prom/prometheus:v3.5.0',
} as const

export type ImageName = keyof typeof IMAGES

export type DatabaseServer = { readonly name: string; readonly region: string; readonly role: 'voter' | 'reader' }

export type Database = Resources & {
  readonly connections_max: number
  readonly binlogKept_hours: number
  readonly servers: readonly DatabaseServer[]
  readonly followTheSun: readonly { readonly at: string; readonly region: string }[]
}

export type Backups = {
  readonly region: string
  readonly at: string
  readonly keepDaily: number
  readonly keepWeekly: number
  readonly verifyEvery_hours: number
  readonly memory_mb: number
}

export type Topology = {
  readonly stack: string
  readonly tradingMode: 'paper' | 'live'
  /** The main one first. */
  readonly domains: readonly string[]
  readonly regions: readonly Region[]
  readonly defaultRegion: string
  readonly images: Readonly<Record<ImageName, string>>
  readonly ports: { readonly http: number; readonly https: number }
  readonly operations: {
    readonly address: string
    readonly statsPort: number
    readonly operatorPort: number
    readonly prometheusPort: number
  }
  readonly network: {
    readonly globalSubnet: string
    readonly dataSubnet: string
    readonly operationsSubnet: string
    readonly encrypted: boolean
  }
  readonly balancer: Resources & {
    readonly connections_max: number
    readonly requestsPerSecondPerAddress: number
    readonly requestsPerSecondPerKey: number
    readonly connectionsPerAddress: number
  }
  readonly database: Database
  readonly cache: Resources & { readonly nodes: number; readonly replicasPerMaster: number }
  readonly content: Resources & { readonly replicas: number }
  readonly operator: Resources
  /** null: none are made. */
  readonly backups: Backups | null
  readonly monitoring: (Resources & { readonly region: string; readonly retention_days: number }) | null
  readonly logging: { readonly file_mb: number; readonly files: number }
  readonly update: {
    readonly delay_seconds: number
    readonly monitor_seconds: number
    readonly appStop_seconds: number
    readonly databaseStop_seconds: number
  }
}

/** Ports inside the stack's networks. */
export const INNER_PORTS = {
  http: 8000,
  link: 8100,
  operator: 8300,
  clientsHttp: 8880,
  clientsHttps: 8443,
  stats: 8080,
  content: 8081,
  contentOperations: 8082,
  balancerMetrics: 8405,
  prometheus: 9090,
  mysql: 3306,
  redis: 6379,
} as const

export const REPLICAS_MAX = 32

/** `us-east` → `us_east`, as services are named. */
export function suffixOf(region: string): string {
  return region.replaceAll('-', '_')
}

export function appServiceOf(region: string): string {
  return `app_${suffixOf(region)}`
}

export function operatorServiceOf(region: string): string {
  return `operator_${suffixOf(region)}`
}

/** Labels of nodes: what may run on them. */
export const NODE_LABELS = {
  edge: 'wintrades.edge',
  region: (region: string) => `wintrades.region.${region}`,
  /** On one node only: the one that has the server's volume. */
  server: (server: string) => `wintrades.server.${server}`,
  backups: 'wintrades.backups',
  monitoring: 'wintrades.monitoring',
} as const
