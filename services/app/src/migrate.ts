// The schema of the data tier, brought to what this release needs: on the primary, and then looked at on every server until each has it. A program of its own,
// for `wintrades migrate` and before an update; processes that start do the same by themselves. Takes the environment of a region's process.

import { ACCOUNTS } from '@wintrades/gateway'
import { HISTORY } from '@wintrades/marketdata'
import { createLogger } from '@wintrades/platform'
import { type Component, checkMysql, migrateMysql, SchemaError } from '@wintrades/platform/migrations'
import { isServerTrouble, MysqlConnection, mysqlOptions, nameOf, PrimaryFinder } from '@wintrades/platform/mysql'
import { JOURNAL_COMPONENT } from '@wintrades/venue'
import { readConfiguration } from './configuration.ts'

const COMPONENTS: readonly Component[] = [JOURNAL_COMPONENT, ACCOUNTS, HISTORY]
const STATEMENT_MS = 600_000
const FIND_MS = 60_000
/** A server that is down is none of this program's business: it gets the schema with everything else when it is back. */
const REPLICAS_MS = 60_000
const AGAIN_MS = 500

const { config } = readConfiguration(process.env)
const logger = createLogger('migrate', { level: 'warn' })
const say = (line: string) => void process.stdout.write(`${line}\n`)

/** As migrations want a connection. */
function asked(connection: MysqlConnection) {
  const query = async (text: string, values: readonly unknown[] = []) =>
    [await connection.compiled(text, values, STATEMENT_MS), null] as const
  return { query }
}

async function migrate(finder: PrimaryFinder, component: Component): Promise<void> {
  const report = await finder.use(
    (connection) => migrateMysql(asked(connection), component, { where: connection.server }),
    FIND_MS,
    isServerTrouble,
  )
  const { from, to, steps } = report
  say(steps.length === 0 ? `${component.name}: version ${to} already` : `${component.name}: version ${from} → ${to}`)
  for (const step of steps) say(`  ${step}`)
}

/** Null: it has everything. */
async function lackOf(address: Parameters<typeof nameOf>[0], options: Parameters<typeof MysqlConnection.open>[1]) {
  try {
    const connection = await MysqlConnection.open(address, options)
    try {
      for (const component of COMPONENTS) {
        if (!(await checkMysql(asked(connection), component, nameOf(address)))) return `has no ${component.name} yet`
      }
      return null
    } finally {
      connection.destroy()
    }
  } catch (error) {
    if (error instanceof SchemaError || isServerTrouble(error)) return (error as Error).message
    throw error
  }
}

const options = mysqlOptions(config)
if (options === null) {
  say('the databases are embedded: processes migrate them when they start')
} else {
  const finder = new PrimaryFinder(options, logger, { connections_max: 1 })
  try {
    for (const component of COMPONENTS) await migrate(finder, component)
  } finally {
    finder.close()
  }
  const until_ms = performance.now() + REPLICAS_MS
  for (const address of options.servers) {
    let lack = await lackOf(address, options)
    while (lack !== null && performance.now() < until_ms) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      lack = await lackOf(address, options)
    }
    say(lack === null ? `${nameOf(address)} has the schema` : `${nameOf(address)} has it not yet: ${lack}`)
  }
}
