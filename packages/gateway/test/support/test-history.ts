// A real history for tests, in a directory of its own, written as batches are committed. It can be made to fall behind.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HistoryReader, openSqliteHistory, SqliteHistoryWriter } from '@wintrades/marketdata'
import type { CommittedBatch } from '@wintrades/venue'
import { markets, type TestVenue } from './test-venue.ts'

export class TestHistory {
  readonly reader: HistoryReader
  readonly #writer: SqliteHistoryWriter
  readonly #directory: string
  readonly #stop: () => void
  #waiting: CommittedBatch[] = []
  #held = false

  constructor(venue: TestVenue) {
    this.#directory = mkdtempSync(join(tmpdir(), 'wintrades-orders-'))
    this.#writer = new SqliteHistoryWriter(this.#directory, markets, { transaction_ms: 0 })
    this.reader = openSqliteHistory(this.#directory, markets)
    this.#waiting.push(...venue.batches)
    this.#write()
    this.#stop = venue.onBatch((batch) => {
      this.#waiting.push(batch)
      if (!this.#held) this.#write()
    })
  }

  hold(held: boolean): void {
    this.#held = held
    if (!held) this.#write()
  }

  close(): void {
    this.#stop()
    void this.reader.close()
    void this.#writer.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #write(): void {
    // With files, all of it is done when the call returns.
    for (const { bytes, events } of this.#waiting) void this.#writer.write(bytes, events)
    this.#waiting = []
    for (const shard of markets.shards) void this.#writer.flush(shard.index)
  }
}
