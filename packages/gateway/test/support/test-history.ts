// A real history for tests, in a directory of its own, written as batches are committed. It can be made to fall behind.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HistoryReader, HistoryWriter } from '@wintrades/marketdata'
import type { CommittedBatch } from '@wintrades/venue'
import { markets, type TestVenue } from './test-venue.ts'

export class TestHistory {
  readonly reader: HistoryReader
  readonly #writer: HistoryWriter
  readonly #directory: string
  readonly #stop: () => void
  #waiting: CommittedBatch[] = []
  #held = false

  constructor(venue: TestVenue) {
    this.#directory = mkdtempSync(join(tmpdir(), 'wintrades-orders-'))
    this.#writer = new HistoryWriter(this.#directory, markets, { transaction_ms: 0 })
    this.reader = new HistoryReader(this.#directory, markets)
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
    this.reader.close()
    this.#writer.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #write(): void {
    for (const { bytes, events } of this.#waiting) this.#writer.write(bytes, events)
    this.#waiting = []
    this.#writer.flush()
  }
}
