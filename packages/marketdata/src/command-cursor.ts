// Finds the commands of a batch by index, for consumers that need what events leave out (client order ids, transfer ids). Events come
// in the order of their commands, so it walks forward and each record is stepped over once.

import { assert, BATCH, type Command, decodeCommand, HEADER } from '@wintrades/domain'

export class CommandCursor {
  #view: DataView = new DataView(new ArrayBuffer(0))
  #count = 0
  #index = 0
  #offset: number = BATCH.commands

  /** Starts on a batch that `checkBatch` has passed. */
  reset(bytes: Uint8Array): void {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#count = this.#view.getUint32(BATCH.commandCount, true)
    this.#index = 0
    this.#offset = BATCH.commands
  }

  get view(): DataView {
    return this.#view
  }

  /** Offset in the batch of the command at `index`. */
  seek(index: number): number {
    assert(index >= 0 && index < this.#count, `command ${index} of a batch of ${this.#count}`)
    if (index < this.#index) {
      this.#index = 0
      this.#offset = BATCH.commands
    }
    for (; this.#index < index; this.#index++) {
      this.#offset += this.#view.getUint16(this.#offset + HEADER.length, true)
    }
    return this.#offset
  }

  decode(index: number): Command {
    return decodeCommand(this.#view, this.seek(index))
  }
}
