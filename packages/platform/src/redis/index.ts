// Redis Cluster: a client on which nothing depends. What is kept there is its users' business; forming and healing the cluster, the
// operator's.

export { RedisCluster, type RedisParts, RedisUnavailable, type RedisUse, type RedisUseOptions } from './client.ts'
export { type RedisClusterOptions, type RedisNode, redisOptions } from './options.ts'
