// A plain WebSocket client for tests: sends what it is told, keeps what it hears.

import { type ClientOptions, WebSocket } from 'ws'

export type Message = Readonly<Record<string, unknown>> & {
  readonly id?: number | string | null
  readonly ok?: boolean
  readonly channel?: string
  readonly type?: string
  readonly sequence?: unknown
  readonly data?: unknown
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: string }
}

export class StreamPeer {
  /** Everything that came, in order. */
  readonly heard: Message[] = []
  /** Set once the connection is closed. */
  closed: { readonly code: number; readonly reason: string } | null = null
  readonly socket: WebSocket
  readonly #waiting = new Map<number, (message: Message) => void>()
  #ids = 0

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString()) as Message
      this.heard.push(message)
      if (typeof message.id !== 'number') return
      this.#waiting.get(message.id)?.(message)
      this.#waiting.delete(message.id)
    })
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
    })
  }

  static open(url: string, options: ClientOptions = {}): Promise<StreamPeer> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, options)
    const peer = new StreamPeer(socket)
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(peer))
      socket.once('error', reject)
    })
  }

  /** Opened and authenticated. */
  static async of(url: string, account: number): Promise<StreamPeer> {
    const peer = await StreamPeer.open(url)
    await peer.ask({ op: 'auth', token: `account-${account}` })
    return peer
  }

  ask(operation: object): Promise<Message> {
    const id = ++this.#ids
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    this.socket.send(JSON.stringify({ id, ...operation }))
    return answer
  }

  place(order: object): Promise<Message> {
    return this.ask({ op: 'order.place', order })
  }

  subscribe(...channels: readonly object[]): Promise<Message> {
    return this.ask({ op: 'subscribe', channels })
  }

  pushes(channel: string): Message[] {
    return this.heard.filter((message) => message.channel === channel)
  }

  async close(): Promise<void> {
    if (this.closed !== null) return
    const gone = new Promise((resolve) => this.socket.once('close', resolve))
    this.socket.close()
    await gone
  }
}
