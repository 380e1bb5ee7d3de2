// The accounts of a replay: registered through the public API, given the funds that the recording needs, each with a stream of its
// own to the region at home with the instrument; and their trades, read back at the end.

import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import {
  ApiClient,
  type BalanceView,
  type InstrumentView,
  type OrderRequest,
  type OrderView,
  type PageOf,
  type Result,
  StreamClient,
  valueOrThrow,
} from '../client/index.ts'
import type { Grid } from './grid.ts'
import type { Need } from './survey.ts'
import type { Operation } from './translate.ts'

const DEADLINE_MS = 30_000
const PAGE_ROWS = 500
const FUNDS_TIMEOUT_MS = 15_000
const FUNDS_POLL_MS = 100
/** On top of what the recording needs, for fees and roundings. */
const FUNDS_MARGIN = 1.02

export type AccountOptions = {
  readonly baseUrl: string
  readonly instrument: InstrumentView
  readonly grid: Grid
  readonly onLost: (reason: string) => void
}

type Execution = { readonly tradeId: string; readonly quantity: string; readonly liquidity: string }

export class ReplayAccount {
  readonly stream: StreamClient
  readonly #api: ApiClient
  readonly #options: AccountOptions

  private constructor(api: ApiClient, options: AccountOptions) {
    const { baseUrl, instrument, onLost } = options
    this.#api = api
    this.#options = options
    this.stream = new StreamClient({
      baseUrls: [baseUrl],
      region: instrument.shard,
      deadline_ms: DEADLINE_MS,
      authenticate: async () => {
        const token = await api.accessToken()
        return token.ok ? { ok: true, value: { token: token.value } } : token
      },
      onStatus: (status) => {
        if (status.kind === 'lost') onLost(status.reason)
      },
    })
  }

  static async open(options: AccountOptions, need: Need['accounts'][number]): Promise<ReplayAccount> {
    const { baseUrl, instrument } = options
    const api = new ApiClient({
      baseUrls: [baseUrl],
      region: instrument.shard,
      deadline_ms: DEADLINE_MS,
      connections: 2,
    })
    const email = `replay-${randomBytes(8).toString('hex')}@replay.invalid`
    const password = randomBytes(24).toString('base64url')
    valueOrThrow(await api.register(email, password), 'register an account')
    valueOrThrow(await api.login(email, password), 'log in')
    const account = new ReplayAccount(api, options)
    await account.#fund(need)
    valueOrThrow(await account.stream.connect(), 'open a stream')
    return account
  }

  send(operation: Operation): Promise<Result<OrderView>> {
    const { instrument, grid } = this.#options
    const { symbol } = instrument
    const name = { clientOrderId: operation.name, symbol }
    switch (operation.kind) {
      case 'cancel':
        return this.stream.cancel(name)
      case 'replace':
        return this.stream.replace(name, { quantity: grid.quantity(operation.lots) })
      case 'place':
        return this.stream.place(orderOf(operation, symbol, grid))
    }
  }

  /** Its executions as the one that took, all of them. */
  async taken(): Promise<readonly Execution[]> {
    const executions: Execution[] = []
    let cursor: string | undefined
    do {
      const filter = { symbol: this.#options.instrument.symbol, limit: PAGE_ROWS, cursor }
      const page = valueOrThrow(await this.#api.trades(filter), 'read trades') as PageOf<Execution>
      executions.push(...page.items.filter((one) => one.liquidity === 'TAKER'))
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)
    return executions
  }

  /** Leaves no order behind. */
  async close(): Promise<void> {
    if (this.stream.connected) await this.stream.massCancel({ symbol: this.#options.instrument.symbol })
    this.stream.close()
    await this.#api.close()
  }

  async #fund(need: Need['accounts'][number]): Promise<void> {
    const { instrument, grid } = this.#options
    const { base, quote, shard } = instrument
    const wanted = [
      [base, Number(grid.quantity(need.base))],
      [quote, grid.notional(need.quote)],
    ] as const
    const had = await this.#balances()
    for (const [asset, amount] of wanted) {
      const missing = Math.ceil(amount * FUNDS_MARGIN) - Number(had.find((one) => one.asset === asset)?.available ?? 0)
      if (missing <= 0) continue
      const request = { asset, region: shard, amount: Math.ceil(missing).toFixed(0) }
      valueOrThrow(await this.#api.deposit(request), `deposit ${request.amount} ${asset}`)
    }
    await this.#untilThere(wanted)
  }

  /** A deposit is there when its answer is, but this region may read it a moment later. */
  async #untilThere(wanted: readonly (readonly [asset: string, amount: number])[]): Promise<void> {
    const deadline_ms = performance.now() + FUNDS_TIMEOUT_MS
    for (;;) {
      const balances = await this.#balances()
      const available = (asset: string) => Number(balances.find((one) => one.asset === asset)?.available ?? 0)
      if (wanted.every(([asset, amount]) => available(asset) >= amount)) return
      if (performance.now() > deadline_ms) throw new Error('what was deposited has not arrived')
      await pause(FUNDS_POLL_MS)
    }
  }

  async #balances(): Promise<readonly BalanceView[]> {
    const answer = valueOrThrow(await this.#api.balances(), 'read balances')
    const balances = 'items' in answer ? answer.items : answer
    return balances.filter((one) => one.shard === undefined || one.shard === this.#options.instrument.shard)
  }
}

function orderOf(operation: Operation & { readonly kind: 'place' }, symbol: string, grid: Grid): OrderRequest {
  return {
    symbol,
    side: operation.side,
    type: 'LIMIT',
    timeInForce: operation.rests ? 'GTC' : 'IOC',
    price: grid.price(operation.price),
    quantity: grid.quantity(operation.lots),
    selfTradePrevention: 'NONE',
    clientOrderId: operation.name,
  }
}
