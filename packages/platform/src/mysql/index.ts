// MySQL: `@wintrades/platform/mysql`. Options as plain data, connections with deadlines, pools with bounds, and the one way to find the primary.

export { breakOff } from './break-off.ts'
export { MysqlConnection, type MysqlRow, type MysqlValue } from './connection.ts'
export { errorNumber, isDuplicate, isMissing, isServerTrouble, isTransient, MysqlUnavailable } from './errors.ts'
export { type KyselyConnection, type KyselyPool, primaryPool, serverPool } from './kysely-pool.ts'
export { type MysqlAddress, type MysqlOptions, mysqlOptions, nameOf } from './options.ts'
export { MysqlPool, type PoolFigures, type PoolLimits } from './pool.ts'
export { type Primary, type PrimaryFigures, PrimaryFinder } from './primary.ts'
export { MysqlVersionFault, readRole, readTerm, readTermIfAny, TERM_TABLE } from './term.ts'
