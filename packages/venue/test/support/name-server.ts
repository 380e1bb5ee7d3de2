// A name server on loopback that answers as it is told: what Docker's does for the tasks of a service.

import { createSocket, type Socket } from 'node:dgram'

const TYPE_A = 1
const NO_ERROR = 0
const NO_SUCH_NAME = 3
const HEADER_BYTES = 12

export class NameServer {
  readonly #socket: Socket
  readonly #addresses = new Map<string, readonly string[]>()
  /** Says nothing at all, as while a service is being replaced. */
  silent = false
  asked = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (query, from) => {
      this.asked++
      if (!this.silent) socket.send(this.#answer(query), from.port, from.address)
    })
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return new NameServer(socket)
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  /** No address: there is no such name. */
  set(name: string, addresses: readonly string[]): void {
    this.#addresses.set(name, addresses)
  }

  close(): void {
    this.#socket.close()
  }

  #answer(query: Buffer): Buffer {
    let at = HEADER_BYTES
    const labels: string[] = []
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const isA = query.readUInt16BE(at + 1) === TYPE_A
    const known = this.#addresses.get(labels.join('.').toLowerCase()) ?? []
    const found = isA ? known : []
    const header = Buffer.alloc(HEADER_BYTES)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(0x8180 | (known.length === 0 ? NO_SUCH_NAME : NO_ERROR), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(found.length, 6)
    const question = query.subarray(HEADER_BYTES, at + 5)
    const answers = found.map((address) =>
      Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 2, 88, 0, 4, ...address.split('.').map(Number)]),
    )
    return Buffer.concat([header, question, ...answers])
  }
}
