// Clients that trade through the load balancer and forgive nothing: every request is sent once, every answer but a success is written down. In each region a
// buyer and a seller trade with each other at one price, so that what one buys the other has sold.

import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Pool } from 'undici'
import { ApiClient, type OrderView, valueOrThrow } from '../client/index.ts'

export type Failure = { readonly at_ms: number; readonly region: string; readonly what: string }

type Trader = {
  readonly region: string
  readonly symbol: string
  readonly price: string
  readonly quantity: string
  readonly side: 'BUY' | 'SELL'
  readonly client: ApiClient
  readonly email: string
  readonly password: string
}

const EVERY_MS = 100
const AGAIN_MS = 500
const UNITS = 1e8
const TIMEOUT_MS = 10_000
const READY_MS = 60_000

export class Traders {
  readonly failures: Failure[] = []
  /** The client ids of orders that were acknowledged. */
  readonly acknowledged: { readonly trader: Trader; readonly clientOrderId: string; readonly at_ms: number }[] = []
  /** The region that answered, whenever another one did than before. */
  readonly answered: { readonly at_ms: number; readonly region: string; readonly by: string }[] = []
  readonly #traders: readonly Trader[]
  readonly #pool: Pool
  readonly #stopping = new AbortController()
  readonly #running: Promise<unknown>

  private constructor(traders: readonly Trader[], pool: Pool) {
    this.#traders = traders
    this.#pool = pool
    this.#running = Promise.all(traders.map((trader) => this.#trade(trader)))
  }

  /** `ca`: of a certificate that nobody else vouches for. */
  static async start(
    baseUrl: string,
    ca: string | undefined,
    regions: readonly string[],
    servername = 'localhost',
  ): Promise<Traders> {
    const tls = { servername, ...(ca === undefined ? {} : { ca }) }
    const traders: Trader[] = []
    for (const region of regions) {
      for (const side of ['SELL', 'BUY'] as const) {
        const client = new ApiClient({ baseUrls: [baseUrl], region, tls, deadline_ms: READY_MS })
        const email = `trader-${randomBytes(8).toString('hex')}@wintrades.invalid`
        const password = randomBytes(18).toString('base64url')
        await open(client, email, password)
        const answer = valueOrThrow(await client.instruments(), 'instruments')
        const all = 'items' in answer ? answer.items : answer
        const instrument = all.find(({ shard, referencePrice }) => shard === region && referencePrice !== undefined)
        if (instrument?.referencePrice === undefined) throw new Error(`${region} has no instrument with a price`)
        const { symbol, referencePrice: price, lotSize: quantity } = instrument
        traders.push({ region, symbol, price, quantity, side, client, email, password })
      }
    }
    return new Traders(traders, new Pool(baseUrl, { connections: 2 * traders.length, connect: tls }))
  }

  /** No more orders; resolves when every answer is there. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async close(): Promise<void> {
    await this.stop()
    await this.cancelAll()
    await Promise.all([this.#pool.destroy(), ...this.#traders.map(({ client }) => client.close())])
  }

  /** Cancels what rests, which would trade with whoever comes next. */
  async cancelAll(): Promise<void> {
    await Promise.all(this.#traders.map(({ client }) => client.cancelOrders()))
  }

  /** Sessions are those of one deployment. */
  async logInAgain(): Promise<void> {
    for (const { client, email, password } of this.#traders) valueOrThrow(await client.login(email, password), 'log-in')
  }

  /** The longest time without an acknowledgement in a region since `since_ms` (of performance.now()). */
  silence_ms(region: string, since_ms: number): number {
    const times = this.acknowledged.filter(({ trader }) => trader.region === region).map(({ at_ms }) => at_ms)
    let before_ms = since_ms
    let longest_ms = 0
    for (const at_ms of [...times.filter((time_ms) => time_ms > since_ms), performance.now()]) {
      longest_ms = Math.max(longest_ms, at_ms - before_ms)
      before_ms = at_ms
    }
    return longest_ms
  }

  /** What became of a region's requests since then: who answered, and what had no success, the same in a row as one line. */
  tell(region: string, since_ms: number): readonly string[] {
    const lines: { text: string; first_ms: number; last_ms: number; count: number }[] = []
    const all = [
      ...this.failures.map(({ what, ...one }) => ({ ...one, text: codeOf(what) })),
      ...this.answered.map(({ by, ...one }) => ({ ...one, text: `answered by ${by}` })),
    ]
    for (const { at_ms, text, region: of } of all.sort((one, other) => one.at_ms - other.at_ms)) {
      if (of !== region || at_ms <= since_ms) continue
      const last = lines.at(-1)
      if (last?.text === text) Object.assign(last, { last_ms: at_ms, count: last.count + 1 })
      else lines.push({ text, first_ms: at_ms, last_ms: at_ms, count: 1 })
    }
    const seconds = (at_ms: number) => ((at_ms - since_ms) / 1_000).toFixed(2)
    return lines.map(({ text, first_ms, last_ms, count }) =>
      count === 1
        ? `${region} after ${seconds(first_ms)} s: ${text}`
        : `${region} after ${seconds(first_ms)} to ${seconds(last_ms)} s: ${text} (${count} times)`,
    )
  }

  /** Every acknowledged order that the platform has now, as it has it: fewer than were acknowledged where one is lost. */
  async readAll(): Promise<readonly OrderView[]> {
    const read = async (trader: Trader): Promise<OrderView[]> => {
      const orders: OrderView[] = []
      for (const { clientOrderId } of this.acknowledged.filter((one) => one.trader === trader)) {
        const answer = await trader.client.order({ clientOrderId, symbol: trader.symbol })
        if (!answer.ok && answer.error.code === 'NOT_FOUND') continue
        orders.push(valueOrThrow(answer, `${clientOrderId} of ${trader.region}`))
      }
      return orders
    }
    // One after another for each: it is their orders that are to be proven, not how many questions can be asked at once.
    return (await Promise.all(this.#traders.map(read))).flat()
  }

  async #trade(trader: Trader): Promise<void> {
    const stop = this.#stopping.signal
    let answeredBy = ''
    while (!stop.aborted) {
      const clientOrderId = `strict-${randomBytes(8).toString('hex')}`
      const by = await this.#send(trader, clientOrderId)
      if (by !== null && by !== answeredBy) {
        answeredBy = by
        this.answered.push({ at_ms: performance.now(), region: trader.region, by })
      }
      await pause(EVERY_MS)
    }
  }

  /** The region that acknowledged it; null: none did. */
  async #send(trader: Trader, clientOrderId: string): Promise<string | null> {
    const { region, symbol, price, quantity, side } = trader
    try {
      const response = await this.#pool.request({
        method: 'POST',
        path: '/api/v1/orders',
        headers: {
          'content-type': 'application/json',
          'x-wintrades-region': region,
          authorization: `Bearer ${trader.client.session?.accessToken}`,
        },
        body: JSON.stringify({ symbol, side, type: 'LIMIT', timeInForce: 'GTC', price, quantity, clientOrderId }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const text = await response.body.text()
      const at_ms = performance.now()
      if (response.statusCode === 200 || response.statusCode === 201) {
        this.acknowledged.push({ trader, clientOrderId, at_ms })
        return String(response.headers['x-wintrades-region'])
      }
      this.failures.push({ at_ms, region, what: `${response.statusCode} ${text.slice(0, 200)}` })
    } catch (error) {
      this.failures.push({ at_ms: performance.now(), region, what: String(error) })
    }
    return null
  }
}

/** Of an answer its status and code. */
function codeOf(what: string): string {
  const code = what.match(/^(\d{3}) .*?"code":"(\w+)"/)
  return code === null ? what : `${code[1]} ${code[2]}`
}

/** Of each symbol, what was bought and what was sold, in units finer than any lot. */
export function filledOf(
  orders: readonly Pick<OrderView, 'symbol' | 'side' | 'cumQty'>[],
): ReadonlyMap<string, { readonly bought: number; readonly sold: number }> {
  const filled = new Map<string, { bought: number; sold: number }>()
  for (const { symbol = '', side, cumQty } of orders) {
    const sums = filled.get(symbol) ?? { bought: 0, sold: 0 }
    sums[side === 'BUY' ? 'bought' : 'sold'] += Math.round(Number(cumQty) * UNITS)
    filled.set(symbol, sums)
  }
  return filled
}

/** It may have been registered where no answer came: then it can log in. */
async function open(client: ApiClient, email: string, password: string): Promise<void> {
  const deadline_ms = performance.now() + READY_MS
  for (;;) {
    const registered = await client.register(email, password)
    const session = await client.login(email, password)
    if (session.ok) return
    if (performance.now() > deadline_ms) valueOrThrow(registered.ok ? session : registered, 'an account')
    await pause(AGAIN_MS)
  }
}
