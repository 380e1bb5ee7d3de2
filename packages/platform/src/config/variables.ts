// Every environment variable of WinTrades, once: its kind, default, meaning and whether it is a secret. The types, the checks,
// the start-up list and docs/configuration.md all come from this table.

import { LOG_LEVELS } from '../logger.ts'
import type { Kind } from './kinds.ts'
import * as kinds from './kinds.ts'

export type Variable<Value, Default extends string | null> = {
  readonly name: string
  readonly kind: Kind<Value>
  /** As it would be written; null: without a value, the variable is null in the configuration. */
  readonly default: Default
  readonly description: string
  /** Never shown; may come from a file named by `<NAME>_FILE` instead. */
  readonly secret?: true
  /** Set while the part that reads it does not exist: it is checked, and named at start-up as not used yet. */
  readonly notUsedYet?: string
}

export type AnyVariable = Variable<unknown, string | null>

function variable<Value, Default extends string | null>(
  name: string,
  kind: Kind<Value>,
  fallback: Default,
  description: string,
  more: { readonly secret?: true; readonly notUsedYet?: string } = {},
): Variable<Value, Default> {
  return { name, kind, default: fallback, description, ...more }
}

const secret = { secret: true } as const
const signals = { notUsedYet: 'signals and inference' } as const

export const VARIABLES = {
  environment: variable(
    'APP_ENV',
    kinds.oneOf('development', 'test', 'production'),
    'development',
    'Where this runs. In production nothing is generated that a deployment should bring itself: JWT_SECRET, ENCRYPTION_KEY and API_KEY must be given when TRADING_MODE=live.',
  ),
  region: variable(
    'REGION',
    kinds.region(),
    'us-east',
    'The region of this process; one of the regions in markets.yml. `./wintrades up` sets it for each process.',
  ),
  timeZone: variable(
    'TIMEZONE',
    kinds.timeZone(),
    'UTC',
    'The zone in which people read times: log panels and reports. Data and API always use UTC.',
  ),
  tradingMode: variable(
    'TRADING_MODE',
    kinds.oneOf('paper', 'live'),
    'paper',
    'paper: new accounts get demo funds, and users deposit by themselves. live: only the operator deposits and withdraws.',
  ),
  riskLimit_ppm: variable(
    'RISK_LIMIT',
    kinds.share(true),
    null,
    'Default of accounts: the share of equity that the instruments’ stress moves may cost. Without it there is no such limit.',
  ),
  maxPositionSize: variable(
    'MAX_POSITION_SIZE',
    kinds.positiveDecimal(),
    null,
    'Default of accounts: largest absolute position value per instrument, in units of its quote asset. Without it there is no such limit.',
  ),

  httpHost: variable(
    'HTTP_HOST',
    kinds.host(),
    '127.0.0.1',
    'Address that HTTP and WebSocket listen on; 0.0.0.0 for every interface.',
  ),
  httpPort: variable('HTTP_PORT', kinds.port(0), '8000', 'Port of HTTP and WebSocket; 0 takes a free one.'),
  linkHost: variable('LINK_HOST', kinds.host(), '127.0.0.1', 'Address that the links between processes listen on.'),
  linkPort: variable('LINK_PORT', kinds.port(0), '0', 'Port of the links between processes; 0 takes a free one.'),
  linkPeers: variable(
    'LINK_PEERS',
    kinds.peers(),
    null,
    'Where the processes of every region listen for links. A name stands for all its addresses and is looked up again every second; a region may be listed several times. The own region has to be listed too, unless this process is the only one of it. Without it this process runs alone.',
  ),
  linkCertificateFile: variable(
    'LINK_CERTIFICATE_FILE',
    kinds.path(),
    null,
    'Certificate that this process shows on links, PEM; it must bear the host of its entry in LINK_PEERS. With it links are TLS 1.3, and both sides must show one. Files are read again when they change.',
  ),
  linkCertificateKeyFile: variable('LINK_CERTIFICATE_KEY_FILE', kinds.path(), null, 'Key of that certificate, PEM.'),
  linkCaFile: variable(
    'LINK_CA_FILE',
    kinds.path(),
    null,
    'Certificate of the private authority that has signed those of all processes, PEM.',
  ),
  regionAddresses: variable(
    'REGION_ADDRESSES',
    kinds.peers(),
    null,
    'Where the front door finds the processes of the regions, in the order it prefers them.',
  ),
  linkKey: variable(
    'LINK_KEY',
    kinds.key256(),
    null,
    'Key with which processes prove themselves to each other. Generated in DATA_DIRECTORY/secrets if not given.',
    secret,
  ),
  dataDirectory: variable(
    'DATA_DIRECTORY',
    kinds.path(),
    './data',
    'Journal, snapshots, history, accounts, generated secrets and logs.',
  ),
  marketsFile: variable('MARKETS_FILE', kinds.path(), './markets.yml', 'Shards, assets and instruments.'),
  operatorFile: variable(
    'OPERATOR_FILE',
    kinds.path(),
    './operator.yml',
    'What an operator keeps in order; operator.example.yml explains it.',
  ),
  logLevel: variable('LOG_LEVEL', kinds.oneOf(...LOG_LEVELS), 'info', 'Least severe level that is logged.'),
  stopTimeout_ms: variable(
    'STOP_TIMEOUT_MS',
    kinds.integer(100, 600_000),
    '10000',
    'How long an orderly stop may take, milliseconds.',
  ),
  drain_ms: variable(
    'DRAIN_MS',
    kinds.integer(0, 300_000),
    '0',
    'How long a process that is to stop still serves while /health says 404, milliseconds: what balancers need to see it. At most half of STOP_TIMEOUT_MS.',
  ),
  trustedProxies: variable(
    'TRUSTED_PROXIES',
    kinds.text('a list of addresses or networks such as 127.0.0.1,10.0.0.0/8, or none', /^(none|[0-9A-Fa-f:.,/]+)$/),
    '127.0.0.1,::1',
    'Whose X-Forwarded-For header is believed.',
  ),

  jwtSecret: variable(
    'JWT_SECRET',
    kinds.secretText(32),
    null,
    'Signs access tokens. Generated in DATA_DIRECTORY/secrets if not given. All processes must have the same.',
    secret,
  ),
  jwtSecretPrevious: variable(
    'JWT_SECRET_PREVIOUS',
    kinds.secretText(32),
    null,
    'The former JWT_SECRET: still accepted, no longer used to sign; for rotating without logging everybody out.',
    secret,
  ),
  encryptionKey: variable(
    'ENCRYPTION_KEY',
    kinds.key256(),
    null,
    'Encrypts secrets that must be kept readable (API key secrets). Generated in DATA_DIRECTORY/secrets if not given.',
    secret,
  ),
  operatorApiKey: variable(
    'API_KEY',
    kinds.secretText(24),
    null,
    'The operator’s key: deposits and withdrawals in live mode, hand-over, metrics of every account. Generated in DATA_DIRECTORY/secrets if not given.',
    secret,
  ),

  rateLimitRequestsPerSecond: variable(
    'RATE_LIMIT_REQUESTS_PER_SECOND',
    kinds.integer(1, 1_000_000),
    '200',
    'Requests of one account or API key, REST and WebSocket, other than orders.',
  ),
  rateLimitOrdersPerSecond: variable(
    'RATE_LIMIT_ORDERS_PER_SECOND',
    kinds.integer(1, 10_000_000),
    '20000',
    'Orders, cancels and replaces of one account.',
  ),
  rateLimitAddressPerSecond: variable(
    'RATE_LIMIT_ADDRESS_PER_SECOND',
    kinds.integer(1, 1_000_000),
    '1000',
    'Requests of one client address.',
  ),
  rateLimitLoginsPerMinute: variable(
    'RATE_LIMIT_LOGINS_PER_MINUTE',
    kinds.integer(1, 1_000_000),
    '60',
    'Registrations, log-ins and refreshes of one client address.',
  ),
  rateLimitConnectionsPerAddress: variable(
    'RATE_LIMIT_CONNECTIONS_PER_ADDRESS',
    kinds.integer(1, 1_000_000),
    '1000',
    'Open WebSocket connections of one client address.',
  ),

  databaseHosts: variable(
    'DB_HOST',
    kinds.servers(),
    null,
    'All MySQL servers; which of them is the primary is found out. Without it: the embedded databases in DATA_DIRECTORY.',
  ),
  databasePort: variable('DB_PORT', kinds.port(), '3306', 'Port of MySQL servers that are named without one.'),
  databaseName: variable(
    'DB_NAME',
    kinds.text('a schema name (letters, digits, _)', /^\w{1,64}$/),
    'wintrades',
    'Schema.',
  ),
  databaseUser: variable('DB_USER', kinds.text('a user name', /^[\w.-]{1,32}$/), 'wintrades_app', 'User.'),
  databaseUserFile: variable(
    'DB_USER_FILE',
    kinds.path(),
    null,
    'File of the user’s name, instead of DB_USER. Like the password’s it is read again: each account exists twice, so that one can be changed while the other is in use.',
  ),
  databasePassword: variable('DB_PASSWORD', kinds.secretText(1), null, 'Password of that user.', secret),
  databasePasswordFile: variable(
    'DB_PASSWORD_FILE',
    kinds.path(),
    null,
    'File of that password. It is read again for each new connection, so the password may be changed while the process runs.',
  ),
  databaseReadHost: variable(
    'DB_READ_HOST',
    kinds.oneServer(),
    null,
    'Read replica of this region, as host or host:port; the primary if not given.',
  ),
  databasePoolSize: variable(
    'DB_POOL_SIZE',
    kinds.integer(1, 1_000),
    '10',
    'Connections of one pool to one server. The journal has its own, 16 for each shard that is led here.',
  ),
  databaseTls: variable(
    'DB_TLS',
    kinds.oneOf('on', 'off'),
    'on',
    'Encrypt connections to MySQL and check its certificate.',
  ),
  databaseCaFile: variable(
    'DB_CA_FILE',
    kinds.path(),
    null,
    'Certificate of the CA that has signed those of the MySQL servers, PEM. Needed with DB_TLS=on.',
  ),

  cacheDriver: variable(
    'CACHE_DRIVER',
    kinds.oneOf('memory', 'redis'),
    'memory',
    'Where what processes share of sessions, rate counters and cached queries lives. redis needs REDIS_HOST. See docs/cache.md.',
  ),
  redisHost: variable(
    'REDIS_HOST',
    kinds.servers(),
    null,
    'Nodes of the Redis Cluster; the others are learned from them, so two of each region are enough.',
  ),
  redisPort: variable('REDIS_PORT', kinds.port(), '6379', 'Port of the nodes that are named without one.'),
  redisUser: variable(
    'REDIS_USER',
    kinds.text('a user name', /^[\w.-]{1,64}$/),
    null,
    'User of Redis; without one, the password is the default user’s.',
  ),
  redisPassword: variable('REDIS_PASSWORD', kinds.secretText(1), null, 'Password of that user.', secret),
  redisTls: variable('REDIS_TLS', kinds.oneOf('on', 'off'), 'on', 'Encrypt connections to Redis.'),
  redisCaFile: variable(
    'REDIS_CA_FILE',
    kinds.path(),
    null,
    'Certificates (PEM) of the authority that signed those of the Redis nodes; without it, the well-known ones.',
  ),
  redisCertificateName: variable(
    'REDIS_CERTIFICATE_NAME',
    kinds.host(),
    null,
    'The name in the certificates of all Redis nodes; without it, each must name the host or address that its node is reached at.',
  ),
  redisPrefix: variable(
    'REDIS_PREFIX',
    kinds.text('up to 32 letters, digits, _ : -', /^[\w:-]{0,32}$/),
    'wintrades:',
    'Starts every key.',
  ),

  modelPath: variable('ML_MODEL_PATH', kinds.path(), null, 'The trained model.', signals),
  modelConfidence_ppm: variable(
    'ML_CONFIDENCE_THRESHOLD',
    kinds.share(false),
    '0.7',
    'Suggestions below this confidence are dropped.',
    signals,
  ),
} as const

type ValueOf<Entry> =
  Entry extends Variable<infer Value, infer Default> ? (Default extends string ? Value : Value | null) : never

/** The configuration of a process: every variable checked and typed. */
export type Config = { readonly [Key in keyof typeof VARIABLES]: ValueOf<(typeof VARIABLES)[Key]> }
