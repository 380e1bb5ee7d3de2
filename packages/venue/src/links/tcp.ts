// Links between processes over TCP, or TLS: exactly one for each pair, proven by both sides with the link key, kept alive by what is sent
// anyway. Everybody calls every address there is; whoever is met there already, or is this process itself, is left again. If two call each
// other at the same time, the call of the one with the lower origin stands.

import { connect, createServer, isIP, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, TLSSocket, type Server as TlsServer, connect as tlsConnect } from 'node:tls'
import type { RegionName } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { LinkListener, Transport, VenueProcess } from '../ports.ts'
import { ADDRESSES_MAX, type Address, AddressBook, type Peer } from './address-book.ts'
import { greet } from './handshake.ts'
import { Link } from './link.ts'
import { Presence } from './presence.ts'
import { isOfHost, LinkTls, type LinkTlsFiles } from './tls.ts'

export type TcpTransportOptions = {
  readonly region: RegionName
  readonly origin: number
  readonly host: string
  readonly port: number
  /** Where processes listen; this one's own addresses may be among them. */
  readonly peers: readonly Peer[]
  /** 32 bytes, the same in every process. */
  readonly key: Uint8Array
  /** null: links are not encrypted. */
  readonly tls: LinkTlsFiles | null
  readonly logger: Logger
  /** Instead of the system's, as `address:port`. */
  readonly nameServers?: readonly string[]
}

const CONNECT_TIMEOUT_MS = 1_000
const RECONNECT_MS_FIRST = 30
const RECONNECT_MS_MAX = 500
const LINKS_MAX = ADDRESSES_MAX
/** Connections that have not proven themselves yet. */
const STRANGERS_MAX = 2 * LINKS_MAX

/** What goes on about one address. */
type Caller = {
  readonly address: Address
  socket: Socket | null
  timer: NodeJS.Timeout | undefined
  retry_ms: number
  /** Why it was refused last: said once. */
  refusal: string | null
  /** It is not listed any more; forgotten when its link is lost. */
  isUnlisted: boolean
  /** The process there has closed its link. */
  hasLeft: boolean
}

type Linked = { readonly process: VenueProcess; readonly link: Link; readonly isCallOfLower: boolean }

export class TcpTransport implements Transport {
  readonly regions: readonly RegionName[]
  readonly #options: TcpTransportOptions
  readonly #self: VenueProcess
  readonly #tls: LinkTls | null
  readonly #book: AddressBook
  readonly #presence: Presence
  readonly #callers = new Map<string, Caller>()
  readonly #links = new Map<number, Linked>()
  /** Processes that are just being proven on a call of this one. */
  readonly #proving = new Set<number>()
  readonly #strangers = new Set<Socket>()
  #server: Server | null = null
  #listener: LinkListener | null = null
  #closed = false

  /** Throws {@link LinkTlsFault} when the certificate cannot be used. */
  constructor(options: TcpTransportOptions) {
    const { region, origin, peers, tls, logger, nameServers } = options
    this.#options = options
    this.#self = { region, origin }
    this.#tls = tls === null ? null : new LinkTls(tls, logger)
    this.regions = [...new Set(peers.map((peer) => peer.region))]
    const named = new Set(peers.filter(({ host }) => isIP(host) === 0).map((peer) => peer.region))
    this.#presence = new Presence(
      this.#self,
      this.regions.filter((one) => !named.has(one)),
    )
    this.#book = new AddressBook({
      peers,
      logger,
      listed: (address) => this.#listed(address),
      unlisted: (address) => this.#unlisted(address),
      ...(nameServers === undefined ? {} : { nameServers }),
    })
  }

  async start(listener: LinkListener): Promise<void> {
    this.#listener = listener
    const { host, port, logger } = this.#options
    const server = this.#makeServer()
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        server.on('error', (error) => logger.error('the link port failed', { error }))
        resolve()
      })
    })
    this.#book.start()
  }

  isGone(process: VenueProcess): boolean {
    return !this.#links.has(process.origin) && this.#presence.isGone(process)
  }

  isDeserted(region: RegionName): boolean {
    const isLinked = [...this.#links.values()].some(({ process }) => process.region === region)
    return !isLinked && this.#presence.isDeserted(region)
  }

  send(origin: number, parts: readonly Uint8Array[]): boolean {
    const linked = this.#links.get(origin)
    if (linked === undefined) return false
    linked.link.send(parts)
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#book.close()
    this.#tls?.close()
    for (const caller of this.#callers.values()) clearTimeout(caller.timer)
    for (const socket of this.#strangers) socket.destroy()
    await Promise.all([...this.#links.values()].map(({ link }) => link.end()))
    const server = this.#server
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  // Addresses.

  #listed(address: Address): void {
    const known = this.#callers.get(address.key)
    if (known !== undefined) {
      known.isUnlisted = false
      return
    }
    const caller: Caller = {
      address,
      socket: null,
      timer: undefined,
      retry_ms: RECONNECT_MS_FIRST,
      refusal: null,
      isUnlisted: false,
      hasLeft: false,
    }
    this.#callers.set(address.key, caller)
    this.#presence.list(address.key, address.region)
    this.#call(caller)
  }

  /** A link that works says more than a name server. */
  #unlisted({ key }: Address): void {
    const caller = this.#callers.get(key)
    if (caller === undefined) return
    caller.isUnlisted = true
    const origin = this.#presence.originAt(key)
    if (origin === null || !this.#links.has(origin)) this.#forget(caller)
  }

  #forget(caller: Caller): void {
    clearTimeout(caller.timer)
    this.#callers.delete(caller.address.key)
    caller.socket?.destroy()
    this.#presence.unlist(caller.address.key, caller.hasLeft)
    this.#listener?.looked()
  }

  // Calls.

  #call(caller: Caller): void {
    const { address } = caller
    if (this.#closed || caller.socket !== null || caller.isUnlisted || this.#isKnown(address.key)) return
    const socket = this.#connect(address)
    caller.socket = socket
    let isRefused = false
    let isMet = false
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer')))
    socket.once('error', (error) => {
      isRefused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
      if (!isRefused && this.#tls !== null) this.#note(caller, error.message)
    })
    const onClose = () => {
      caller.socket = null
      if (this.#closed || this.#callers.get(address.key) !== caller) return
      if (isRefused) {
        if (this.#presence.refused(address.key)) this.#listener?.looked()
      } else if (!isMet) this.#presence.unsure(address.key)
      this.#callLater(caller)
    }
    socket.once('close', onClose)
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0)
      let proving: number | null = null
      socket.once('close', () => {
        if (proving !== null) this.#proving.delete(proving)
      })
      this.#greet(socket, {
        met: (process) => {
          const objection = this.#objection(socket, process, address.region)
          if (objection !== null) return objection
          isMet = true
          this.#found(caller, process.origin)
          if (this.#isKnown(address.key) || this.#proving.has(process.origin)) return 'leave'
          proving = process.origin
          this.#proving.add(proving)
          return null
        },
        refused: (reason) => this.#note(caller, reason),
        proven: (process, rest) => {
          socket.off('close', onClose)
          caller.socket = null
          this.#proving.delete(process.origin)
          this.#open(socket, process, rest, true)
        },
      })
    })
  }

  /** Who is there is this process, or has a link. */
  #isKnown(key: string): boolean {
    const origin = this.#presence.originAt(key)
    return origin !== null && (origin === this.#self.origin || this.#links.has(origin))
  }

  #found(caller: Caller, origin: number): void {
    const before = this.#presence.originAt(caller.address.key)
    caller.refusal = null
    caller.hasLeft = false
    caller.retry_ms = RECONNECT_MS_FIRST
    this.#presence.found(caller.address.key, origin)
    if (before !== origin) this.#listener?.looked()
  }

  #callLater(caller: Caller): void {
    clearTimeout(caller.timer)
    caller.timer = setTimeout(() => this.#call(caller), caller.retry_ms)
    caller.retry_ms = Math.min(caller.retry_ms * 2, RECONNECT_MS_MAX)
  }

  #note(caller: Caller, reason: string): void {
    if (caller.refusal === reason) return
    caller.refusal = reason
    const { region, key } = caller.address
    this.#options.logger.warn('no link', { region, address: key, reason })
  }

  // Meetings.

  #makeServer(): Server {
    const accept = (socket: Socket) => this.#accept(socket)
    const tls = this.#tls
    if (tls === null) return createServer({ noDelay: true }, accept)
    const server: TlsServer = createTlsServer(
      {
        ...tls.options,
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: CONNECT_TIMEOUT_MS,
        noDelay: true,
      },
      accept,
    )
    server.on('tlsClientError', (error, socket) => {
      // A caller that leaves again, or is cut off, is no fault.
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return
      this.#options.logger.warn('a link was refused', { from: socket.remoteAddress, reason: error.message })
    })
    tls.watch(() => server.setSecureContext(tls.options))
    return server
  }

  #connect({ host, port }: Address): Socket {
    const tls = this.#tls
    if (tls === null) return connect({ host, port })
    // Whose certificate it is can be checked once it has said who it is.
    const checkServerIdentity = () => undefined
    return tlsConnect({ host, port, secureContext: tls.context, minVersion: 'TLSv1.3', checkServerIdentity })
  }

  #accept(socket: Socket): void {
    if (this.#closed || this.#strangers.size >= STRANGERS_MAX) return void socket.destroy()
    this.#greet(socket, {
      met: (process) => {
        if (process.origin === this.#self.origin) return 'leave'
        if (!this.#links.has(process.origin) && this.#links.size >= LINKS_MAX) {
          return `there are links to ${LINKS_MAX} processes already`
        }
        return this.#objection(socket, process, null)
      },
      refused: (reason) => this.#options.logger.warn('a link was refused', { from: socket.remoteAddress, reason }),
      proven: (process, rest) => this.#open(socket, process, rest, false),
    })
  }

  #greet(socket: Socket, meeting: Omit<Parameters<typeof greet>[1], 'self' | 'key'>): void {
    this.#strangers.add(socket)
    socket.on('error', () => {}) // 'close' follows, and says enough
    socket.once('close', () => this.#strangers.delete(socket))
    greet(socket, {
      ...meeting,
      self: this.#self,
      key: this.#options.key,
      proven: (process, rest) => {
        this.#strangers.delete(socket)
        meeting.proven(process, rest)
      },
    })
  }

  /** Why there can be no link to who says it is that process. */
  #objection(socket: Socket, { region }: VenueProcess, expected: RegionName | null): string | null {
    if (expected !== null && region !== expected) return `it says it is ${region}`
    if (!this.regions.includes(region)) {
      return region === this.#self.region
        ? `it is another process of ${region}, whose own addresses LINK_PEERS of both has to list too`
        : `it says it is ${region}, which LINK_PEERS does not list`
    }
    if (!(socket instanceof TLSSocket)) return null
    const hosts = this.#options.peers.filter((peer) => peer.region === region).map(({ host }) => host)
    return isOfHost(socket.getPeerX509Certificate(), hosts)
      ? null
      : `it says it is ${region}, and its certificate is not of ${hosts.join(' or ')}`
  }

  // Links.

  #open(socket: Socket, process: VenueProcess, rest: Buffer, isOwnCall: boolean): void {
    const { origin, region } = process
    const isCallOfLower = isOwnCall === this.#self.origin < origin
    const former = this.#links.get(origin)
    if (former?.isCallOfLower === true && !isCallOfLower) return void socket.destroy()
    const link = new Link(socket, {
      received: (frame) => this.#listener?.received(origin, frame),
      ended: (reason, byPeer) => {
        if (this.#links.get(origin)?.link === link) this.#lost(process, reason, byPeer)
      },
    })
    if (former !== undefined) {
      // Both have called at once, or the peer lost the connection before this side did.
      former.link.destroy()
      this.#links.delete(origin)
      this.#listener?.down(process)
    }
    this.#links.set(origin, { process, link, isCallOfLower })
    this.#presence.alive(origin)
    this.#options.logger.info('link up', { region, origin })
    this.#listener?.up(process)
    link.begin(rest)
  }

  #lost(process: VenueProcess, reason: string, byPeer: boolean): void {
    const { region, origin } = process
    this.#links.delete(origin)
    if (this.#closed) return
    this.#options.logger.info('link lost', { region, origin, reason })
    for (const key of this.#presence.addressesOf(origin)) {
      const caller = this.#callers.get(key)
      if (caller === undefined) continue
      this.#presence.unsure(key)
      caller.hasLeft = byPeer
      caller.retry_ms = RECONNECT_MS_FIRST
      if (caller.isUnlisted) this.#forget(caller)
      else this.#callLater(caller)
    }
    this.#listener?.down(process)
  }
}
