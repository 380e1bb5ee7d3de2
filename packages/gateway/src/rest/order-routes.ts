// Orders over REST: entered, looked up, listed, changed and cancelled. What an order is and what becomes of it is order entry's to say;
// its answers are sent as they are.

import type { AccountId, Instrument, ShardIndex } from '@wintrades/domain'
import {
  type Execution,
  type HistoricOrder,
  type HistoryReader,
  isPageCursor,
  type PageQuery,
} from '@wintrades/marketdata'
import type { Venue } from '@wintrades/venue'
import type { FastifyReply } from 'fastify'
import type { HistoryCache } from '../cache/history-cache.ts'
import { ApiFault } from '../errors.ts'
import type { OrderReply } from '../orders/answers.ts'
import type { Done } from '../orders/command-handlers.ts'
import type { OrderEntry } from '../orders/order-entry.ts'
import { fillView, orderView } from '../orders/order-text.ts'
import { PAGE_LIMIT_DEFAULT, pageOf } from '../schemas/common.ts'
import * as schemas from '../schemas/orders.ts'
import { type Shards, stamp, stampMerged } from './consistency.ts'
import { answers } from './documentation.ts'
import { retryAfterSeconds } from './error-handler.ts'
import { type Api, accountOf } from './http.ts'
import type { Instruments } from './instruments.ts'
import { OpenOrderPages } from './open-order-pages.ts'

export type OrderRouteParts = {
  readonly venue: Venue
  readonly history: HistoryReader
  readonly pages: HistoryCache
  readonly entry: OrderEntry
  readonly shards: Shards
  readonly instruments: Instruments
}

const tags = ['orders']
/** Order entry checks scope and limits itself, as it does for streams. */
const entered = { access: 'account', scope: 'trade', counted: 'orders' } as const
const looked = { access: 'account', scope: 'read', counted: 'orders' } as const

export function addOrderRoutes(api: Api, parts: OrderRouteParts): void {
  addOrderEntry(api, parts)
  addOrderLookUp(api, parts)
  addOrderLists(api, parts)
}

function addOrderEntry(api: Api, { entry }: OrderRouteParts): void {
  api.post(
    '/orders',
    {
      config: entered,
      // Described here, checked by order entry.
      validatorCompiler: () => () => true,
      schema: {
        tags,
        summary: 'Enter an order',
        body: schemas.OrderRequest,
        response: answers({ 200: schemas.OrderView, 201: schemas.OrderView }),
      },
    },
    (request, reply) => {
      answer(reply, (done) => entry.place(accountOf(request), request.body, 0, done))
    },
  )

  api.post(
    '/orders/batch',
    {
      config: entered,
      validatorCompiler: () => () => true,
      schema: {
        tags,
        summary: 'Enter up to 500 orders; each has its own result, in order',
        body: schemas.BatchRequest,
        response: answers({ 200: schemas.BatchAnswer }),
      },
    },
    (request, reply) => {
      const orders = ordersOf(request.body)
      answer(reply, (done) => entry.placeBatch(accountOf(request), orders, 0, done))
    },
  )

  api.post(
    '/orders/list',
    {
      config: entered,
      validatorCompiler: () => () => true,
      schema: {
        tags,
        summary: 'Enter orders that belong together: one cancels the other, or an entry with its exits',
        body: schemas.ListRequest,
        response: answers({ 200: schemas.BatchAnswer }),
      },
    },
    (request, reply) => {
      answer(reply, (done) => entry.placeList(accountOf(request), request.body, 0, done))
    },
  )

  api.delete(
    '/orders/:orderId',
    {
      config: entered,
      schema: {
        tags,
        summary: 'Cancel an order',
        params: schemas.OrderPath,
        response: answers({ 200: schemas.ChangedOrder }),
      },
    },
    (request, reply) => {
      answer(reply, (done) => entry.cancel(accountOf(request), request.params, done))
    },
  )

  api.patch(
    '/orders/:orderId',
    {
      config: entered,
      schema: {
        tags,
        summary: 'Change price or quantity of an order',
        params: schemas.OrderPath,
        body: schemas.ReplaceRequest,
        response: answers({ 200: schemas.ChangedOrder }),
      },
    },
    (request, reply) => {
      answer(reply, (done) => entry.replace(accountOf(request), request.params, request.body, done))
    },
  )

  api.delete(
    '/orders',
    {
      config: entered,
      schema: {
        tags,
        summary: 'Cancel all open orders, or those of one symbol or side',
        querystring: schemas.MassCancelQuery,
        response: answers({ 200: schemas.MassCancelAnswer }),
      },
    },
    (request, reply) => {
      answer(reply, (done) => entry.massCancel(accountOf(request), request.query, done))
    },
  )
}

function addOrderLookUp(api: Api, { entry, shards }: OrderRouteParts): void {
  api.get(
    '/orders/:orderId',
    {
      config: looked,
      schema: {
        tags,
        summary: 'One order, open or done',
        params: schemas.OrderPath,
        querystring: schemas.OrderQuery,
        response: answers({ 200: schemas.OrderView }),
      },
    },
    async (request, reply) => {
      await shards.caughtUp(request.query.minSeq)
      const found = await entry.find(accountOf(request), request.params)
      return send(reply, found)
    },
  )

  api.get(
    '/orders/by-client-id/:clientOrderId',
    {
      config: looked,
      schema: {
        tags,
        summary: 'One order by the client’s own id',
        params: schemas.ClientOrderPath,
        querystring: schemas.ClientOrderQuery,
        response: answers({ 200: schemas.OrderView }),
      },
    },
    async (request, reply) => {
      const { symbol, minSeq } = request.query
      await shards.caughtUp(minSeq)
      const { clientOrderId } = request.params
      const found = await entry.find(accountOf(request), { clientOrderId, symbol })
      return send(reply, found)
    },
  )
}

function addOrderLists(api: Api, { venue, history, pages, shards, instruments }: OrderRouteParts): void {
  const openOrders = new OpenOrderPages(venue, instruments)

  api.get(
    '/orders',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'Open orders (newest first), or closed ones',
        querystring: schemas.OrdersQuery,
        response: answers({ 200: pageOf(schemas.OrderView) }),
      },
    },
    async (request, reply) => {
      const { account } = accountOf(request)
      const { symbol, status = 'open', minSeq, cursor, limit = PAGE_LIMIT_DEFAULT } = request.query
      const instrument = symbol === undefined ? undefined : instruments.named(symbol)
      const chosen = shards
        .selected(request.query)
        .filter((one) => instrument === undefined || one.index === instrument.shard)
      const caughtUp = await shards.caughtUp(minSeq)
      if (status === 'open') {
        const page = await openOrders.page(chosen, account, instrument, limit, cursor)
        stampMerged(reply, page.places)
        return { items: page.items, cursor: page.cursor }
      }
      const query = { ...pageQuery(account, chosen, shards.all.length, instrument, limit, cursor), ...caughtUp }
      const page = await pages.page('closed', query, () => history.closedOrders(query))
      stampMerged(reply, shards.places(page.places))
      return { items: page.items.map((order) => closedView(instruments, shards, order)), cursor: page.nextCursor }
    },
  )

  api.get(
    '/trades',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'Own trades, newest first',
        querystring: schemas.TradesQuery,
        response: answers({ 200: pageOf(schemas.ExecutionView) }),
      },
    },
    async (request, reply) => {
      const { account } = accountOf(request)
      const { symbol, minSeq, cursor, limit = PAGE_LIMIT_DEFAULT } = request.query
      const instrument = symbol === undefined ? undefined : instruments.named(symbol)
      const chosen = shards
        .selected(request.query)
        .filter((one) => instrument === undefined || one.index === instrument.shard)
      const caughtUp = await shards.caughtUp(minSeq)
      const query = { ...pageQuery(account, chosen, shards.all.length, instrument, limit, cursor), ...caughtUp }
      const page = await pages.page('executions', query, () => history.executions(query))
      stampMerged(reply, shards.places(page.places))
      return { items: page.items.map((one) => executionView(instruments, shards, one)), cursor: page.nextCursor }
    },
  )
}

/** The `orders` of a batch request, which has nothing else. */
function ordersOf(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiFault('REQUEST_MALFORMED', { details: [{ path: 'body', message: 'must be an object with orders' }] })
  }
  for (const key of Object.keys(body)) {
    if (key === 'orders') continue
    throw new ApiFault('REQUEST_MALFORMED', {
      details: [{ path: key.slice(0, 40), message: 'is not a field of a batch' }],
    })
  }
  return (body as { readonly orders?: unknown }).orders
}

function answer(reply: FastifyReply, ask: (done: Done) => void): void {
  ask((result) => void send(reply, result))
}

/** An answer of order entry, as it is. */
function send(reply: FastifyReply, { status, json, shard, seq }: OrderReply): FastifyReply {
  if (shard !== null && seq !== 0) stamp(reply, shard, seq)
  if (status === 429 || status === 503) {
    const wait_ms = Number(/"retryAfter_ms":([0-9]+)/.exec(json)?.[1] ?? 0)
    reply.header('retry-after', retryAfterSeconds(wait_ms))
  }
  return reply.code(status).type('application/json; charset=utf-8').send(json)
}

export function pageQuery(
  account: AccountId,
  chosen: readonly { readonly index: ShardIndex }[],
  shardCount: number,
  instrument: Instrument | undefined,
  limit: number,
  cursor: string | undefined,
): PageQuery {
  if (cursor !== undefined && !isPageCursor(cursor)) throw new ApiFault('CURSOR_INVALID')
  const [only] = chosen
  return {
    account,
    limit,
    ...(instrument === undefined ? {} : { instrument: instrument.id }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(only === undefined || chosen.length === shardCount ? {} : { shard: only.index }),
  }
}

function closedView(instruments: Instruments, shards: Shards, order: HistoricOrder): object {
  return {
    ...orderView(instruments.of(order.instrument), order),
    shard: shards.name(order.shard),
    seq: order.seq,
  }
}

function executionView(instruments: Instruments, shards: Shards, execution: Execution): object {
  const instrument = instruments.of(execution.instrument)
  return {
    ...fillView(instrument, execution),
    orderId: String(execution.order),
    symbol: instrument.symbol,
    side: instruments.sideName(execution.side),
    quoteQuantity: instruments.quoteText(instrument, execution.notional),
    time: Math.floor(execution.timestamp / 1_000),
    shard: shards.name(execution.shard),
    seq: execution.seq,
  }
}
