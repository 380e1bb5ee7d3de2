// One proven connection to another process, cut into frames: u32 length, bytes. Promises whole frames in order, a bound on what waits to be
// read, and to notice a peer that has fallen silent.

import type { Socket } from 'node:net'
import { FRAME_BYTES_MAX } from './frames.ts'

export type LinkEvents = {
  received(frame: Uint8Array): void
  /** `byPeer`: the other side has closed it. */
  ended(reason: string, byPeer: boolean): void
}

/** A peer says something at least every 400 ms: after so many looks in a row at which nothing new had come it has fallen silent. */
const LOOK_MS = 500
const SILENT_LOOKS = 4
/** What may wait for a slow peer; past it the link is cut, and the peer reads the journal. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024

export class Link {
  readonly #socket: Socket
  readonly #events: LinkEvents
  #partial: Buffer[] = []
  #partialBytes = 0
  #ended = false
  #silentLooks = 0
  #look: NodeJS.Timeout | undefined

  constructor(socket: Socket, events: LinkEvents) {
    this.#socket = socket
    this.#events = events
  }

  begin(rest: Buffer): void {
    const socket = this.#socket
    // Not the socket's own timeout, which what is sent puts off too. Looks, not time: one that was held up itself comes before what has arrived meanwhile.
    this.#look = setInterval(() => {
      if (++this.#silentLooks > SILENT_LOOKS) this.#end('silent for too long')
    }, LOOK_MS)
    this.#look.unref()
    socket.on('data', (chunk: Buffer) => {
      this.#silentLooks = 0
      this.#take(chunk)
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#end(error.message, error.code === 'ECONNRESET' || error.code === 'EPIPE'),
    )
    socket.on('close', () => this.#end('closed', true))
    if (rest.length > 0) this.#take(rest)
  }

  send(parts: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (this.#ended) return
    if (socket.writableLength > WAITING_BYTES_MAX) {
      this.#end('it does not read what it is sent')
      return
    }
    let length = 0
    for (const part of parts) length += part.length
    const head = Buffer.allocUnsafe(4)
    head.writeUInt32LE(length)
    socket.cork()
    socket.write(head)
    for (const part of parts) socket.write(part)
    socket.uncork()
  }

  destroy(): void {
    this.#stop()
    this.#socket.destroy()
  }

  /** Sends what waits, then closes. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#stop()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#socket.destroy(), 500)
      this.#socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.#socket.destroySoon()
    })
  }

  #take(chunk: Buffer): void {
    let bytes = chunk
    if (this.#partialBytes > 0) {
      this.#partial.push(chunk)
      this.#partialBytes += chunk.length
      if (this.#partialBytes < this.#wanted()) return
      bytes = Buffer.concat(this.#partial, this.#partialBytes)
      this.#partial = []
      this.#partialBytes = 0
    }
    let at = 0
    while (!this.#ended && at + 4 <= bytes.length) {
      const length = bytes.readUInt32LE(at)
      if (length > FRAME_BYTES_MAX) {
        this.#end(`a frame of ${length} bytes`)
        return
      }
      if (at + 4 + length > bytes.length) break
      // A copy: the receiver keeps it, and a socket's buffer is larger than one frame.
      this.#events.received(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)))
      at += 4 + length
    }
    if (at < bytes.length) {
      this.#partial = [bytes.subarray(at)]
      this.#partialBytes = bytes.length - at
    }
  }

  /** Bytes until the frame that has begun is whole. */
  #wanted(): number {
    if (this.#partialBytes < 4) return 4
    const first = this.#partial[0] as Buffer
    const length = first.length >= 4 ? first.readUInt32LE(0) : Buffer.concat(this.#partial).readUInt32LE(0)
    return length + 4
  }

  #end(reason: string, byPeer = false): void {
    if (this.#ended) return
    this.#stop()
    this.#socket.destroy()
    this.#events.ended(reason, byPeer)
  }

  #stop(): void {
    this.#ended = true
    clearInterval(this.#look)
  }
}
