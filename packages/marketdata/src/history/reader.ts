// Reads the history of every shard, from the nearest server that has what is asked for. Promises pages in order without repeats or holes
// while rows are being written, and that a read which names what it must have seen (`atLeast`) sees it or is refused; where nothing has
// been written yet it finds nothing.

import { setTimeout as pause } from 'node:timers/promises'
import {
  type AccountId,
  type Amount,
  type AssetId,
  assert,
  type DoneReason,
  type FundsKind,
  type Instrument,
  type InstrumentId,
  type Markets,
  type OrderId,
  type OrderType,
  type Price,
  type Quantity,
  type RejectCode,
  type SelfTradePrevention,
  type Seq,
  type ShardIndex,
  type Side,
  shardOfOrder,
  type TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import { compilingQueries } from '@wintrades/platform/migrations'
import type { CompiledQuery, Kysely } from 'kysely'
import type { OrderSnapshot } from '../live/account-feed.ts'
import { CANDLE_INTERVAL_SECONDS, CANDLE_INTERVALS, type Candle, type CandleInterval } from '../live/candles.ts'
import type { MarketHistory } from '../live/instrument-market.ts'
import type { PublicTrade } from '../live/recent-trades.ts'
import type { OrderStatus } from '../order-status.ts'
import { LEGS_MAX, type Posting, postingsOfExecution, postingsOfFunds } from './postings.ts'
import * as ask from './queries.ts'
import type {
  CandlesTable,
  ExecutionsTable,
  FundsTable,
  HistoryDatabase,
  OrdersTable,
  ProgressTable,
  RejectsTable,
  TradesTable,
} from './schema.ts'
import { HistoryNotCaughtUp, type HistoryServer, HistoryUnavailable, type Question } from './server.ts'
import { candleOf } from './writing.ts'

/** An order as history has it. */
export type HistoricOrder = OrderSnapshot & {
  readonly apiKey: number
  /** null while it is open, and when it was rejected. */
  readonly doneReason: DoneReason | null
  /** 0: it was accepted. */
  readonly rejectCode: RejectCode
  readonly rejectLimit: number
  readonly rejectValue: number
  readonly shard: ShardIndex
  /** The batch that last changed it. */
  readonly seq: Seq
}

/** A fill of an account's order. */
export type Execution = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly index: number
  readonly account: AccountId
  readonly order: OrderId
  readonly instrument: InstrumentId
  readonly tradeNumber: number
  readonly side: Side
  readonly price: Price
  readonly quantity: Quantity
  readonly notional: Amount
  /** Quote asset's smallest units. */
  readonly fee: Amount
  readonly liquidity: 'MAKER' | 'TAKER'
  readonly timestamp: Timestamp
}

export type FundsMovement = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly index: number
  readonly account: AccountId
  readonly kind: FundsKind
  readonly asset: AssetId
  readonly amount: Amount
  readonly otherShard: ShardIndex
  readonly transferNumber: number
  readonly transferId: string
  readonly timestamp: Timestamp
}

export type CommandReject = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly index: number
  readonly account: AccountId
  readonly commandType: number
  readonly order: OrderId
  readonly clientId: string
  readonly rejectCode: RejectCode
  readonly rejectLimit: number
  readonly rejectValue: number
  readonly timestamp: Timestamp
}

/** How far history was, at least, when it was read. */
export type Place = { readonly shard: ShardIndex; readonly seq: Seq }

/** What was read, and how far the shard's history was. */
export type Found<Value> = { readonly value: Value; readonly seq: Seq }

/** Newest first. `nextCursor` is null when there is no more. */
export type Page<Item> = {
  readonly items: readonly Item[]
  readonly nextCursor: string | null
  /** Of every shard that was read. */
  readonly places: readonly Place[]
}

/** What a read must have seen, and how long that may be waited for. */
export type ReadOptions = { readonly atLeast?: readonly Place[]; readonly timeout_ms?: number }

export type PageQuery = ReadOptions & {
  readonly account: AccountId
  /** Only this instrument's. */
  readonly instrument?: InstrumentId
  /** Only this shard's; by default those of every shard, merged by time. */
  readonly shard?: ShardIndex
  /** `nextCursor` of the page before; {@link isPageCursor} tells whether a text can be one. */
  readonly cursor?: string
  readonly limit: number
}

/** The longest page. */
export const PAGE_LIMIT_MAX = 1_000
const TRADES_LIMIT_MAX = 10_000
const LIVE_TRADES = 1_024
const LIVE_CANDLES = 1_500
/** How long a server is waited for that is not yet where a read wants it, before the next one is asked. */
const SERVER_WAIT_MS = 300
const TIMEOUT_MS = 2_000
const POLL_MS = 5
/** A server that kept a read waiting in vain is not waited for again so soon. */
const LATE_REST_MS = 5_000

/** Whether a text may be given back as a cursor. */
export function isPageCursor(text: string): boolean {
  return (
    text.length <= 600 &&
    /^[0-9]{1,2}:[0-9]{1,16}(\.[0-9]{1,9}){0,2}(,[0-9]{1,2}:[0-9]{1,16}(\.[0-9]{1,9}){0,2})*$/.test(text)
  )
}

export class HistoryReader {
  readonly #markets: Markets
  readonly #servers: readonly Watched[]
  readonly #shards: readonly ShardIndex[]

  /** `servers`: the nearest first; the last one has everything that is durable. */
  constructor(markets: Markets, servers: readonly HistoryServer[]) {
    assert(servers.length > 0, 'a history is read from somewhere')
    this.#markets = markets
    this.#servers = servers.map((server) => new Watched(server))
    this.#shards = markets.shards.map((shard) => shard.index)
  }

  /** The last batch of a shard that is in the history, as the nearest server that answers has it; 0: none. */
  async progress(shard: ShardIndex): Promise<Seq> {
    const { seqs } = await this.#ask([shard], () => [], {})
    return seqs.get(shard) ?? (0 as Seq)
  }

  async orderById(account: AccountId, order: OrderId, options: ReadOptions = {}): Promise<Found<HistoricOrder | null>> {
    const shard = shardOfOrder(order)
    return await this.#one<OrdersTable, HistoricOrder>(
      shard,
      (queries) => ask.orderById(queries, account, order),
      orderOf,
      options,
    )
  }

  /** The newest order that the account gave this id in a shard. */
  async orderByClientId(
    shard: ShardIndex,
    account: AccountId,
    clientOrderId: string,
    options: ReadOptions = {},
  ): Promise<Found<HistoricOrder | null>> {
    const query = (queries: Queries) => ask.orderByClientId(queries, account, shard, clientOrderId)
    return await this.#one<OrdersTable, HistoricOrder>(shard, query, orderOf, options)
  }

  /** Orders that are done or were rejected. */
  async closedOrders(query: PageQuery): Promise<Page<HistoricOrder>> {
    return await this.#page<OrdersTable, HistoricOrder>(query, {
      questions: (queries, shard, before, limit) => [
        ask.closedOrders(queries, query.account, shard, query.instrument ?? null, before.seq, limit),
      ],
      keyOf: (row) => ({ seq: row.order_id, idx: 0, part: 0 }),
      timeOf: (row) => row.accepted_at,
      itemOf: orderOf,
    })
  }

  /** Fills of an account's orders. */
  async executions(query: PageQuery): Promise<Page<Execution>> {
    return await this.#page<ExecutionsTable, Execution>(query, {
      questions: (queries, shard, before, limit) => [
        ask.executionsOfAccount(queries, query.account, shard, query.instrument ?? null, before, limit),
      ],
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: row.taker }),
      timeOf: (row) => row.timestamp,
      itemOf: executionOf,
    })
  }

  /** Fills of one order, oldest first, at most {@link PAGE_LIMIT_MAX}. */
  async executionsOfOrder(order: OrderId, options: ReadOptions = {}): Promise<Execution[]> {
    const shard = shardOfOrder(order)
    if (!this.#shards.includes(shard)) return []
    const query = (queries: Queries) => [{ shard, query: ask.executionsOfOrder(queries, order, PAGE_LIMIT_MAX) }]
    const { rows } = await this.#ask([shard], query, options)
    return (rows[0] as ExecutionsTable[]).map(executionOf)
  }

  /** Deposits, withdrawals and both ends of transfers. */
  async funds(query: PageQuery): Promise<Page<FundsMovement>> {
    return await this.#page<FundsTable, FundsMovement>(query, {
      questions: (queries, shard, before, limit) => [ask.fundsOfAccount(queries, query.account, shard, before, limit)],
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: 0 }),
      timeOf: (row) => row.timestamp,
      itemOf: fundsOf,
    })
  }

  /** Every movement with that id, in every shard: a transfer that has arrived has one in each of two. */
  async fundsByTransferId(account: AccountId, transferId: string, options: ReadOptions = {}): Promise<FundsMovement[]> {
    const questions = (queries: Queries) =>
      this.#shards.map((shard) => ({
        shard,
        query: ask.fundsByTransferId(queries, account, shard, transferId, PAGE_LIMIT_MAX),
      }))
    const { rows } = await this.#ask(this.#shards, questions, options)
    return (rows as FundsTable[][]).flat().map(fundsOf)
  }

  /** What was posted to an account: by its trades and by movements of its funds. */
  async postings(query: PageQuery): Promise<Page<Posting>> {
    return await this.#page<Posting, Posting>(query, {
      questions: (queries, shard, before, limit) => [
        ask.executionsOfAccount(queries, query.account, shard, null, { ...before, part: LEGS_MAX }, limit),
        ask.fundsOfAccount(queries, query.account, shard, { ...before, idx: before.idx + 1 }, limit),
      ],
      rowsOf: ([executions, funds], before, limit) =>
        [
          ...(executions as ExecutionsTable[]).flatMap(postingsOfExecution),
          ...(funds as FundsTable[]).flatMap(postingsOfFunds),
        ]
          .filter((posting) => posting.account === query.account && isBefore(keyOfPosting(posting), before))
          .sort((a, b) => b.seq - a.seq || b.index - a.index || b.leg - a.leg)
          .slice(0, limit),
      keyOf: keyOfPosting,
      timeOf: (posting) => posting.timestamp,
      itemOf: (posting) => posting,
    })
  }

  /** Refused commands other than orders. */
  async rejects(query: PageQuery): Promise<Page<CommandReject>> {
    return await this.#page<RejectsTable, CommandReject>(query, {
      questions: (queries, shard, before, limit) => [
        ask.rejectsOfAccount(queries, query.account, shard, before, limit),
      ],
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: 0 }),
      timeOf: (row) => row.timestamp,
      itemOf: rejectOf,
    })
  }

  /** Candles with `from ≤ openTime < to`, oldest first; of more than `limit` the newest. */
  async candles(
    instrument: InstrumentId,
    interval: CandleInterval,
    from: Timestamp,
    to: Timestamp,
    limit: number,
  ): Promise<Candle[]> {
    const seconds = CANDLE_INTERVAL_SECONDS[interval]
    const { shard } = this.#instrument(instrument)
    const questions = (queries: Queries) => [
      { shard, query: ask.candlesOf(queries, instrument, seconds, from, to, Math.min(limit, LIVE_CANDLES)) },
    ]
    const { rows } = await this.#ask([shard], questions, {})
    return (rows[0] as CandlesTable[]).toReversed().map(candleOf)
  }

  /** Trades with `first ≤ tradeNumber ≤ last`, oldest first. */
  async trades(instrument: InstrumentId, first: number, last: number, limit: number): Promise<PublicTrade[]> {
    const { shard } = this.#instrument(instrument)
    const questions = (queries: Queries) => [
      { shard, query: ask.tradesOf(queries, instrument, first, last, Math.min(limit, TRADES_LIMIT_MAX)) },
    ]
    const { rows } = await this.#ask([shard], questions, {})
    return (rows[0] as TradesTable[]).map(tradeOf)
  }

  /** What live market data begins with, read at one moment. */
  async marketHistory(instrument: InstrumentId): Promise<MarketHistory> {
    const { shard } = this.#instrument(instrument)
    const questions = (queries: Queries) => [
      { shard, query: ask.lastTradesOf(queries, instrument, LIVE_TRADES) },
      ...CANDLE_INTERVALS.map((interval) => {
        const seconds = CANDLE_INTERVAL_SECONDS[interval]
        return { shard, query: ask.candlesOf(queries, instrument, seconds, 0, Number.MAX_SAFE_INTEGER, LIVE_CANDLES) }
      }),
    ]
    const { rows } = await this.#ask([shard], questions, {}, true)
    const trades = (rows[0] as TradesTable[]).toReversed().map(tradeOf)
    const candles = Object.fromEntries(
      CANDLE_INTERVALS.map((interval, i) => [interval, (rows[i + 1] as CandlesTable[]).toReversed().map(candleOf)]),
    ) as Record<CandleInterval, Candle[]>
    return { lastTradeNumber: trades.at(-1)?.tradeNumber ?? 0, candles, trades }
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
  }

  #instrument(id: InstrumentId): Instrument {
    const instrument = this.#markets.instruments.find((one) => one.id === id)
    assert(instrument !== undefined, `instrument ${id} is not in markets.yml`)
    return instrument
  }

  async #one<Row, Value>(
    shard: ShardIndex,
    query: (queries: Queries) => CompiledQuery,
    read: (row: Row) => Value,
    options: ReadOptions,
  ): Promise<Found<Value | null>> {
    // An order id that a client made up may name a shard that there is not.
    if (!this.#shards.includes(shard)) return { value: null, seq: 0 as Seq }
    const { rows, seqs } = await this.#ask([shard], (queries) => [{ shard, query: query(queries) }], options)
    const [row] = rows[0] as Row[]
    return { value: row === undefined ? null : read(row), seq: seqs.get(shard) ?? (0 as Seq) }
  }

  async #page<Row, Item>(query: PageQuery, kind: PageKind<Row, Item>): Promise<Page<Item>> {
    assert(query.limit >= 1 && query.limit <= PAGE_LIMIT_MAX, `pages have 1 to ${PAGE_LIMIT_MAX} items`)
    const only = query.instrument === undefined ? query.shard : this.#instrument(query.instrument).shard
    const shards = only === undefined ? this.#shards : [only]
    const keys = readCursor(query.cursor)
    const before = (shard: ShardIndex) => keys.get(shard) ?? ask.NEWEST
    const limit = query.limit + 1
    const questions = (queries: Queries) =>
      shards.flatMap((shard) => kind.questions(queries, shard, before(shard), limit).map((query) => ({ shard, query })))
    const { rows, seqs } = await this.#ask(shards, questions, query)
    const perShard = rows.length / shards.length
    const lines = shards.map((shard, i) => {
      const answers = rows.slice(i * perShard, (i + 1) * perShard)
      const found = kind.rowsOf === undefined ? (answers[0] as Row[]) : kind.rowsOf(answers, before(shard), limit)
      return { shard, rows: found, taken: 0 }
    })
    const items: Item[] = []
    while (items.length < query.limit) {
      let newest: (typeof lines)[number] | undefined
      for (const line of lines) {
        const row = line.rows[line.taken]
        const best = newest?.rows[newest.taken]
        if (row !== undefined && (best === undefined || kind.timeOf(row) > kind.timeOf(best))) newest = line
      }
      if (newest === undefined) break
      const row = newest.rows[newest.taken++] as Row
      keys.set(newest.shard, kind.keyOf(row))
      items.push(kind.itemOf(row))
    }
    const more = lines.some((line) => line.taken < line.rows.length)
    const places = shards.map((shard) => ({ shard, seq: seqs.get(shard) ?? (0 as Seq) }))
    return { items, nextCursor: more ? formatPageCursor(keys) : null, places }
  }

  /**
   * Asks the nearest server that is where the read wants it. A server that is behind is waited for a little, the last one until the
   * time is over; one that does not answer is passed over.
   */
  async #ask(
    shards: readonly ShardIndex[],
    questions: (queries: Queries) => readonly Question[],
    options: ReadOptions,
    atOneMoment = false,
  ): Promise<Answer> {
    const { atLeast = [], timeout_ms = TIMEOUT_MS } = options
    const wanted = atLeast.filter((place) => place.seq > 0 && this.#shards.includes(place.shard))
    const asked = [...new Set([...shards, ...wanted.map((place) => place.shard)])]
    const end_ms = performance.now() + timeout_ms
    let failure: unknown
    for (const server of this.#servers) {
      const isLast = server === this.#servers.at(-1)
      const wait_ms = isLast ? end_ms - performance.now() : Math.min(server.patience_ms, end_ms - performance.now())
      try {
        const answer = await server.ask(asked, questions(server.queries), atOneMoment, wanted, wait_ms)
        if (answer !== null) return answer
        failure = undefined
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw new HistoryUnavailable(failure)
    const [first] = wanted
    assert(first !== undefined, 'who waits for nothing is answered')
    throw new HistoryNotCaughtUp(first.shard, first.seq)
  }
}

type Queries = Kysely<HistoryDatabase>
type Answer = { readonly rows: readonly (readonly object[])[]; readonly seqs: ReadonlyMap<ShardIndex, Seq> }
type Waiting = {
  readonly wanted: readonly Place[]
  readonly until_ms: number
  readonly done: (reached: boolean) => void
}

/** A server, and where it is. All who wait for it share one look in so many milliseconds. */
class Watched {
  readonly queries: Queries
  readonly #server: HistoryServer
  readonly #waiting = new Set<Waiting>()
  #watching = false
  #lateUntil_ms = 0
  #closed = false

  constructor(server: HistoryServer) {
    this.#server = server
    this.queries = compilingQueries<HistoryDatabase>(server.dialect)
  }

  get patience_ms(): number {
    return performance.now() < this.#lateUntil_ms ? 0 : SERVER_WAIT_MS
  }

  /** null: it has not come to where it is wanted in that time. */
  async ask(
    shards: readonly ShardIndex[],
    questions: readonly Question[],
    atOneMoment: boolean,
    wanted: readonly Place[],
    wait_ms: number,
  ): Promise<Answer | null> {
    const until_ms = performance.now() + wait_ms
    for (;;) {
      // Its place first: what is read after it is not older.
      const rows = await this.#server.ask([...this.#places(shards), ...questions], atOneMoment)
      const seqs = placesOf(rows.slice(0, shards.length) as ProgressTable[][])
      if (meets(seqs, wanted)) return { rows: rows.slice(shards.length), seqs }
      if (!(await this.#reaches(wanted, until_ms))) return null
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#server.close()
  }

  #places(shards: readonly ShardIndex[]): Question[] {
    return shards.map((shard) => ({ shard, query: ask.progressOf(this.queries, shard) }))
  }

  #reaches(wanted: readonly Place[], until_ms: number): Promise<boolean> {
    if (until_ms <= performance.now()) return Promise.resolve(false)
    return new Promise((done) => {
      this.#waiting.add({ wanted, until_ms, done })
      if (!this.#watching) void this.#watch()
    })
  }

  async #watch(): Promise<void> {
    this.#watching = true
    while (this.#waiting.size > 0 && !this.#closed) {
      await pause(POLL_MS)
      const shards = [...new Set([...this.#waiting].flatMap((one) => one.wanted.map((place) => place.shard)))]
      const seqs = await this.#server.ask(this.#places(shards), false).then(
        (rows) => placesOf(rows as ProgressTable[][]),
        // It is asked once more by whoever waits, and hears of the failure.
        () => null,
      )
      const now_ms = performance.now()
      for (const one of this.#waiting) {
        const reached = seqs === null || meets(seqs, one.wanted)
        if (!reached && now_ms < one.until_ms) continue
        if (!reached) this.#lateUntil_ms = now_ms + LATE_REST_MS
        this.#waiting.delete(one)
        one.done(reached)
      }
    }
    for (const one of this.#waiting) one.done(false)
    this.#waiting.clear()
    this.#watching = false
  }
}

function placesOf(rows: readonly (readonly ProgressTable[])[]): Map<ShardIndex, Seq> {
  return new Map(rows.flatMap((found) => found.map((row) => [row.shard as ShardIndex, row.seq as Seq])))
}

function meets(seqs: ReadonlyMap<ShardIndex, Seq>, wanted: readonly Place[]): boolean {
  return wanted.every(({ shard, seq }) => (seqs.get(shard) ?? 0) >= seq)
}

function keyOfPosting({ seq, index, leg }: Posting): ask.EventKey {
  return { seq, idx: index, part: leg }
}

function isBefore(key: ask.EventKey, before: ask.EventKey): boolean {
  if (key.seq !== before.seq) return key.seq < before.seq
  return key.idx === before.idx ? key.part < before.part : key.idx < before.idx
}

type PageKind<Row, Item> = {
  readonly questions: (
    queries: Queries,
    shard: ShardIndex,
    before: ask.EventKey,
    limit: number,
  ) => readonly CompiledQuery[]
  /** The shard's rows out of the answers, newest first; by default the first answer. */
  readonly rowsOf?: (answers: readonly (readonly object[])[], before: ask.EventKey, limit: number) => readonly Row[]
  readonly keyOf: (row: Row) => ask.EventKey
  readonly timeOf: (row: Row) => number
  readonly itemOf: (row: Row) => Item
}

/** `0:1042.7.1,2:88`: per shard, the last row that was given out. */
function formatPageCursor(places: ReadonlyMap<ShardIndex, ask.EventKey>): string {
  return [...places].map(([shard, key]) => `${shard}:${key.seq}.${key.idx}.${key.part}`).join(',')
}

function readCursor(text: string | undefined): Map<ShardIndex, ask.EventKey> {
  const places = new Map<ShardIndex, ask.EventKey>()
  if (text === undefined) return places
  assert(isPageCursor(text), 'a cursor is given back as it was')
  for (const place of text.split(',')) {
    const [shard, key] = place.split(':') as [string, string]
    const [seq, idx = '0', part = '0'] = key.split('.') as [string, string?, string?]
    places.set(Number(shard) as ShardIndex, { seq: Number(seq), idx: Number(idx), part: Number(part) })
  }
  return places
}

function orderOf(row: OrdersTable): HistoricOrder {
  return {
    order: row.order_id as OrderId,
    account: row.account as AccountId,
    instrument: row.instrument as InstrumentId,
    clientOrderId: row.client_order_id,
    side: row.side as Side,
    orderType: row.order_type as OrderType,
    timeInForce: row.time_in_force as TimeInForce,
    selfTradePrevention: row.self_trade_prevention as SelfTradePrevention,
    flags: row.flags,
    apiKey: row.api_key,
    price: row.price as Price,
    stopPrice: row.stop_price as Price,
    trailingOffset: row.trailing_offset as Price,
    displayQuantity: row.display_quantity as Quantity,
    minimumQuantity: row.minimum_quantity as Quantity,
    expireTime: row.expire_time as Timestamp,
    quantity: row.quantity as Quantity,
    quoteAmount: row.quote_amount as Amount,
    cumQty: row.cum_qty as Quantity,
    leavesQty: row.leaves_qty as Quantity,
    cumQuote: row.cum_quote as Amount,
    status: row.status as OrderStatus,
    doneReason: row.done_reason as DoneReason | null,
    rejectCode: row.reject_code as RejectCode,
    rejectLimit: row.reject_limit,
    rejectValue: row.reject_value,
    acceptedAt: row.accepted_at as Timestamp,
    updatedAt: row.updated_at as Timestamp,
    shard: shardOfOrder(row.order_id as OrderId),
    seq: row.updated_seq as Seq,
  }
}

function executionOf(row: ExecutionsTable): Execution {
  return {
    shard: row.shard as ShardIndex,
    seq: row.seq as Seq,
    index: row.idx,
    account: row.account as AccountId,
    order: row.order_id as OrderId,
    instrument: row.instrument as InstrumentId,
    tradeNumber: row.trade_number,
    side: row.side as Side,
    price: row.price as Price,
    quantity: row.quantity as Quantity,
    notional: row.notional as Amount,
    fee: row.fee as Amount,
    liquidity: row.taker === 1 ? 'TAKER' : 'MAKER',
    timestamp: row.timestamp as Timestamp,
  }
}

function fundsOf(row: FundsTable): FundsMovement {
  return {
    shard: row.shard as ShardIndex,
    seq: row.seq as Seq,
    index: row.idx,
    account: row.account as AccountId,
    kind: row.kind as FundsKind,
    asset: row.asset as AssetId,
    amount: row.amount as Amount,
    otherShard: row.other_shard as ShardIndex,
    transferNumber: row.transfer_number,
    transferId: row.transfer_id,
    timestamp: row.timestamp as Timestamp,
  }
}

function rejectOf(row: HistoryDatabase['rejects']): CommandReject {
  return {
    shard: row.shard as ShardIndex,
    seq: row.seq as Seq,
    index: row.idx,
    account: row.account as AccountId,
    commandType: row.command_type,
    order: row.order_id as OrderId,
    clientId: row.client_id,
    rejectCode: row.reject_code as RejectCode,
    rejectLimit: row.reject_limit,
    rejectValue: row.reject_value,
    timestamp: row.timestamp as Timestamp,
  }
}

function tradeOf(row: TradesTable): PublicTrade {
  return {
    tradeNumber: row.trade_number,
    price: row.price as Price,
    quantity: row.quantity as Quantity,
    takerSide: row.taker_side as Side,
    notional: row.notional,
    timestamp: row.timestamp as Timestamp,
  }
}
