// The Redis part of the operator, whose list of nodes follows the operator's file.

import {
  followNodes,
  type Lines,
  type Reconciler,
  type RedisConfiguration,
  RedisOperator,
  readOperatorFile,
  redisAccess,
} from '@wintrades/operations/operator'
import { type Config, formatFileFault, type Logger } from '@wintrades/platform'

type Parts = { readonly logger: Logger; readonly lines: Lines }

export function redisPart(config: Config, redis: RedisConfiguration, { logger, lines }: Parts): Reconciler {
  const read = (file: string) => {
    const result = readOperatorFile(file)
    if (!result.ok) return { fault: result.faults.map(formatFileFault).join('; ') }
    return result.configuration.redis?.nodes ?? { fault: `${file} has no section redis any more` }
  }
  return new RedisOperator({
    name: config.region,
    nodes: followNodes(config.operatorFile, redis.nodes, read, (line) => logger.warn(line)),
    access: redisAccess(redis),
    settings: { replicasPerMaster: redis.replicasPerMaster },
    logger,
    lines,
  })
}
