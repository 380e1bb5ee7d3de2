// The lab: real servers in regions on one machine, for tests and benches.

export { type Account, LabCredentials } from './credentials.ts'
export { LabUnavailable } from './docker.ts'
export { Lab, type LabOptions, REGIONS, startLab, WAN_DELAYS } from './lab.ts'
export type { LabMysql, LabMysqlOptions } from './mysql.ts'
export type { Delays } from './network.ts'
export type { LabRedis, LabRedisOptions } from './redis.ts'
export { NotInTime, until } from './until.ts'
