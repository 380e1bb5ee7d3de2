// A journal without rules: it stores whatever anybody appends, in the order in which it comes. For planting a fault.

import { type Epoch, readBatchHeader, type Seq } from '@wintrades/domain'
import { type AppendResult, MemoryJournalStore, type StoredBatch } from '@wintrades/venue'

export class UncheckedStore extends MemoryJournalStore {
  readonly #rows: StoredBatch[] = []

  override append(_epoch: Epoch, batch: Uint8Array): AppendResult {
    this.#rows.push({ seq: readBatchHeader(batch).seq, bytes: batch.slice() })
    return 'committed'
  }

  override read(from: Seq): readonly StoredBatch[] {
    return this.#rows.filter(({ seq }) => seq >= from)
  }

  override extent(): { first: Seq; last: Seq } | null {
    const [first] = this.#rows
    const last = this.#rows.at(-1)
    return first === undefined || last === undefined ? null : { first: first.seq, last: last.seq }
  }

  override prune(): void {}
}
