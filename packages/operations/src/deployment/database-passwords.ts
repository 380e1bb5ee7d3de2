// New passwords for the accounts of the databases while everything runs: for the time of the change each account has two, the one before and the new one, so
// that it does not matter which process has been given which.

import { randomBytes } from 'node:crypto'
import { neverLog } from '@wintrades/platform'
import { MYSQL_LAYOUT, SECRETS, type Topology } from '@wintrades/topology'
import type { BringUpContext } from './bring-up.ts'
import { containersOf, whereElse } from './inside.ts'
import { readOperatorReport } from './operators.ts'

/** Not that of replication: servers keep its password in their own files, and would not connect again. */
export const ROTATED_ACCOUNTS = ['app', 'read', 'operator', 'backup', 'exporter'] as const

const STATEMENT_MS = 60_000

export type DatabasePasswords = ReadonlyMap<string, string>

export function newDatabasePasswords(): DatabasePasswords {
  return new Map(
    ROTATED_ACCOUNTS.map((account) => {
      const password = randomBytes(24).toString('base64url')
      neverLog(password)
      return [SECRETS.mysql(account, 'a'), password] as const
    }),
  )
}

const COUNT_TWO = `SELECT COUNT(*) FROM mysql.user
WHERE User IN ('wintrades_app_a', 'wintrades_read_a', 'wintrades_operator_a', 'wintrades_backup_a', 'wintrades_exporter_a')
  AND User_attributes->>'$.additional_password' IS NOT NULL;`

/** One statement: either all accounts have two passwords afterwards or none. @NAME@ becomes the password of that name: letters, digits, - and _ alone. */
const ADD = `ALTER USER
  wintrades_app_a IDENTIFIED BY '@mysql_app_a@' RETAIN CURRENT PASSWORD,
  wintrades_read_a IDENTIFIED BY '@mysql_read_a@' RETAIN CURRENT PASSWORD,
  wintrades_operator_a IDENTIFIED BY '@mysql_operator_a@' RETAIN CURRENT PASSWORD,
  wintrades_backup_a IDENTIFIED BY '@mysql_backup_a@' RETAIN CURRENT PASSWORD,
  wintrades_exporter_a IDENTIFIED BY '@mysql_exporter_a@' RETAIN CURRENT PASSWORD;`

const DISCARD = `ALTER USER wintrades_app_a DISCARD OLD PASSWORD;
ALTER USER wintrades_read_a DISCARD OLD PASSWORD;
ALTER USER wintrades_operator_a DISCARD OLD PASSWORD;
ALTER USER wintrades_backup_a DISCARD OLD PASSWORD;
ALTER USER wintrades_exporter_a DISCARD OLD PASSWORD;`

/** A change that was begun and not ended: accounts have two passwords. */
export async function haveTwoPasswords(context: BringUpContext): Promise<boolean> {
  return Number((await askPrimary(context, COUNT_TWO)).trim()) > 0
}

export async function addPasswords(context: BringUpContext, passwords: DatabasePasswords): Promise<void> {
  await askPrimary(
    context,
    ADD.replaceAll(/@(\w+)@/g, (_all, name: string) => passwords.get(name) ?? missing(name)),
  )
}

export async function discardOldPasswords(context: BringUpContext): Promise<void> {
  await askPrimary(context, DISCARD)
}

function missing(name: string): never {
  throw new Error(`there is no new password ${name}`)
}

/** As root, which enters through the socket of its own container alone; statements go in through standard input, since they hold passwords. */
async function askPrimary({ docker, topology }: BringUpContext, sql: string): Promise<string> {
  const primary = await primaryOf(topology)
  const [container] = await containersOf(docker, `${topology.stack}_${primary}`)
  if (container === undefined) throw new Error(await whereElse(docker, topology, [primary]))
  const client = ['mysql', '--no-defaults', `--socket=${MYSQL_LAYOUT.socket}`, '--user=root', '--skip-column-names']
  return await docker.run(['exec', '--interactive', container, ...client], { input: sql, timeout_ms: STATEMENT_MS })
}

async function primaryOf(topology: Topology): Promise<string> {
  const primary = (await readOperatorReport(topology))?.parts.database?.primary
  if (primary === undefined || primary === null)
    throw new Error('no database server is known to be the primary: wintrades doctor says why')
  return primary
}
