// The commands that wait for a leader's next batch: chunks of encoded records in order of arrival. Bounded by what the gateways may have
// in flight. Records of an origin that arrive again after a lost link are dropped: within an epoch each is taken once.

import { BATCH, batchBytes, HEADER, LIMITS } from '@wintrades/domain'
import { isAfter } from './pending.ts'

type Chunk = { readonly records: Uint8Array; readonly view: DataView; at: number; count: number }

export class Inbox {
  #chunks: Chunk[] = []
  #begin = 0
  #count = 0
  /** Last correlation taken of each origin. */
  readonly #taken = new Map<number, number>()

  /** Commands that wait. */
  get count(): number {
    return this.#count
  }

  /** Takes well-formed records of one origin (0: the venue's own, which are not tracked). They are kept, not copied. */
  add(records: Uint8Array, count: number): void {
    if (count === 0) return
    const chunk = { records, view: new DataView(records.buffer, records.byteOffset, records.byteLength), at: 0, count }
    const origin = chunk.view.getUint32(HEADER.origin, true)
    if (origin !== 0) this.#skipTaken(chunk, origin)
    if (chunk.count === 0) return
    this.#chunks.push(chunk)
    this.#count += chunk.count
  }

  /** Moves what fits into one batch to a buffer of just the size; the header and hash are still to be written. */
  take(): { readonly bytes: Uint8Array; readonly bodyBytes: number; readonly count: number } {
    let bodyBytes = 0
    let count = 0
    const parts: { readonly chunk: Chunk; readonly begin: number; readonly end: number }[] = []
    const bodyMax = LIMITS.batch_bytes_max - batchBytes(0)
    while (this.#begin < this.#chunks.length) {
      const chunk = this.#chunks[this.#begin] as Chunk
      const begin = chunk.at
      const rest = chunk.records.length - begin
      if (count + chunk.count <= LIMITS.batch_commands_max && bodyBytes + rest <= bodyMax) {
        chunk.at = chunk.records.length
        count += chunk.count
        chunk.count = 0
      } else {
        while (count < LIMITS.batch_commands_max) {
          const length = chunk.view.getUint16(chunk.at + HEADER.length, true)
          if (bodyBytes + chunk.at - begin + length > bodyMax) break
          chunk.at += length
          chunk.count--
          count++
        }
      }
      if (chunk.at > begin) parts.push({ chunk, begin, end: chunk.at })
      bodyBytes += chunk.at - begin
      if (chunk.count > 0) break
      this.#begin++
    }
    if (this.#begin === this.#chunks.length) {
      this.#chunks = []
      this.#begin = 0
    }
    this.#count -= count
    const bytes = new Uint8Array(batchBytes(bodyBytes))
    let at: number = BATCH.commands
    for (const { chunk, begin, end } of parts) {
      bytes.set(chunk.records.subarray(begin, end), at)
      at += end - begin
    }
    return { bytes, bodyBytes, count }
  }

  #skipTaken(chunk: Chunk, origin: number): void {
    const { view } = chunk
    const taken = this.#taken.get(origin)
    while (taken !== undefined && chunk.count > 0) {
      if (isAfter(view.getUint32(chunk.at + HEADER.correlation, true), taken)) break
      chunk.at += view.getUint16(chunk.at + HEADER.length, true)
      chunk.count--
    }
    if (chunk.count === 0) return
    const first = view.getUint32(chunk.at + HEADER.correlation, true)
    this.#taken.set(origin, (first + chunk.count - 1) >>> 0)
  }
}
