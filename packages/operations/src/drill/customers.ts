// The accounts of a drill: registered through the public API, each with a region of its own and ways into the others, and left
// without open orders at the end.

import { randomUUID } from 'node:crypto'
import { type AccountId, type Markets, type OrderId, type ShardIndex, shardOfOrder } from '@wintrades/domain'
import { lots } from './answers.ts'
import { RestConnection, StreamConnection } from './connections.ts'
import type { OrderReading, Sending } from './history.ts'
import type { Connection } from './load.ts'
import type { Target } from './target.ts'
import { until } from './watch.ts'

export type CustomerOptions = { readonly target: Target; readonly markets: Markets; readonly clients: number }

const REGISTER_TIMEOUT_MS = 20_000
const READINGS_MAX = 200
/** A shard that is just changing its leader, a history that is still catching up: asked again. */
const ASK_TIMEOUT_MS = 60_000

type OrderJson = { readonly orderId: string; readonly symbol: string; readonly status: string; readonly cumQty: string }

export class Customer {
  readonly account: AccountId
  /** Its own region first; that one over WebSocket for every second customer. */
  readonly connections: readonly Connection[]
  readonly #markets: Markets
  readonly #readers: readonly RestConnection[]

  constructor(
    account: AccountId,
    connections: readonly Connection[],
    readers: readonly RestConnection[],
    markets: Markets,
  ) {
    this.account = account
    this.connections = connections
    this.#readers = readers
    this.#markets = markets
  }

  /** Cancels whatever is open, so that nothing of the drill changes any more. */
  async cancelAll(): Promise<void> {
    const [reader] = this.#readers
    if (reader === undefined) return
    for (const { symbol } of this.#markets.instruments)
      await askUntilAnswered(reader, 'DELETE', `/orders?symbol=${symbol}`)
  }

  /** Reads some of this account's orders back, each at a region that need not be the one that was told. */
  async read(sendings: readonly Sending[]): Promise<readonly OrderReading[]> {
    const orders = sendings.flatMap(({ account, answer, intent }) =>
      account === this.account && intent.kind === 'order' && answer.outcome === 'acknowledged' && answer.order !== 0
        ? [answer]
        : [],
    )
    const step = Math.max(1, Math.ceil(orders.length / READINGS_MAX))
    const readings: OrderReading[] = []
    for (let i = 0; i < orders.length; i += step) {
      const answer = orders[i]
      const reader = this.#readers[i % this.#readers.length]
      if (answer === undefined || reader === undefined) continue
      const shard = shardOfOrder(answer.order as OrderId)
      const name = this.#markets.shards[shard]?.name ?? String(shard)
      readings.push(await this.#readOne(reader, answer.order as OrderId, shard, `?minSeq=${name}:${answer.seq}`))
    }
    return readings
  }

  close(): void {
    for (const connection of this.connections) connection.close()
  }

  async #readOne(reader: RestConnection, order: OrderId, shard: ShardIndex, query: string): Promise<OrderReading> {
    const json = await askUntilAnswered<OrderJson>(reader, 'GET', `/orders/${order}${query}`)
    const instrument = this.#markets.instruments.find((one) => one.symbol === json.symbol)
    if (instrument === undefined)
      throw new Error(`order ${order} is of ${json.symbol}, which markets.yml does not list`)
    const open = json.status === 'NEW' || json.status === 'PARTIALLY_FILLED'
    return { shard, order, region: reader.region, cumQty: lots(instrument, json.cumQty), open }
  }
}

async function askUntilAnswered<Body>(reader: RestConnection, method: string, path: string): Promise<Body> {
  let last: unknown
  const answer = await until(async () => {
    try {
      return { body: await reader.ask<Body>(method, path) }
    } catch (error) {
      last = error
      return null
    }
  }, ASK_TIMEOUT_MS)
  if (answer === null) throw last
  return answer.body
}

/** Registers the customers of a drill, spread over the regions. */
export async function openCustomers({ target, markets, clients }: CustomerOptions): Promise<readonly Customer[]> {
  const regions = [...new Set(markets.shards.flatMap((shard) => shard.regions))]
  const customers: Customer[] = []
  for (let i = 0; i < clients; i++) {
    const { token, account } = await register(target.baseUrl)
    const order = regions.map((_, at) => regions[(i + at) % regions.length] as string)
    const options = order.map((region) => ({ baseUrl: target.baseUrl, region, token, markets }))
    const viaStream = Math.floor(i / regions.length) % 2 === 0
    const connections = options.map((one) => (viaStream ? new StreamConnection(one) : new RestConnection(one)))
    customers.push(
      new Customer(
        account,
        connections,
        options.map((one) => new RestConnection(one)),
        markets,
      ),
    )
  }
  return customers
}

/** A new account with its first funds; asks again while the platform says that it is busy. */
export async function register(baseUrl: string): Promise<{ token: string; account: AccountId }> {
  const body = { email: `drill-${randomUUID()}@example.com`, password: randomUUID() }
  const registered = await until(() => postWhileBusy(`${baseUrl}/api/v1/auth/register`, body), REGISTER_TIMEOUT_MS, 500)
  const tokens = await until(() => postWhileBusy(`${baseUrl}/api/v1/auth/login`, body), REGISTER_TIMEOUT_MS, 500)
  if (registered === null || tokens === null) throw new Error('the platform is too busy to register an account')
  return { token: String(tokens['accessToken']), account: Number(tokens['accountId']) as AccountId }
}

async function postWhileBusy(url: string, body: object): Promise<Record<string, unknown> | null> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(REGISTER_TIMEOUT_MS),
  })
  const text = await response.text()
  if (response.status === 429 || response.status === 503) return null
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}
