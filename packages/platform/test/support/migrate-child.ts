// Opens and migrates a file as a process of its own would, for migrations.test.ts; reports what it did.

import { parentPort, workerData } from 'node:worker_threads'
import { openSqlite } from '../../src/index.ts'
import { migrateSqlite } from '../../src/migrations/index.ts'
import { LIBRARY } from './library-migrations.ts'

const { path } = workerData as { path: string }
const database = openSqlite(path)
const report = migrateSqlite(database, LIBRARY, path)
database.close()
parentPort?.postMessage(report)
