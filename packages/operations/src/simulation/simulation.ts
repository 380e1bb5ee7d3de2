// The simulated market: in every region a maker and a taker account that trade the instruments at home there, through the public API
// like anybody else. Promises to stay gentle (a budget of operations per second for all of it) and to leave no order behind.

import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '@wintrades/platform'
import { ApiClient, type InstrumentView, valueOrThrow } from '../client/index.ts'
import { openAccounts, type SimulationAccount } from './accounts.ts'
import { Maker } from './maker.ts'
import { type SimulatedMarket, simulatedMarket } from './market.ts'
import { Budget, JitteredTimer, RandomTimer } from './pace.ts'
import { type Random, seededRandom } from './random.ts'
import { listOf, startingPrice } from './reading.ts'
import { takerOrder } from './taker.ts'
import { Trader } from './trader.ts'

export type SimulationOptions = {
  readonly baseUrl: string
  /** Where the accounts are kept. */
  readonly accountsFile: string
  readonly logger: Logger
  readonly seed: number
  /** For all markets together. */
  readonly operationsPerSecond?: number
}

type Market = {
  readonly market: SimulatedMarket
  readonly maker: Maker
  readonly makerAccount: Trader
  readonly taker: Trader
  readonly makerTimer: JitteredTimer
  readonly takerTimer: RandomTimer
}

export const PACE = {
  operationsPerSecond: 10,
  burst_seconds: 4,
  makerPeriod_seconds: 4,
  takerMean_seconds: 10,
  levels: 5,
} as const

const TICK_MS = 250
const TREASURY_MS = 30_000
const REPORT_MS = 60_000
const RETRY_MS_FIRST = 500
const RETRY_MS_MAX = 10_000

export class Simulation {
  readonly #options: SimulationOptions
  readonly #budget: Budget
  readonly #random: Random
  readonly #run = Date.now().toString(36)
  readonly #stopping = new AbortController()
  #traders: readonly Trader[] = []
  #markets: readonly Market[] = []
  #timers: readonly NodeJS.Timeout[] = []
  #preparing: Promise<void> = Promise.resolve()
  #operations = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#budget = new Budget(options.operationsPerSecond ?? PACE.operationsPerSecond, PACE.burst_seconds)
    this.#random = seededRandom(options.seed, 'pace')
  }

  /** Returns at once; goes on trying until the platform can be traded on. */
  start(): void {
    this.#preparing = this.#prepare()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const timer of this.#timers) clearInterval(timer)
    await this.#preparing
    await Promise.all(this.#traders.map((trader) => trader.stop()))
  }

  async #prepare(): Promise<void> {
    const views = await this.#untilDone('instruments', () => this.#readInstruments())
    if (views === null) return
    const regions = [...new Set(views.map(({ view }) => view.shard))]
    const { baseUrl, accountsFile } = this.#options
    const accounts = await this.#untilDone('accounts', () => openAccounts({ file: accountsFile, baseUrl, regions }))
    if (accounts === null) return
    const byRegion = new Map<string, Market[]>()
    this.#traders = accounts.map((account) => this.#trader(account, byRegion))
    for (const { view, price } of views) {
      const market = this.#market(view, price, views)
      if (market !== null) byRegion.set(view.shard, [...(byRegion.get(view.shard) ?? []), market])
    }
    this.#markets = [...byRegion.values()].flat()
    for (const trader of this.#traders) {
      await this.#untilDone(`connect to ${trader.account.region}`, async () =>
        valueOrThrow(await trader.start(), 'start'),
      )
    }
    if (this.#stopping.signal.aborted) return
    this.#options.logger.info('trading', { instruments: this.#markets.map(({ market }) => market.symbol) })
    this.#timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => void this.#keepTreasuries(), TREASURY_MS),
      setInterval(() => this.#report(), REPORT_MS),
    ]
  }

  async #readInstruments(): Promise<readonly { readonly view: InstrumentView; readonly price: number }[]> {
    const client = new ApiClient({ baseUrls: [this.#options.baseUrl], connections: 1 })
    try {
      const views: { view: InstrumentView; price: number }[] = []
      for (const view of listOf(valueOrThrow(await client.instruments(), 'instruments'))) {
        const ticker = await client.ticker(view.symbol)
        const price = startingPrice(view, ticker.ok ? ticker.value : null)
        if (price === null) this.#options.logger.warn('no reference price, not simulated', { symbol: view.symbol })
        else views.push({ view, price })
      }
      return views
    } finally {
      await client.close()
    }
  }

  #trader(account: SimulationAccount, byRegion: ReadonlyMap<string, readonly Market[]>): Trader {
    const { role, region } = account
    const makers = () => (role === 'maker' ? (byRegion.get(region) ?? []).map((one) => one.maker) : [])
    return new Trader({
      account,
      baseUrl: this.#options.baseUrl,
      run: this.#run,
      logger: this.#options.logger.child(role, { region }),
      onOrderDone: (symbol, id) =>
        makers()
          .find((maker) => maker.symbol === symbol)
          ?.gone(id),
      onClean: () => {
        for (const maker of makers()) maker.forget()
      },
    })
  }

  /** Null: the accounts have nothing to trade it with. */
  #market(view: InstrumentView, price: number, all: readonly { readonly view: InstrumentView }[]): Market | null {
    const [makerAccount, taker] = (['maker', 'taker'] as const).map((role) =>
      this.#traders.find(({ account }) => account.role === role && account.region === view.shard),
    )
    if (makerAccount === undefined || taker === undefined) return null
    const neighbours = all.filter((other) => other.view.shard === view.shard).map((other) => other.view)
    const funds = fundsBehind(view, price, neighbours, makerAccount.account)
    if (funds === 0) {
      this.#options.logger.warn('no funds, not simulated', { symbol: view.symbol })
      return null
    }
    const { seed } = this.#options
    const market = simulatedMarket(view, price, funds, seed)
    const maker = new Maker({
      market,
      orders: makerAccount.stream,
      levels: PACE.levels,
      random: seededRandom(seed, `maker ${view.symbol}`),
      inventory: () => makerAccount.inventory(market),
      nextId: () => makerAccount.nextId(),
    })
    return {
      market,
      maker,
      makerAccount,
      taker,
      makerTimer: new JitteredTimer(PACE.makerPeriod_seconds, this.#random),
      takerTimer: new RandomTimer(PACE.takerMean_seconds, this.#random),
    }
  }

  #tick(): void {
    const now_seconds = performance.now() / 1_000
    for (const one of this.#markets) {
      const makerDue = one.makerTimer.due(now_seconds)
      const takerDue = one.takerTimer.due(now_seconds)
      if ((!makerDue && !takerDue) || !this.#budget.allows(now_seconds)) continue
      one.market.path.advance(now_seconds)
      if (makerDue) void this.#make(one)
      if (takerDue) void this.#take(one)
    }
  }

  async #make({ maker, makerAccount }: Market): Promise<void> {
    if (await makerAccount.ready()) this.#spend(await maker.turn())
  }

  async #take({ market, maker, taker }: Market): Promise<void> {
    // Nobody to trade with: the maker has lost its connection, or has only begun.
    if (maker.quoteCount === 0 || !(await taker.ready())) return
    this.#spend(1)
    await taker.take(takerOrder(market, taker.inventory(market), this.#random))
  }

  #spend(operations: number): void {
    this.#budget.spend(operations)
    this.#operations += operations
  }

  async #keepTreasuries(): Promise<void> {
    for (const trader of this.#traders) if (trader.stream.connected) await trader.keepTreasury()
  }

  #report(): void {
    const refused: Record<string, number> = {}
    for (const trader of this.#traders) {
      for (const [code, count] of Object.entries(trader.refusals())) refused[code] = (refused[code] ?? 0) + count
    }
    this.#options.logger.info('traded', { operations: this.#operations, seconds: REPORT_MS / 1_000, refused })
    this.#operations = 0
  }

  /** Null: stopped before it was done. */
  async #untilDone<Value>(what: string, work: () => Promise<Value>): Promise<Value | null> {
    for (let wait_ms = RETRY_MS_FIRST; !this.#stopping.signal.aborted; wait_ms = Math.min(wait_ms * 2, RETRY_MS_MAX)) {
      try {
        return await work()
      } catch (error) {
        this.#options.logger.warn('trying again', { what, wait_ms, error })
        await pause(wait_ms, null, { signal: this.#stopping.signal }).catch(() => null)
      }
    }
    return null
  }
}

/** Value, in the quote asset, of what the maker can put behind one instrument: assets are shared with its neighbours. */
export function fundsBehind(
  view: InstrumentView,
  price: number,
  neighbours: readonly InstrumentView[],
  account: Pick<SimulationAccount, 'funds'>,
): number {
  const share = (asset: string) => {
    const users = neighbours.filter((other) => other.base === asset || other.quote === asset).length
    return (account.funds[asset] ?? 0) / Math.max(1, users)
  }
  return Math.min(share(view.quote), share(view.base) * price)
}
