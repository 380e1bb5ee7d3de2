// A WebSocket for load: many frames in one write, answers handed over as bytes, almost nothing allocated per message. It shares a small
// machine with the platform it measures, so it must cost little. Leaves retries, reconnecting and meaning to its user.

import { createHash, randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type LoadConnectionOptions = {
  /** `http:` or `https:`, with the region's path prefix if one is wanted. */
  readonly baseUrl: string
  /** Called per text message. The bytes are good until it returns. */
  readonly onMessage: (bytes: Buffer, start: number, end: number) => void
  /** Called once when the other side, or the network, ends the connection. */
  readonly onClose: (reason: string) => void
}

export interface LoadConnection {
  /** Queues one text message of ASCII; nothing leaves before {@link flush}. */
  send(text: string): void
  flush(): void
  /** Bytes that the kernel has not taken yet. */
  readonly backlog_bytes: number
  close(): void
}

const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const OUT_BYTES_FIRST = 64 * 1024
const HEAD_BYTES_MAX = 16 * 1024
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Connects and upgrades; rejects when the other side refuses. */
export async function openLoadConnection(options: LoadConnectionOptions): Promise<LoadConnection> {
  const url = new URL(options.baseUrl)
  const secure = url.protocol === 'https:'
  const port = Number(url.port) || (secure ? 443 : 80)
  const socket = secure ? connectTls({ host: url.hostname, port }) : connectTcp({ host: url.hostname, port })
  socket.setNoDelay(true)
  const rest = await upgrade(socket, url)
  return new Connection(socket, rest, options)
}

function upgrade(socket: Socket, url: URL): Promise<Buffer> {
  const key = randomBytes(16).toString('base64')
  const accept = createHash('sha1')
    .update(key + KEY_SUFFIX)
    .digest('base64')
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const fail = (message: string) => {
      socket.destroy()
      reject(new Error(`${url.origin}: ${message}`))
    }
    socket.once('error', (error) => fail(error.message))
    socket.once('close', () => fail('closed before the upgrade'))
    socket.on('data', (chunk: Buffer) => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0 && head.length < HEAD_BYTES_MAX) return
      const text = head.subarray(0, Math.max(end, 0)).toString('latin1')
      if (!text.startsWith('HTTP/1.1 101') || !text.includes(accept)) return fail(text.split('\r\n')[0] ?? 'no answer')
      socket.removeAllListeners()
      resolve(head.subarray(end + 4))
    })
    socket.write(
      `GET ${url.pathname.replace(/\/$/, '')}/ws HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\n` +
        `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    )
  })
}

class Connection implements LoadConnection {
  readonly #socket: Socket
  readonly #options: LoadConnectionOptions
  #out = Buffer.allocUnsafeSlow(OUT_BYTES_FIRST)
  #outLength = 0
  #partial: Buffer = Buffer.alloc(0)
  #fragments: Buffer[] = []
  #closed = false

  constructor(socket: Socket, rest: Buffer, options: LoadConnectionOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end('closed'))
    if (rest.length > 0) this.#take(rest)
  }

  get backlog_bytes(): number {
    return this.#socket.writableLength
  }

  send(text: string): void {
    this.#frame(OPCODE.text, text)
  }

  flush(): void {
    if (this.#outLength === 0 || this.#closed) return
    this.#socket.write(this.#out.subarray(0, this.#outLength))
    // The kernel usually takes all of it at once; if not, the socket keeps these bytes and this side needs others.
    if (this.#socket.writableLength > 0) this.#out = Buffer.allocUnsafeSlow(this.#out.length)
    this.#outLength = 0
  }

  close(): void {
    this.#closed = true
    this.#socket.destroy()
  }

  #frame(opcode: number, text: string): void {
    const length = text.length
    const out = this.#room(length + 14)
    let at = this.#outLength
    out[at++] = 0x80 | opcode
    if (length < 126) {
      out[at++] = 0x80 | length
    } else if (length < 65_536) {
      out[at++] = 0x80 | 126
      out[at++] = length >>> 8
      out[at++] = length & 255
    } else {
      out[at++] = 0x80 | 127
      out.writeUInt32BE(0, at)
      out.writeUInt32BE(length, at + 4)
      at += 8
    }
    // Masked as a client must; the key need not be secret here, since nothing between is misled by what load is made of.
    const mask = (Math.random() * 0x1_0000_0000) >>> 0
    out.writeUInt32BE(mask, at)
    at += 4
    out.write(text, at, 'latin1')
    const [m0, m1, m2, m3] = [mask >>> 24, (mask >>> 16) & 255, (mask >>> 8) & 255, mask & 255]
    const end = at + length
    let i = at
    for (; i + 3 < end; i += 4) {
      out[i] = (out[i] as number) ^ m0
      out[i + 1] = (out[i + 1] as number) ^ m1
      out[i + 2] = (out[i + 2] as number) ^ m2
      out[i + 3] = (out[i + 3] as number) ^ m3
    }
    for (let k = 0; i < end; i++, k++) out[i] = (out[i] as number) ^ ((mask >>> (24 - 8 * k)) & 255)
    this.#outLength = end
  }

  #room(bytes: number): Buffer {
    if (this.#outLength + bytes > this.#out.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, this.#outLength + bytes))
      this.#out.copy(larger, 0, 0, this.#outLength)
      this.#out = larger
    }
    return this.#out
  }

  #take(chunk: Buffer): void {
    const bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk])
    let at = 0
    while (!this.#closed && at + 2 <= bytes.length) {
      let length = (bytes[at + 1] as number) & 127
      let start = at + 2
      if (length === 126) {
        start += 2
        if (start > bytes.length) break
        length = bytes.readUInt16BE(at + 2)
      } else if (length === 127) {
        start += 8
        if (start > bytes.length) break
        length = bytes.readUInt32BE(at + 6)
        if (bytes.readUInt32BE(at + 2) !== 0 || length > MESSAGE_BYTES_MAX) return void this.#end('a message too large')
      }
      if (start + length > bytes.length) break
      this.#message(bytes, bytes[at] as number, start, start + length)
      at = start + length
    }
    this.#partial = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
  }

  #message(bytes: Buffer, first: number, start: number, end: number): void {
    const opcode = first & 15
    if (opcode === OPCODE.ping) {
      this.#frame(OPCODE.pong, bytes.toString('latin1', start, end))
      this.flush()
    } else if (opcode === OPCODE.close) {
      const code = end - start >= 2 ? bytes.readUInt16BE(start) : 1005
      this.#end(`${code} ${bytes.toString('latin1', Math.min(start + 2, end), end)}`)
    } else if (opcode <= OPCODE.binary) {
      if (first === (0x80 | opcode) && opcode !== OPCODE.continuation) {
        this.#options.onMessage(bytes, start, end)
      } else {
        this.#fragments.push(Buffer.from(bytes.subarray(start, end)))
        if (first < 0x80) return
        const whole = Buffer.concat(this.#fragments)
        this.#fragments = []
        this.#options.onMessage(whole, 0, whole.length)
      }
    }
  }

  #end(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.destroy()
    this.#options.onClose(reason)
  }
}
