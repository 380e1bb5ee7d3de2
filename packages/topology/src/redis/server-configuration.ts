// The configuration of a Redis Cluster node, as text. Passwords and users are not in it: the container's entrypoint makes the file of users
// from secret files. Forming, healing and scaling the cluster is the operator's.

export type RedisServer = {
  readonly port: number
  /** For keys; buffers and copies while saving come on top. */
  readonly memory_mb: number
  /** Clients, replication and the cluster's own links are encrypted; certificates lie in `REDIS_LAYOUT.tls`. */
  readonly tls: boolean
  /** Where clients and other nodes reach this node, if it is not where its connections come from. */
  readonly announceHost?: string
}

/** Folders and files inside the container. */
export const REDIS_LAYOUT = {
  data: '/var/lib/redis',
  /** Memory: the file of users, and copies of the certificates. */
  runtime: '/run/redis',
  users: '/run/redis/users.acl',
  /** Included: the password with which a replica follows its master. */
  secrets: '/run/redis/secrets.conf',
  tls: '/run/redis/tls',
} as const

export const REDIS_NODE_TIMEOUT_MS = 2_000

export function renderRedisConfiguration({ port, memory_mb, tls, announceHost }: RedisServer): string {
  const { data, users, secrets, tls: certificates } = REDIS_LAYOUT
  const lines = [
    ...(tls ? ['port 0', `tls-port ${port}`] : [`port ${port}`]),
    'bind * -::*',
    // Who may connect is the file of users' to say: there is no user without a password.
    'protected-mode no',
    `aclfile ${users}`,
    `include ${secrets}`,
    `dir ${data}`,
    '',
    'cluster-enabled yes',
    'cluster-config-file nodes.conf',
    `cluster-node-timeout ${REDIS_NODE_TIMEOUT_MS}`,
    // Slots that are served go on being served while others are not.
    'cluster-require-full-coverage no',
    // Roles are the operator's to give.
    'cluster-allow-replica-migration no',
    // Old data is better than none: what must be right is not kept here.
    'cluster-replica-validity-factor 0',
    ...(announceHost === undefined
      ? []
      : [`cluster-announce-hostname ${announceHost}`, 'cluster-preferred-endpoint-type hostname']),
    '',
    // A node that starts empty would have its replicas empty themselves too.
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    `maxmemory ${memory_mb}mb`,
    // Every key can be done without.
    'maxmemory-policy allkeys-lru',
    'lazyfree-lazy-eviction yes',
    'lazyfree-lazy-user-flush yes',
    '',
    'tcp-keepalive 15',
    'repl-timeout 10',
    'repl-diskless-sync-delay 0',
    'maxclients 10000',
    'slowlog-log-slower-than 10000',
    'latency-monitor-threshold 100',
    'daemonize no',
    'logfile ""',
    ...(tls
      ? [
          '',
          `tls-ca-cert-file ${certificates}/ca.pem`,
          `tls-cert-file ${certificates}/server.pem`,
          `tls-key-file ${certificates}/server.key`,
          'tls-cluster yes',
          'tls-replication yes',
          // Clients prove themselves by password.
          'tls-auth-clients no',
          'tls-protocols "TLSv1.2 TLSv1.3"',
        ]
      : []),
  ]
  return `${lines.join('\n')}\n`
}
