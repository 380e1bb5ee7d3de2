// Reads the history of every shard from this process's own read-only connections. Promises pages in order without repeats or holes
// while rows are being written; where nothing has been written yet it finds nothing. How far history is behind: `progress`.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
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
  type Shard,
  type ShardIndex,
  type Side,
  shardOfOrder,
  type TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import type { CompiledQuery } from 'kysely'
import type { OrderSnapshot } from '../live/account-feed.ts'
import { CANDLE_INTERVAL_SECONDS, CANDLE_INTERVALS, type Candle, type CandleInterval } from '../live/candles.ts'
import type { MarketHistory } from '../live/instrument-market.ts'
import type { PublicTrade } from '../live/recent-trades.ts'
import type { OrderStatus } from '../order-status.ts'
import * as ask from './queries.ts'
import type { ExecutionsTable, FundsTable, HistoryDatabase, OrdersTable, PostingKind, TradesTable } from './schema.ts'
import { historyQueries } from './schema.ts'
import { historyPath, openHistoryToRead } from './store.ts'
import { candleOf } from './writer.ts'

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

export type Posting = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly index: number
  readonly account: AccountId
  readonly asset: AssetId
  /** Signed. */
  readonly amount: number
  readonly kind: PostingKind
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

/** Newest first. `nextCursor` is null when there is no more. */
export type Page<Item> = { readonly items: readonly Item[]; readonly nextCursor: string | null }

export type PageQuery = {
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
const queries = historyQueries('sqlite')

/** Whether a text may be given back as a cursor. */
export function isPageCursor(text: string): boolean {
  return (
    text.length <= 600 &&
    /^[0-9]{1,2}:[0-9]{1,16}(\.[0-9]{1,9}){0,2}(,[0-9]{1,2}:[0-9]{1,16}(\.[0-9]{1,9}){0,2})*$/.test(text)
  )
}

export class HistoryReader {
  readonly #markets: Markets
  readonly #shards: readonly ShardReader[]

  constructor(directory: string, markets: Markets) {
    this.#markets = markets
    this.#shards = markets.shards.map((shard) => new ShardReader(directory, shard))
  }

  /** The last batch of a shard that is in the history; 0: none. */
  progress(shard: ShardIndex): Seq {
    const [row] = this.#at(shard).all<HistoryDatabase['progress']>(ask.progressOf(queries, shard))
    return (row?.seq ?? 0) as Seq
  }

  orderById(order: OrderId): HistoricOrder | null {
    const shard = shardOfOrder(order)
    const [row] = this.#shards[shard]?.all<OrdersTable>(ask.orderById(queries, order)) ?? []
    return row === undefined ? null : orderOf(row)
  }

  /** The newest order that the account gave this id in a shard. */
  orderByClientId(shard: ShardIndex, account: AccountId, clientOrderId: string): HistoricOrder | null {
    const [row] = this.#at(shard).all<OrdersTable>(ask.orderByClientId(queries, account, clientOrderId))
    return row === undefined ? null : orderOf(row)
  }

  /** Orders that are done or were rejected. */
  closedOrders(query: PageQuery): Page<HistoricOrder> {
    return this.#page(query, {
      rows: (shard, before, limit) =>
        shard.all<OrdersTable>(ask.closedOrders(queries, query.account, query.instrument ?? null, before.seq, limit)),
      keyOf: (row) => ({ seq: row.order_id, idx: 0, part: 0 }),
      timeOf: (row) => row.accepted_at,
      itemOf: orderOf,
    })
  }

  /** Fills of an account's orders. */
  executions(query: PageQuery): Page<Execution> {
    return this.#page(query, {
      rows: (shard, before, limit) =>
        shard.all<ExecutionsTable>(
          ask.executionsOfAccount(queries, query.account, shard.index, query.instrument ?? null, before, limit),
        ),
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: row.taker }),
      timeOf: (row) => row.timestamp,
      itemOf: executionOf,
    })
  }

  /** Fills of one order, oldest first, at most {@link PAGE_LIMIT_MAX}. */
  executionsOfOrder(order: OrderId): Execution[] {
    const shard = this.#shards[shardOfOrder(order)]
    return (shard?.all<ExecutionsTable>(ask.executionsOfOrder(queries, order, PAGE_LIMIT_MAX)) ?? []).map(executionOf)
  }

  /** Deposits, withdrawals and both ends of transfers. */
  funds(query: PageQuery): Page<FundsMovement> {
    return this.#page(query, {
      rows: (shard, before, limit) =>
        shard.all<FundsTable>(ask.fundsOfAccount(queries, query.account, shard.index, before, limit)),
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: 0 }),
      timeOf: (row) => row.timestamp,
      itemOf: fundsOf,
    })
  }

  /** Every movement with that id, in every shard: a transfer that has arrived has one in each of two. */
  fundsByTransferId(account: AccountId, transferId: string): FundsMovement[] {
    return this.#shards.flatMap((shard) =>
      shard.all<FundsTable>(ask.fundsByTransferId(queries, account, transferId, PAGE_LIMIT_MAX)).map(fundsOf),
    )
  }

  postings(query: PageQuery): Page<Posting> {
    return this.#page(query, {
      rows: (shard, before, limit) =>
        shard.all<HistoryDatabase['postings']>(
          ask.postingsOfAccount(queries, query.account, shard.index, before, limit),
        ),
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: row.leg }),
      timeOf: (row) => row.timestamp,
      itemOf: postingOf,
    })
  }

  /** Refused commands other than orders. */
  rejects(query: PageQuery): Page<CommandReject> {
    return this.#page(query, {
      rows: (shard, before, limit) =>
        shard.all<HistoryDatabase['rejects']>(ask.rejectsOfAccount(queries, query.account, shard.index, before, limit)),
      keyOf: (row) => ({ seq: row.seq, idx: row.idx, part: 0 }),
      timeOf: (row) => row.timestamp,
      itemOf: rejectOf,
    })
  }

  /** Candles with `from ≤ openTime < to`, oldest first; of more than `limit` the newest. */
  candles(instrument: InstrumentId, interval: CandleInterval, from: Timestamp, to: Timestamp, limit: number): Candle[] {
    const seconds = CANDLE_INTERVAL_SECONDS[interval]
    const query = ask.candlesOf(queries, instrument, seconds, from, to, Math.min(limit, LIVE_CANDLES))
    return this.#of(instrument).all<HistoryDatabase['candles']>(query).reverse().map(candleOf)
  }

  /** Trades with `first ≤ tradeNumber ≤ last`, oldest first. */
  trades(instrument: InstrumentId, first: number, last: number, limit: number): PublicTrade[] {
    const query = ask.tradesOf(queries, instrument, first, last, Math.min(limit, TRADES_LIMIT_MAX))
    return this.#of(instrument).all<TradesTable>(query).map(tradeOf)
  }

  /** The last trades, oldest first. */
  lastTrades(instrument: InstrumentId, limit: number): PublicTrade[] {
    const query = ask.lastTradesOf(queries, instrument, Math.min(limit, TRADES_LIMIT_MAX))
    return this.#of(instrument).all<TradesTable>(query).reverse().map(tradeOf)
  }

  /** What live market data begins with, read at one moment. */
  marketHistory(instrument: InstrumentId): MarketHistory {
    return this.#of(instrument).atOneMoment(() => {
      const trades = this.lastTrades(instrument, LIVE_TRADES)
      const candles = Object.fromEntries(
        CANDLE_INTERVALS.map((interval) => [
          interval,
          this.candles(instrument, interval, 0 as Timestamp, Number.MAX_SAFE_INTEGER as Timestamp, LIVE_CANDLES),
        ]),
      ) as Record<CandleInterval, Candle[]>
      return { lastTradeNumber: trades.at(-1)?.tradeNumber ?? 0, candles, trades }
    })
  }

  close(): void {
    for (const shard of this.#shards) shard.close()
  }

  #at(shard: ShardIndex): ShardReader {
    const reader = this.#shards[shard]
    assert(reader !== undefined, `shard ${shard} is not in markets.yml`)
    return reader
  }

  #of(instrument: InstrumentId): ShardReader {
    return this.#at(this.#instrument(instrument).shard)
  }

  #instrument(id: InstrumentId): Instrument {
    const instrument = this.#markets.instruments.find((one) => one.id === id)
    assert(instrument !== undefined, `instrument ${id} is not in markets.yml`)
    return instrument
  }

  #page<Row, Item>(query: PageQuery, kind: PageKind<Row, Item>): Page<Item> {
    assert(query.limit >= 1 && query.limit <= PAGE_LIMIT_MAX, `pages have 1 to ${PAGE_LIMIT_MAX} items`)
    const only = query.instrument === undefined ? query.shard : this.#instrument(query.instrument).shard
    const shards = only === undefined ? this.#shards : [this.#at(only)]
    const places = readCursor(query.cursor)
    const lines = shards.map((shard) => ({
      shard,
      rows: kind.rows(shard, places.get(shard.index) ?? ask.NEWEST, query.limit + 1),
      taken: 0,
    }))
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
      places.set(newest.shard.index, kind.keyOf(row))
      items.push(kind.itemOf(row))
    }
    const more = lines.some((line) => line.taken < line.rows.length)
    return { items, nextCursor: more ? formatPageCursor(places) : null }
  }
}

type PageKind<Row, Item> = {
  readonly rows: (shard: ShardReader, before: ask.EventKey, limit: number) => Row[]
  readonly keyOf: (row: Row) => ask.EventKey
  readonly timeOf: (row: Row) => number
  readonly itemOf: (row: Row) => Item
}

/** `0:1042.7.1,2:88`: per shard, the last row that was given out. */
function formatPageCursor(places: ReadonlyMap<number, ask.EventKey>): string {
  return [...places].map(([shard, key]) => `${shard}:${key.seq}.${key.idx}.${key.part}`).join(',')
}

function readCursor(text: string | undefined): Map<number, ask.EventKey> {
  const places = new Map<number, ask.EventKey>()
  if (text === undefined) return places
  assert(isPageCursor(text), 'a cursor is given back as it was')
  for (const place of text.split(',')) {
    const [shard, key] = place.split(':') as [string, string]
    const [seq, idx = '0', part = '0'] = key.split('.') as [string, string?, string?]
    places.set(Number(shard), { seq: Number(seq), idx: Number(idx), part: Number(part) })
  }
  return places
}

const STATEMENTS_MAX = 64

/** One shard's file, opened when it is there. */
class ShardReader {
  readonly index: ShardIndex
  readonly #path: string
  readonly #statements = new Map<string, StatementSync>()
  #database: DatabaseSync | null = null

  constructor(directory: string, shard: Shard) {
    this.index = shard.index
    this.#path = historyPath(directory, shard)
  }

  all<Row>(query: CompiledQuery): Row[] {
    this.#database ??= openHistoryToRead(this.#path)
    if (this.#database === null) return []
    let statement = this.#statements.get(query.sql)
    if (statement === undefined) {
      assert(this.#statements.size < STATEMENTS_MAX, 'the history has a fixed set of queries')
      statement = this.#database.prepare(query.sql)
      this.#statements.set(query.sql, statement)
    }
    return statement.all(...(query.parameters as SQLInputValue[])) as Row[]
  }

  /** Whatever `read` asks sees the same commit. */
  atOneMoment<Result>(read: () => Result): Result {
    this.#database ??= openHistoryToRead(this.#path)
    if (this.#database === null) return read()
    this.#database.exec('BEGIN')
    try {
      return read()
    } finally {
      this.#database.exec('COMMIT')
    }
  }

  close(): void {
    this.#statements.clear()
    this.#database?.close()
    this.#database = null
  }
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

function postingOf(row: HistoryDatabase['postings']): Posting {
  return {
    shard: row.shard as ShardIndex,
    seq: row.seq as Seq,
    index: row.idx,
    account: row.account as AccountId,
    asset: row.asset as AssetId,
    amount: row.amount,
    kind: row.kind as PostingKind,
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
