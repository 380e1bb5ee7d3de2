// One simulated account at work in its region: its stream, its orders, and its treasury, which keeps the account near the funds it
// began with as fees and luck move them. Promises that whatever it left open before is cancelled before it trades.

import type { Logger } from '@wintrades/platform'
import {
  ApiClient,
  type OrderRequest,
  type OrderView,
  type Result,
  StreamClient,
  type StreamCredentials,
  sign,
  signedText,
} from '../client/index.ts'
import type { SimulationAccount } from './accounts.ts'
import type { SimulatedMarket } from './market.ts'
import { type Funds, fundsIn, isOpen, ordersIn } from './reading.ts'

export type TraderOptions = {
  readonly account: SimulationAccount
  readonly baseUrl: string
  /** Begins the client order ids of this run of the program. */
  readonly run: string
  readonly logger: Logger
  /** An order of this account is no longer open. */
  readonly onOrderDone: (symbol: string, clientOrderId: string) => void
  /** None of its orders is open any more. */
  readonly onClean: () => void
}

const DEADLINE_MS = 10_000
/** Outside of this share of what it began with, the treasury deposits or withdraws the difference. */
const TREASURY_BAND = { low: 0.5, high: 1.8 } as const

export class Trader {
  readonly account: SimulationAccount
  readonly stream: StreamClient
  readonly #options: TraderOptions
  readonly #api: ApiClient
  readonly #refused = new Map<string, number>()
  #funds: Funds
  #clean = false
  #cleaning = false
  #orders = 0

  constructor(options: TraderOptions) {
    const { account, baseUrl, logger } = options
    this.#options = options
    this.account = account
    this.#funds = account.funds
    const place = { baseUrls: [baseUrl], region: account.region, deadline_ms: DEADLINE_MS }
    this.#api = new ApiClient({ ...place, key: account.key, connections: 1 })
    this.stream = new StreamClient({
      ...place,
      authenticate: async () => ({ ok: true, value: this.#credentials() }),
      onStatus: (status) => {
        this.#clean = false
        if (status.kind === 'connected') logger.info('connected', { url: status.url })
        else logger.warn('connection lost', { reason: status.reason, retryIn_ms: Math.round(status.retryIn_ms) })
      },
    })
    this.stream.subscribe({ channel: 'orders' }, (push) => this.#hear(push.data))
  }

  /** The first connection; later ones come back by themselves. */
  async start(): Promise<Result<null>> {
    const connected = await this.stream.connect()
    return connected.ok ? await this.readFunds() : connected
  }

  /** Leaves no order behind. */
  async stop(): Promise<void> {
    if (this.stream.connected) await this.stream.massCancel()
    this.stream.close()
    await this.#api.close()
  }

  /** Whether it may trade now. After each (re)connection its old orders go first. */
  async ready(): Promise<boolean> {
    if (this.#clean) return true
    if (this.#cleaning || !this.stream.connected) return false
    this.#cleaning = true
    const result = await this.stream.massCancel()
    this.#cleaning = false
    if (!this.#noted(result) || !this.stream.connected) return false
    this.#clean = true
    this.#options.onClean()
    return true
  }

  nextId(): string {
    return `${this.#options.run}-${++this.#orders}`
  }

  /** −1: nothing left of the base asset; 0: as much as it began with; 1: twice that or more. */
  inventory(market: SimulatedMarket): number {
    const target = this.account.funds[market.base] ?? 0
    if (target === 0) return 0
    return Math.max(-1, Math.min(1, (this.#funds[market.base] ?? 0) / target - 1))
  }

  async take(order: OrderRequest): Promise<Result<OrderView>> {
    const result = await this.stream.place({ ...order, clientOrderId: this.nextId() })
    this.#noted(result)
    return result
  }

  async readFunds(): Promise<Result<null>> {
    const result = await this.#api.balances()
    if (!result.ok) return result
    this.#funds = fundsIn(result.value, this.account.region)
    return { ok: true, value: null }
  }

  /** Reads balances, and brings those that have gone too far back to where they began. */
  async keepTreasury(): Promise<void> {
    if (!this.#noted(await this.readFunds())) return
    for (const { asset, amount } of treasuryMoves(this.account.funds, this.#funds)) {
      const request = { asset, region: this.account.region, amount: amountText(Math.abs(amount)) }
      const moved = amount > 0 ? await this.#api.deposit(request) : await this.#api.withdraw(request)
      if (this.#noted(moved)) this.#options.logger.info('treasury', { asset, amount })
    }
  }

  /** Codes of what was refused since the last call, with how often. */
  refusals(): Readonly<Record<string, number>> {
    const refused = Object.fromEntries(this.#refused)
    this.#refused.clear()
    return refused
  }

  #credentials(): StreamCredentials {
    const { keyId, secret } = this.account.key
    const timestamp = Date.now()
    return { key: keyId, timestamp, signature: sign(secret, signedText(timestamp, 'GET', '/ws', '')) }
  }

  #hear(data: unknown): void {
    for (const { symbol, clientOrderId, status } of ordersIn(data)) {
      if (symbol !== undefined && !isOpen(status)) this.#options.onOrderDone(symbol, clientOrderId)
    }
  }

  #noted(result: Result<unknown>): boolean {
    if (!result.ok) this.#refused.set(result.error.code, (this.#refused.get(result.error.code) ?? 0) + 1)
    return result.ok
  }
}

/** What to deposit (positive) or withdraw (negative), in whole units or two places for what is small. */
export function treasuryMoves(targets: Funds, funds: Funds): readonly { asset: string; amount: number }[] {
  return Object.entries(targets).flatMap(([asset, target]) => {
    const missing = target - (funds[asset] ?? 0)
    if (missing <= target * (1 - TREASURY_BAND.low) && missing >= target * (1 - TREASURY_BAND.high)) return []
    const units = target >= 1_000 ? 1 : 100
    const amount = Math.trunc(missing * units) / units
    return amount === 0 ? [] : [{ asset, amount }]
  })
}

function amountText(amount: number): string {
  return Number.isInteger(amount) ? amount.toFixed(0) : amount.toFixed(2)
}
