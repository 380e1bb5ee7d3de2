// How a server says whether it is the primary: whether it can be written to, and the term of the promotion that opened it. The term's row is
// written by the operator on each new primary and replicated; a server that no operator has formed has none, and counts as term 0.

import type { MysqlConnection } from './connection.ts'
import { isMissing } from './errors.ts'

/** The operator's replicated row. */
export const TERM_TABLE = 'wintrades_operator.primary_term'
const STATE =
  'SELECT @@global.read_only AS read_only, @@global.super_read_only AS super_read_only, VERSION() AS version'
const TERM = `SELECT MAX(number) AS number FROM ${TERM_TABLE}`
/** Older servers lack what the journal relies on (typed parameters, FOR SHARE in INSERT … SELECT, semi-sync's present names). */
const VERSION_MAJOR_MIN = 8
const VERSION_MINOR_MIN = 4

export type ServerRole = {
  readonly isWritable: boolean
  readonly term: number
}

/** A server of a version that WinTrades does not run on. */
export class MysqlVersionFault extends Error {
  override readonly name = 'MysqlVersionFault'
}

export async function readRole(connection: MysqlConnection, deadline_ms: number): Promise<ServerRole> {
  const [state] = await connection.query(STATE, [], deadline_ms)
  const version = String(state?.['version'])
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < VERSION_MAJOR_MIN || (major === VERSION_MAJOR_MIN && minor < VERSION_MINOR_MIN)) {
    throw wrongServer(connection.server, version)
  }
  const isWritable = Number(state?.['read_only']) === 0 && Number(state?.['super_read_only']) === 0
  return { isWritable, term: await readTerm(connection, deadline_ms) }
}

/** The term of this server's history as it is now; it never falls. 0: no operator has formed it. */
export async function readTerm(connection: MysqlConnection, deadline_ms: number): Promise<number> {
  return (await readTermIfAny(connection, deadline_ms)) ?? 0
}

/** The same; null: this server knows no terms. */
export async function readTermIfAny(connection: MysqlConnection, deadline_ms: number): Promise<number | null> {
  try {
    const [row] = await connection.query(TERM, [], deadline_ms)
    return Number(row?.['number'] ?? 0)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** `what`: its version, or what else it is. */
export function wrongServer(server: string, what: string, options?: ErrorOptions): MysqlVersionFault {
  return new MysqlVersionFault(
    `MySQL at ${server} is ${what}; WinTrades needs MySQL 8.4 or newer, and is tested with 9.7: see docs/runbooks/wrong-version.md`,
    options,
  )
}
