// Links between regions over TCP: one connection a pair, opened by the region whose name sorts first, proven by both sides with the link
// key, kept alive by what is sent anyway. Promises whole frames in order; a bound on what waits; and to say when a peer's process is gone
// (its port refuses) rather than merely silent.
//
//   hello   4 bytes "WTL1", u8 length of the region's name, name, u32 origin, 32 random bytes
//   proof   HMAC-SHA256(link key, "wintrades link" · own hello · peer's hello)
//   frame   u32 length, bytes

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { RegionName } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { LinkListener, Transport } from '../ports.ts'
import { FRAME_BYTES_MAX } from './frames.ts'

export type Peer = { readonly region: RegionName; readonly host: string; readonly port: number }

export type TcpTransportOptions = {
  readonly region: RegionName
  readonly origin: number
  readonly host: string
  readonly port: number
  readonly peers: readonly Peer[]
  /** 32 bytes, the same in every region. */
  readonly key: Uint8Array
  readonly logger: Logger
}

const MAGIC = Buffer.from('WTL1')
const NONCE_BYTES = 32
const PROOF_BYTES = 32
const HELLO_BYTES_MAX = MAGIC.length + 1 + 255 + 4 + NONCE_BYTES
const HANDSHAKE_TIMEOUT_MS = 2_000
const CONNECT_TIMEOUT_MS = 1_000
const RECONNECT_MS_FIRST = 30
const RECONNECT_MS_MAX = 500
/** A peer says something at least every 400 ms. */
const SILENCE_MS = 2_000
/** What may wait for a slow peer; past it the link is cut, and the peer reads the journal. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024

export class TcpTransport implements Transport {
  readonly regions: readonly RegionName[]
  readonly #options: TcpTransportOptions
  readonly #links = new Map<RegionName, Link>()
  readonly #timers = new Map<RegionName, NodeJS.Timeout>()
  readonly #retry_ms = new Map<RegionName, number>()
  /** Connections that have not proven themselves yet. */
  readonly #strangers = new Set<Socket>()
  #server: Server | null = null
  #listener: LinkListener | null = null
  #closed = false

  constructor(options: TcpTransportOptions) {
    this.#options = options
    this.regions = options.peers.map((peer) => peer.region)
  }

  async start(listener: LinkListener): Promise<void> {
    this.#listener = listener
    const server = createServer((socket) => this.#accept(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#options.port, this.#options.host, () => {
        server.off('error', reject)
        server.on('error', (error) => this.#options.logger.error('the link port failed', { error }))
        resolve()
      })
    })
    for (const peer of this.#options.peers) if (this.#dials(peer)) this.#dial(peer)
  }

  isUp(region: RegionName): boolean {
    return this.#links.has(region)
  }

  send(region: RegionName, parts: readonly Uint8Array[]): boolean {
    const link = this.#links.get(region)
    if (link === undefined) return false
    link.send(parts)
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const socket of this.#strangers) socket.destroy()
    await Promise.all([...this.#links.values()].map((link) => link.end()))
    const server = this.#server
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  #dials(peer: Peer): boolean {
    return this.#options.region < peer.region
  }

  #dial(peer: Peer): void {
    const { region } = peer
    if (this.#closed || this.#links.has(region)) return
    const socket = connect({ host: peer.host, port: peer.port })
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
    let refused = false
    socket.once('connect', () => {
      socket.setTimeout(0)
      this.#greet(socket, peer)
    })
    socket.once('error', (error) => {
      refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
    })
    socket.once('close', () => {
      if (this.#closed) return
      if (refused) this.#listener?.down(region, true)
      this.#later(region, () => this.#dial(peer))
    })
  }

  /** The other side dials; when it is lost, a look tells whether its process is still there. */
  #probe(peer: Peer): void {
    const { region } = peer
    if (this.#closed || this.#links.has(region)) return
    const socket = connect({ host: peer.host, port: peer.port })
    let alive = false
    let refused = false
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy())
    // Only its hello shows that it lives: the port of a process that is just dying still takes connections.
    socket.once('data', () => {
      alive = true
      socket.destroy()
    })
    socket.once('error', (error) => {
      refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
    })
    socket.once('close', () => {
      if (this.#closed || this.#links.has(region) || alive) return
      if (refused) this.#listener?.down(region, true)
      else this.#later(region, () => this.#probe(peer))
    })
  }

  #later(region: RegionName, action: () => void): void {
    const wait_ms = this.#retry_ms.get(region) ?? RECONNECT_MS_FIRST
    this.#retry_ms.set(region, Math.min(wait_ms * 2, RECONNECT_MS_MAX))
    clearTimeout(this.#timers.get(region))
    this.#timers.set(region, setTimeout(action, wait_ms))
  }

  #accept(socket: Socket): void {
    this.#greet(socket, null)
  }

  /** Both sides say who they are, then prove it; only then is there a link. */
  #greet(socket: Socket, expected: Peer | null): void {
    const { region, origin, key, logger } = this.#options
    this.#strangers.add(socket)
    socket.setNoDelay(true)
    const hello = makeHello(region, origin)
    let heard = Buffer.alloc(0)
    let peerHello: { readonly bytes: Buffer; readonly region: RegionName; readonly origin: number } | null = null
    const timer = setTimeout(() => refuse('it did not prove itself in time'), HANDSHAKE_TIMEOUT_MS)
    const refuse = (reason: string) => {
      logger.warn('a link was refused', { from: expected?.region ?? socket.remoteAddress, reason })
      socket.destroy()
    }
    const listen = (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk])
      if (peerHello === null) {
        peerHello = readHello(heard)
        if (peerHello === null) {
          if (heard.length > HELLO_BYTES_MAX || !heard.subarray(0, 4).equals(MAGIC.subarray(0, heard.length))) {
            refuse('it is no region of WinTrades')
          }
          return
        }
        heard = heard.subarray(peerHello.bytes.length)
        socket.write(prove(key, hello, peerHello.bytes))
      }
      if (heard.length < PROOF_BYTES) return
      const peer = this.#options.peers.find((one) => one.region === peerHello?.region)
      if (peer === undefined || (expected !== null && expected.region !== peer.region)) {
        return refuse(`it says it is ${peerHello.region}`)
      }
      if (!timingSafeEqual(heard.subarray(0, PROOF_BYTES), prove(key, peerHello.bytes, hello))) {
        return refuse('it does not have the link key')
      }
      clearTimeout(timer)
      socket.off('data', listen)
      this.#strangers.delete(socket)
      this.#open(socket, peer, peerHello.origin, heard.subarray(PROOF_BYTES))
    }
    socket.on('data', listen)
    socket.on('error', () => {}) // 'close' follows, and says enough
    socket.once('close', () => {
      clearTimeout(timer)
      this.#strangers.delete(socket)
    })
    socket.write(hello)
  }

  #open(socket: Socket, peer: Peer, origin: number, rest: Buffer): void {
    const { region } = peer
    const link = new Link(socket, {
      received: (frame) => this.#listener?.received(region, frame),
      ended: (reason) => {
        if (this.#links.get(region) !== link) return
        this.#links.delete(region)
        if (this.#closed) return
        this.#options.logger.info('link lost', { region, reason })
        this.#listener?.down(region, false)
        if (!this.#dials(peer)) this.#probe(peer)
      },
    })
    const former = this.#links.get(region)
    this.#links.set(region, link)
    if (former !== undefined) {
      // The peer has started again, or lost the connection before this side did.
      former.destroy()
      this.#listener?.down(region, false)
    }
    this.#retry_ms.delete(region)
    this.#options.logger.info('link up', { region })
    this.#listener?.up(region, origin)
    link.begin(rest)
  }
}

class Link {
  readonly #socket: Socket
  readonly #events: { received(frame: Uint8Array): void; ended(reason: string): void }
  #partial: Buffer[] = []
  #partialBytes = 0
  #ended = false

  constructor(socket: Socket, events: { received(frame: Uint8Array): void; ended(reason: string): void }) {
    this.#socket = socket
    this.#events = events
  }

  begin(rest: Buffer): void {
    const socket = this.#socket
    socket.setTimeout(SILENCE_MS, () => this.#end('silent for too long'))
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end('closed'))
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
    this.#ended = true
    this.#socket.destroy()
  }

  /** Sends what waits, then closes. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
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

  #end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    this.#events.ended(reason)
  }
}

function makeHello(region: RegionName, origin: number): Buffer {
  const name = Buffer.from(region)
  const tail = Buffer.alloc(4)
  tail.writeUInt32LE(origin)
  return Buffer.concat([MAGIC, Buffer.from([name.length]), name, tail, randomBytes(NONCE_BYTES)])
}

/** null: not whole yet, or no hello. */
function readHello(heard: Buffer): { bytes: Buffer; region: RegionName; origin: number } | null {
  if (heard.length < 5 || !heard.subarray(0, 4).equals(MAGIC)) return null
  const nameEnd = 5 + (heard[4] as number)
  const end = nameEnd + 4 + NONCE_BYTES
  if (heard.length < end) return null
  return {
    bytes: Buffer.from(heard.subarray(0, end)),
    region: heard.toString('utf8', 5, nameEnd) as RegionName,
    origin: heard.readUInt32LE(nameEnd),
  }
}

/** A side proves both hellos, its own first, so that neither its words nor its proof can be sent back to it. */
function prove(key: Uint8Array, own: Buffer, other: Buffer): Buffer {
  return createHmac('sha256', key).update('wintrades link').update(own).update(other).digest()
}
