// Load over HTTP/1.1: batches of orders, each connection with one request under way.

import { Pool } from 'undici'
import type { LoadMeter } from './load-meter.ts'
import type { OrderMix } from './order-mix.ts'

export type RestLoadOptions = {
  readonly baseUrl: string
  readonly token: string
  readonly mix: OrderMix
  readonly ordersPerRequest: number
  readonly meter: LoadMeter
  readonly connections: number
}

export class RestLoad {
  readonly #options: RestLoadOptions
  readonly #pool: Pool

  constructor(options: RestLoadOptions) {
    this.#options = options
    this.#pool = new Pool(options.baseUrl, { connections: options.connections })
  }

  /** Sends one batch; resolves when it is answered. */
  async send(): Promise<void> {
    const { mix, ordersPerRequest, meter, token } = this.#options
    let body = `{"orders":[${mix.next()}`
    for (let i = 1; i < ordersPerRequest; i++) body += `,${mix.next()}`
    body += ']}'
    meter.inFlight += ordersPerRequest
    const start_ms = performance.now()
    const answer = await this.#pool.request({
      method: 'POST',
      path: '/api/v1/orders/batch',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    })
    const text = await answer.body.text()
    const latency_ms = performance.now() - start_ms
    const refused = refusedIn(text, answer.statusCode, ordersPerRequest)
    if (refused > 0) meter.refusal(text)
    meter.answered(ordersPerRequest - refused, refused, latency_ms)
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

function refusedIn(text: string, status: number, orders: number): number {
  if (status !== 200) return orders
  if (!text.includes('"error"')) return 0
  const { results } = JSON.parse(text) as { results: readonly { error?: unknown }[] }
  return results.filter((one) => one.error !== undefined).length
}
