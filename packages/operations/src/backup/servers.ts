// The servers of the data tier as backups see them: which is the primary, which a copy is best taken from, and the lock that keeps one operator's
// work from another's. Only reads, but for the removal of archived binlogs (`binlog/purge.ts`).

import { breakOff } from '@wintrades/platform/mysql'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { contains, EMPTY, type GtidSet, parseGtidSet, subtract } from '../operator/promotion/gtid-set.ts'
import { type BackupServer, type BackupSettings, readAuthority, readPasswordOf } from './settings.ts'
import { BackupRefused } from './store/faults.ts'

export type ServerView = {
  readonly server: BackupServer
  readonly uuid: string
  readonly version: string
  readonly isWritable: boolean
  readonly term: number
  readonly executed: GtidSet
  /** By the server's clock, before `executed` was read. */
  readonly at: Date
}

/** Every server that answered, and why the others did not. */
export type TierView = {
  readonly views: readonly ServerView[]
  readonly faults: readonly string[]
  /** The writable server with the highest term. */
  readonly primary: ServerView | null
}

/** One for work on full backups, one for following the binlog, which goes on all the time. */
export const LOCKS = { full: 'wintrades_backup', archive: 'wintrades_backup_archive' } as const
const CONNECT_TIMEOUT_MS = 5_000
const QUERY_TIMEOUT_MS = 10_000
const MISSING_TABLE = new Set([1044, 1049, 1142, 1146])
const ACCESS_DENIED = 1045
/** A replica that is further behind is no good source while there is a better one. */
const BEHIND_MAX = 50_000

/** The caller ends it. */
export async function connectTo(server: BackupServer, settings: BackupSettings): Promise<Connection> {
  const ca = readAuthority(settings.caFile)
  try {
    return await createConnection({
      host: server.host,
      port: server.port,
      user: settings.account.user,
      password: readPasswordOf(settings.account),
      connectTimeout: CONNECT_TIMEOUT_MS,
      supportBigNumbers: true,
      dateStrings: true,
      timezone: 'Z',
      enableKeepAlive: true,
      flags: ['-LOCAL_FILES'],
      ...(ca === null ? {} : { ssl: { ca, minVersion: 'TLSv1.2', rejectUnauthorized: true, verifyIdentity: true } }),
    })
  } catch (error) {
    const { errno, message } = error as { errno?: number; message?: string }
    if (errno !== ACCESS_DENIED) throw new Error(`${server.name}: ${message ?? String(error)}`, { cause: error })
    throw new BackupRefused(
      `${server.name} refuses ${settings.account.user}: check the account in the operator's file and ${settings.account.passwordFile}`,
      { cause: error },
    )
  }
}

export async function query<Row extends Record<string, unknown>>(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
  timeout_ms: number = QUERY_TIMEOUT_MS,
): Promise<readonly Row[]> {
  const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: timeout_ms }, [...values])
  return (Array.isArray(rows) ? rows : []) as unknown as Row[]
}

export async function withServer<Result>(
  server: BackupServer,
  settings: BackupSettings,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await connectTo(server, settings)
  try {
    return await work(connection)
  } finally {
    breakOff(connection)
  }
}

export async function viewServer(server: BackupServer, settings: BackupSettings): Promise<ServerView> {
  return await withServer(server, settings, async (connection) => {
    const term = await readTerm(connection)
    const [row] = await query<{
      uuid: string
      version: string
      closed: number
      executed: string
      at_us: string | number
    }>(
      connection,
      `SELECT @@server_uuid AS uuid, VERSION() AS version, @@global.read_only OR @@global.super_read_only AS closed,
         CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED) AS at_us, @@global.gtid_executed AS executed`,
    )
    if (row === undefined) throw new Error(`${server.name} says nothing of itself`)
    return {
      server,
      uuid: row.uuid,
      version: row.version,
      isWritable: Number(row.closed) === 0,
      term,
      executed: parseGtidSet(row.executed),
      at: new Date(Number(row.at_us) / 1_000),
    }
  })
}

/** A server that no operator has formed has no term, and counts as 0. */
async function readTerm(connection: Connection): Promise<number> {
  try {
    const [row] = await query<{ number: number | null }>(
      connection,
      'SELECT MAX(number) AS number FROM wintrades_operator.primary_term',
    )
    return Number(row?.number ?? 0)
  } catch (error) {
    if (MISSING_TABLE.has((error as { errno?: number }).errno ?? 0)) return 0
    throw error
  }
}

export async function viewTier(settings: BackupSettings): Promise<TierView> {
  const results = await Promise.allSettled(settings.servers.map((server) => viewServer(server, settings)))
  const views = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const faults = results.flatMap((one) =>
    one.status === 'rejected' ? [one.reason instanceof Error ? one.reason.message : String(one.reason)] : [],
  )
  const primary = views
    .filter((view) => view.isWritable)
    .reduce<ServerView | null>((best, view) => (best === null || view.term > best.term ? view : best), null)
  return { views, faults, primary }
}

/**
 * Servers to copy from, best first: a reader, then a replica that votes, the primary last. One that has transactions that the primary has not is
 * none, nor is one without data while another has some.
 */
export function rankSources({ views, primary }: TierView): readonly ServerView[] {
  const truth = primary?.executed ?? null
  const fit = views.filter((view) => {
    if (primary === null || view === primary) return view.executed.size > 0
    return view.executed.size > 0 && isPart(view, primary)
  })
  const behind = (view: ServerView) => (truth === null ? 0 : count(subtract(truth, view.executed)))
  const rank = (view: ServerView) => {
    if (view === primary) return 3
    return behind(view) > BEHIND_MAX ? 2 : view.server.role === 'reader' ? 0 : 1
  }
  return [...fit].sort((a, b) => rank(a) - rank(b) || behind(a) - behind(b))
}

/** Its own view may be newer than the primary's: what the primary itself has committed since is no errant transaction. */
function isPart(view: ServerView, primary: ServerView): boolean {
  const more = new Map(subtract(view.executed, primary.executed))
  more.delete(primary.uuid)
  return contains(EMPTY, more)
}

export function count(set: GtidSet): number {
  let total = 0
  for (const runs of set.values())
    for (let at = 0; at < runs.length; at += 2) total += (runs[at + 1] as number) - (runs[at] as number) + 1
  return total
}

export type Lock = {
  /** Aborts when the lock is lost with its connection. */
  readonly lost: AbortSignal
  release(): void
}

/**
 * The lock for work on the store, held at the primary (or the best server there is) as long as the connection lives. null: somebody else has it.
 * Safety does not rest on it: two writers make a store larger than needed, not wrong.
 */
export async function takeLock(
  name: keyof typeof LOCKS,
  settings: BackupSettings,
  tier: TierView,
): Promise<Lock | null> {
  const at = tier.primary ?? rankSources(tier)[0]
  if (at === undefined)
    throw new BackupRefused(`no MySQL server can be used: ${tier.faults.join('; ') || 'none is configured'}`)
  const connection = await connectTo(at.server, settings)
  try {
    const [row] = await query<{ got: number | null }>(connection, 'SELECT GET_LOCK(?, 0) AS got', [LOCKS[name]])
    if (Number(row?.got) === 1) return keepLock(connection, at.server.name)
  } catch (error) {
    breakOff(connection)
    throw error
  }
  breakOff(connection)
  return null
}

const KEEP_MS = 2_000

/** Asks the connection now and then whether it lives: one that nobody uses breaks unnoticed. */
function keepLock(connection: Connection, at: string): Lock {
  const lost = new AbortController()
  const lose = () => lost.abort(new Error(`the lock at ${at} is lost`))
  connection.on('error', lose)
  connection.on('end', lose)
  const timer = setInterval(() => void query(connection, 'SELECT 1').catch(lose), KEEP_MS)
  timer.unref()
  return {
    lost: lost.signal,
    release: () => {
      clearInterval(timer)
      breakOff(connection)
    },
  }
}
