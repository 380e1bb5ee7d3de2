// The commands of this process whose outcome is not known yet, kept in the order of their correlations, with the epoch they were sent
// under. One origin's commands take effect in that order, so an outcome concludes all that came before it.

import { type Epoch, HEADER, LIMITS } from '@wintrades/domain'

/** Encoded commands with consecutive correlations. */
type Frame = { readonly records: Uint8Array; readonly first: number; readonly count: number; sentEpoch: number }

export type Sendable = { readonly records: Uint8Array; readonly count: number }

const NEVER = -1

export class Pending {
  #frames: Frame[] = []
  #begin = 0
  #through: number | null = null
  #size = 0

  /** Commands without an outcome. */
  get size(): number {
    return this.#size
  }

  /** `records` are kept, not copied. */
  add(records: Uint8Array, first: number, count: number): void {
    this.#frames.push({ records, first, count, sentEpoch: NEVER })
    this.#through ??= (first - 1) >>> 0
    this.#size += count
  }

  /** Everything up to `correlation` has its outcome, or is not waited for any more. */
  concludeThrough(correlation: number): void {
    const through = this.#through
    if (through === null || this.#size === 0 || !isAfter(correlation, through)) return
    while (this.#begin < this.#frames.length) {
      const frame = this.#frames[this.#begin] as Frame
      if (isAfter(frame.first + frame.count - 1, correlation)) break
      this.#begin++
    }
    this.#size = Math.max(0, this.#size - ((correlation - through) >>> 0))
    this.#through = correlation >>> 0
    if (this.#begin === this.#frames.length) {
      this.#frames = []
      this.#begin = 0
      this.#size = 0
    } else if (this.#begin > 1_024) {
      this.#frames = this.#frames.slice(this.#begin)
      this.#begin = 0
    }
  }

  /** What was sent under this epoch may not have arrived: it counts as not sent. The leader drops what it has already. */
  forgetSent(): void {
    for (let i = this.#begin; i < this.#frames.length; i++) (this.#frames[i] as Frame).sentEpoch = NEVER
  }

  /** What has not been sent under this epoch, oldest first; from now on it has. */
  takeUnsent(epoch: Epoch, send: (sendable: Sendable) => boolean): void {
    for (let i = this.#begin; i < this.#frames.length; i++) {
      const frame = this.#frames[i] as Frame
      if (frame.sentEpoch === epoch) continue
      if (!this.#send(frame, send)) return
      frame.sentEpoch = epoch
    }
  }

  #send(frame: Frame, send: (sendable: Sendable) => boolean): boolean {
    const { records } = frame
    const concluded = this.#through === null ? 0 : (this.#through - frame.first + 1) | 0
    let left = frame.count
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
    let at = 0
    for (; left > frame.count - concluded; left--) at += view.getUint16(at + HEADER.length, true)
    if (left > LIMITS.batch_commands_max) return this.#sendParts(records, at, left, send)
    return send({ records: at === 0 ? records : records.subarray(at), count: left })
  }

  /** A frame of more commands than one batch can hold. */
  #sendParts(records: Uint8Array, from: number, count: number, send: (sendable: Sendable) => boolean): boolean {
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
    let at = from
    while (count > 0) {
      const part = Math.min(count, LIMITS.batch_commands_max)
      const begin = at
      for (let i = 0; i < part; i++) at += view.getUint16(at + HEADER.length, true)
      if (!send({ records: records.subarray(begin, at), count: part })) return false
      count -= part
    }
    return true
  }
}

/** Whether one 32-bit correlation was given out after another. */
export function isAfter(left: number, right: number): boolean {
  return ((left - right) | 0) > 0
}
