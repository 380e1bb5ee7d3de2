// The journals that need no server, each by the contract of all; MySQL's is in `tests/cluster`.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { JournalDamage, MemoryJournal, MemoryJournalStore, SqliteJournal } from '../src/index.ts'
import { journalContract } from './support/journal-contract.ts'

journalContract({
  name: 'memory',
  open: () => {
    const store = new MemoryJournalStore(systemClock.now_us)
    return () => new MemoryJournal(store)
  },
})

journalContract({ name: 'sqlite', open: (directory) => () => new SqliteJournal(join(directory, 'shard.sqlite')) })

test('a file of a newer release is refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-journal-'))
  const path = join(directory, 'shard.sqlite')
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 9')
  database.close()
  expect(() => new SqliteJournal(path)).toThrow(JournalDamage)
  expect(() => new SqliteJournal(path)).toThrow(/schema 9.*use a newer one/)
  rmSync(directory, { recursive: true, force: true })
})
