// The clients of a drill: each wishes, sends, and writes down what it sent and what it was told. What stays without an answer is
// sent again with the same client id at another region until something is known or the drill's patience ends.

import { setTimeout as pause } from 'node:timers/promises'
import type { AccountId } from '@wintrades/domain'
import type { Answer, Sending } from './history.ts'
import type { Population, Wish } from './population.ts'

/** One way into the platform: a region, over REST or WebSocket. */
export interface Connection {
  readonly region: string
  /** Sends once. `unknown` when no answer came, whatever the reason; never throws for what the platform does. */
  send(wish: Wish, clientId: string): Promise<Answer>
  close(): void
}

export type LoadClientOptions = {
  readonly name: string
  readonly account: AccountId
  /** The client's own region first. */
  readonly connections: readonly Connection[]
  readonly population: Population
  /** Commands a second this client aims at. */
  readonly rate: number
  readonly now_ms: () => number
  readonly record: (sending: Sending) => void
}

/** Per shard. */
const IN_FLIGHT_MAX = 16
const RETRY_PAUSE_MS = 150
/** Once nothing new is sent: many who ask on and on keep a busy platform from answering any of them. */
const SETTLE_PAUSE_MAX_MS = 2_000
const DENIED_PAUSE_MS = 50

export class LoadClient {
  readonly #options: LoadClientOptions
  readonly #inFlight = new Map<number, number>()
  #count = 0

  constructor(options: LoadClientOptions) {
    this.#options = options
  }

  /** Sends until `stop` aborts, then settles what is unknown until `giveUp` aborts. */
  async run(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const inFlight = new Set<Promise<void>>()
    const start_ms = this.#options.now_ms()
    for (let sent = 0; !stop.aborted; sent++) {
      const due_ms = start_ms + (sent * 1_000) / this.#options.rate
      const early_ms = due_ms - this.#options.now_ms()
      if (early_ms > 1) await pause(early_ms)
      const wish = this.#options.population.next()
      // A shard without a leader must not keep this client from the others: what finds no room is not sent.
      const waiting = this.#inFlight.get(wish.shard) ?? 0
      if (waiting >= IN_FLIGHT_MAX) continue
      this.#inFlight.set(wish.shard, waiting + 1)
      const task = this.#fulfil(wish, stop, giveUp).finally(() => {
        inFlight.delete(task)
        this.#inFlight.set(wish.shard, (this.#inFlight.get(wish.shard) ?? 1) - 1)
      })
      inFlight.add(task)
    }
    await Promise.all(inFlight)
  }

  async #fulfil(wish: Wish, stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { name, population, connections } = this.#options
    const clientId = `${name}-${this.#count++}`
    let unsettled = false
    let settle_ms = RETRY_PAUSE_MS
    for (let attempt = 0; attempt === 0 || !giveUp.aborted; attempt++) {
      const connection = connections[attempt % connections.length]
      if (connection === undefined) throw new RangeError('a client needs a connection')
      const answer = await this.#send(connection, wish, clientId)
      if (answer.outcome === 'acknowledged') {
        if (wish.kind === 'order' && wish.timeInForce === 'GTC' && answer.order !== 0) {
          population.rests({ order: answer.order, shard: wish.shard, symbol: wish.symbol })
        }
        return
      }
      if (answer.outcome === 'rejected') return
      if (answer.outcome === 'unknown') unsettled = true
      if (!unsettled && attempt + 1 >= connections.length) return
      await pause(unsettled ? settle_ms : DENIED_PAUSE_MS)
      if (stop.aborted) settle_ms = Math.min(settle_ms * 2, SETTLE_PAUSE_MAX_MS)
    }
  }

  async #send(connection: Connection, wish: Wish, clientId: string): Promise<Answer> {
    const { account, now_ms, record } = this.#options
    const sentAt_ms = now_ms()
    const answer = await connection.send(wish, clientId)
    const { shard, intent } = wish
    const answeredAt_ms = answer.outcome === 'unknown' ? null : now_ms()
    record({ shard, account, clientId, intent, region: connection.region, sentAt_ms, answeredAt_ms, answer })
    return answer
  }
}
