// From the configuration to how the Redis Cluster is reached. Promises that a CA file that cannot be read is said at start-up.

import { readFileSync } from 'node:fs'
import type { Config } from '../config/variables.ts'

export type RedisNode = { readonly host: string; readonly port: number }

export type RedisTls = {
  /** PEM; null: the well-known authorities. */
  readonly ca: string | null
  /** Name in every node's certificate; null or none: the one its node is reached at. */
  readonly certificateName?: string | null
}

export type RedisClusterOptions = {
  /** Some nodes; the others are learned from them. Host names are looked up again with each new connection. */
  readonly nodes: readonly RedisNode[]
  /** null: the default user. */
  readonly user: string | null
  readonly password: string | null
  /** null: not encrypted. */
  readonly tls: RedisTls | null
  /** Starts every key. */
  readonly prefix: string
  /** How connections call themselves. */
  readonly clientName: string
  /** Finds a host's address instead of the operating system. */
  readonly lookup?: (host: string) => Promise<string>
}

type RedisConfig = Pick<
  Config,
  | 'redisHost'
  | 'redisPort'
  | 'redisUser'
  | 'redisPassword'
  | 'redisTls'
  | 'redisCaFile'
  | 'redisCertificateName'
  | 'redisPrefix'
  | 'region'
>

/** null: no REDIS_HOST. */
export function redisOptions(config: RedisConfig): RedisClusterOptions | null {
  if (config.redisHost === null) return null
  return {
    nodes: config.redisHost.map(({ host, port }) => ({ host, port: port ?? config.redisPort })),
    user: config.redisUser,
    password: config.redisPassword,
    tls: config.redisTls === 'on' ? readTls(config) : null,
    prefix: config.redisPrefix,
    clientName: `wintrades-app-${config.region}`,
  }
}

function readTls({ redisCaFile, redisCertificateName }: RedisConfig): RedisTls {
  return { ca: redisCaFile === null ? null : readCa(redisCaFile), certificateName: redisCertificateName }
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new Error(`REDIS_CA_FILE must name a file that can be read; ${file} cannot (${code})`)
  }
}
