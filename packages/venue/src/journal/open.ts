// Where a process's journals and snapshots are: in files of this machine, or in MySQL. Decided here alone, from plain data that crosses to threads.

import type { Markets } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import type { Journal, SnapshotStore } from '../ports.ts'
import { SnapshotFiles } from '../snapshots/files.ts'
import { MysqlSnapshots } from '../snapshots/mysql.ts'
import { MYSQL_APPENDS_IN_FLIGHT_MAX, MysqlJournal } from './mysql.ts'
import { JournalDatabase } from './mysql-database.ts'
import { journalPath, SqliteJournal } from './sqlite.ts'

export type JournalPlace = {
  readonly dataDirectory: string
  /** null: SQLite, in the data directory. */
  readonly mysql: MysqlOptions | null
}

export type Journals = {
  /** By shard; closed by whoever uses them. */
  readonly journals: readonly Journal[]
  readonly snapshots: SnapshotStore
  /** For `/metrics`. */
  figures(): Readonly<Record<string, number>>
}

/** For what is not an append: the lease, reading, pruning, snapshots. */
const FURTHER_CONNECTIONS = 8

/** `origin`: of the process that may lead with them; 0: it only reads and prunes. */
export async function openJournals(
  { dataDirectory, mysql }: JournalPlace,
  { markets, origin, logger }: { readonly markets: Markets; readonly origin: number; readonly logger: Logger },
): Promise<Journals> {
  if (mysql === null) {
    return {
      journals: markets.shards.map((shard) => new SqliteJournal(journalPath(dataDirectory, shard))),
      snapshots: new SnapshotFiles(dataDirectory, markets),
      figures: () => ({}),
    }
  }
  const appending = origin === 0 ? 0 : markets.shards.length * MYSQL_APPENDS_IN_FLIGHT_MAX
  const database = new JournalDatabase(mysql, logger, appending + FURTHER_CONNECTIONS)
  const journals = markets.shards.map((shard) => new MysqlJournal(database, shard, origin))
  await database.prepare(markets.shards)
  return { journals, snapshots: new MysqlSnapshots(database), figures: () => figuresOf(database) }
}

function figuresOf({ figures }: JournalDatabase): Readonly<Record<string, number>> {
  const sum = (figure: 'open' | 'idle' | 'waiting') => figures.servers.reduce((total, one) => total + one[figure], 0)
  return {
    wintrades_journal_primary_known: figures.primary === null ? 0 : 1,
    wintrades_journal_primary_term: figures.term,
    wintrades_journal_primary_changes_total: figures.changes,
    wintrades_journal_primary_suspected_total: figures.suspicions,
    wintrades_journal_servers_reachable: figures.servers.filter((one) => one.isReachable).length,
    wintrades_journal_connections_open: sum('open'),
    wintrades_journal_connections_idle: sum('idle'),
    wintrades_journal_connections_waiting: sum('waiting'),
  }
}
