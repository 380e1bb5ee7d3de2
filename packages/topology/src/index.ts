// What a deployment's files say, as pure functions: a description in, text out. Reads and writes nothing itself.

export { type ContentFault, Fields } from './fields.ts'
export { type ContinentMap, type CountryTable, renderContinentMap } from './geo/continent-map.ts'
export { GEO_MAPS, HAPROXY_LAYOUT, mapFileOf } from './haproxy/files.ts'
export * from './model.ts'
export {
  MYSQL_LAYOUT,
  type MysqlServer,
  renderMysqlConfiguration,
} from './mysql/server-configuration.ts'
export { readTopology, type ShardRegions, type TopologyResult } from './read.ts'
export {
  REDIS_LAYOUT,
  REDIS_NODE_TIMEOUT_MS,
  type RedisServer,
  renderRedisConfiguration,
} from './redis/server-configuration.ts'
export { type RenderParts, renderDeployment } from './render.ts'
export { BACKUPS_DIRECTORY } from './stack/app.ts'
export { FIXED_FILES, MARKETS_FILE, operatorFileOf, STACK_FILE } from './stack/configs.ts'
export { SECRETS, type Secret, type SecretContent, secretsOf, variableOf } from './stack/secrets.ts'
