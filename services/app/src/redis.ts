// Redis, if the configuration says so. Promises that a process without it does not load the client, and that a start does not wait for it.

import type { RedisCluster, RedisParts } from '@wintrades/platform/redis'
import type { AppConfig } from './configuration.ts'

export async function openRedis(config: AppConfig, parts: RedisParts): Promise<RedisCluster | null> {
  if (config.cacheDriver !== 'redis') return null
  const { RedisCluster, redisOptions } = await import('@wintrades/platform/redis')
  const options = redisOptions(config)
  return options === null ? null : new RedisCluster(options, { ...parts, logger: parts.logger.child('redis') })
}
