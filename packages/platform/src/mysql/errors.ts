// What a broken statement says about its effect and about the server, sorted once for everybody who uses MySQL.

/** There was no answer in time, or the connection was lost: whether the statement took effect is unknown. */
export class MysqlUnavailable extends Error {
  override readonly name = 'MysqlUnavailable'
}

const DUPLICATE = 1062
const TRANSIENT = new Set([
  1205, // lock wait time-out
  1213, // deadlock
])
const MISSING = new Set([
  1044, // no right to the schema
  1049, // no such schema
  1142, // no right to the table
  1146, // no such table
])
const SERVER_TROUBLE = new Set([
  1040, // too many connections
  1045, // access denied
  1053, // shutting down
  1077, // shut down
  1079, // shut down
  1129, // host blocked
  1152, // connection aborted
  1184, // connection aborted
  1203, // too many connections of the user
  1226, // the user's limit
  1290, // read only
  1317, // interrupted
  1836, // read only
  1927, // killed
  3159, // TLS required
  3169, // killed
  4031, // disconnected for inactivity
])

export function errorNumber(error: unknown): number {
  const errno = (error as { errno?: unknown } | null)?.errno
  return typeof errno === 'number' ? errno : 0
}

/** A row with that key is there already, though not of necessity durably. */
export function isDuplicate(error: unknown): boolean {
  return errorNumber(error) === DUPLICATE
}

/** The statement was rolled back whole and may be repeated at the same server. */
export function isTransient(error: unknown): boolean {
  return TRANSIENT.has(errorNumber(error))
}

/** The table or schema is not there, or not this user's to see. */
export function isMissing(error: unknown): boolean {
  return MISSING.has(errorNumber(error))
}

/** The server cannot be used, or is not the primary any more: the primary has to be found again. */
export function isServerTrouble(error: unknown): boolean {
  return error instanceof MysqlUnavailable || SERVER_TROUBLE.has(errorNumber(error))
}
