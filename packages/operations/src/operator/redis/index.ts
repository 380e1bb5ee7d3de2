// The part of the operator that keeps the Redis Cluster in order.

export { describe } from './action.ts'
export { followNodes, type RedisConfiguration, redisAccess } from './configuration.ts'
export { NodeConnection } from './node-connection.ts'
export { RedisOperator, type RedisOperatorOptions } from './operator.ts'
export { PLAN_SETTINGS, type PlanSettings } from './plan.ts'
export type { ListedNode } from './watch.ts'
