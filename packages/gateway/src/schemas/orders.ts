// Orders and fills as REST shows them. The requests of `POST /orders` and `/orders/batch` are documented here and checked by order
// entry's own parser, which streams share.

import { ORDER_TYPE_NAMES, SELF_TRADE_PREVENTION_NAMES, TIME_IN_FORCE_NAMES } from '@wintrades/domain'
import { ORDER_STATUS_NAMES } from '@wintrades/marketdata'
import { type TSchema, Type } from 'typebox'
import { ORDERS_PER_BATCH_MAX } from '../orders/order-entry.ts'
import { LIST_KINDS } from '../orders/order-lists.ts'
import {
  ClientId,
  closed,
  DECIMAL_FORM,
  Decimal,
  ErrorAnswer,
  MinSeq,
  OrderIdText,
  PageFilter,
  RegionName,
  ShardFilter,
  SideName,
  SymbolName,
  Time,
} from './common.ts'

function names(values: Readonly<Record<number, string>>): TSchema {
  return Type.Enum(Object.values(values))
}

function decimal(description: string) {
  return Type.String({ ...DECIMAL_FORM, description })
}

export const OrderRequest = closed(
  {
    symbol: SymbolName,
    side: SideName,
    type: names(ORDER_TYPE_NAMES),
    timeInForce: Type.Optional(
      Type.Enum(Object.values(TIME_IN_FORCE_NAMES), {
        description:
          'GTC unless said otherwise; a market order is IOC. DAY: until the instrument closes. GTD: until expireTime.',
      }),
    ),
    price: Type.Optional(Decimal),
    quantity: Type.Optional(Decimal),
    quoteAmount: Type.Optional(Decimal),
    stopPrice: Type.Optional(
      decimal('The price of a trade that triggers it: STOP, STOP_LIMIT, TAKE_PROFIT and TAKE_PROFIT_LIMIT.'),
    ),
    trailingOffset: Type.Optional(decimal('How far a TRAILING_STOP stays behind the best price since it was entered.')),
    displayQuantity: Type.Optional(decimal('What an iceberg shows of its quantity at a time.')),
    minimumQuantity: Type.Optional(
      decimal('LIMIT and MARKET: at least so much is traded on entry, or nothing at all.'),
    ),
    expireTime: Type.Optional(Type.Integer({ description: 'GTD: when it ends, milliseconds since 1970.', minimum: 1 })),
    postOnly: Type.Optional(Type.Boolean({ description: 'Rejected rather than matched on entry.' })),
    reduceOnly: Type.Optional(Type.Boolean({ description: 'May only bring the position nearer to zero.' })),
    selfTradePrevention: Type.Optional(names(SELF_TRADE_PREVENTION_NAMES)),
    cancelOnDisconnect: Type.Optional(
      Type.Boolean({ description: 'Streams only: cancelled when the connection that entered it ends.' }),
    ),
    clientOrderId: Type.Optional(ClientId),
  },
  'Types with LIMIT in their name have a price. All have a quantity; a market order has quantity, or quoteAmount: what to spend or to ' +
    'receive.',
)

export const BatchRequest = closed({
  orders: Type.Array(OrderRequest, { minItems: 1, maxItems: ORDERS_PER_BATCH_MAX }),
})

export const ListRequest = closed(
  {
    kind: Type.Enum([...LIST_KINDS]),
    orders: Type.Optional(
      Type.Array(OrderRequest, { minItems: 2, maxItems: 2, description: 'OCO: two orders of one side and quantity.' }),
    ),
    entry: Type.Optional(OrderRequest),
    exits: Type.Optional(
      Type.Array(OrderRequest, {
        minItems: 1,
        maxItems: 2,
        description: 'BRACKET: orders of the other side and the same quantity as the entry; two of them are a pair.',
      }),
    ),
  },
  'OCO has orders; when one of them trades, triggers or ends, the other is cancelled. BRACKET has entry and exits; they go live when ' +
    'the entry has ended, for what it has filled.',
)

export const FillView = Type.Object({
  tradeId: Type.String(),
  price: Decimal,
  quantity: Decimal,
  fee: Type.String(),
  feeAsset: Type.String(),
  liquidity: Type.Union([Type.Literal('MAKER'), Type.Literal('TAKER')]),
})

const order = {
  orderId: OrderIdText,
  status: names(ORDER_STATUS_NAMES),
  symbol: Type.Optional(SymbolName),
  side: Type.Optional(SideName),
  type: Type.Optional(names(ORDER_TYPE_NAMES)),
  timeInForce: Type.Optional(names(TIME_IN_FORCE_NAMES)),
  price: Type.Optional(Decimal),
  quantity: Type.Optional(Decimal),
  quoteAmount: Type.Optional(Decimal),
  stopPrice: Type.Optional(Decimal),
  trailingOffset: Type.Optional(Decimal),
  displayQuantity: Type.Optional(Decimal),
  minimumQuantity: Type.Optional(Decimal),
  expireTime: Type.Optional(Time),
  linkedOrderId: Type.Optional(
    Type.String({ description: 'While it is open: the other order of its pair, or the entry that it waits for.' }),
  ),
  cumQty: Type.Optional(Decimal),
  leavesQty: Type.Optional(Decimal),
  avgPrice: Type.Optional(Type.String({ description: 'Of its fills; absent without any.' })),
  postOnly: Type.Optional(Type.Boolean()),
  reduceOnly: Type.Optional(Type.Boolean()),
  cancelOnDisconnect: Type.Optional(Type.Boolean()),
  selfTradePrevention: Type.Optional(names(SELF_TRADE_PREVENTION_NAMES)),
  acceptedAt: Type.Optional(Time),
  updatedAt: Type.Optional(Time),
  shard: Type.Optional(RegionName),
  seq: Type.Optional(Type.Integer({ description: 'The batch of the shard that this answer speaks of.' })),
  rejectCode: Type.Optional(Type.String({ description: 'Why it was rejected: a code of the error catalogue.' })),
  reason: Type.Optional(Type.String({ description: 'Why it is done.' })),
  duplicate: Type.Optional(
    Type.Boolean({ description: 'The client order id was seen before: this is what became of it.' }),
  ),
  fills: Type.Optional(Type.Array(FillView)),
}

export const OrderView = Type.Object({ ...order, clientOrderId: Type.String() })
export const ChangedOrder = Type.Object({
  ...order,
  clientOrderId: Type.Optional(Type.String({ description: 'When the order was named by it.' })),
})

export const BatchAnswer = Type.Object({
  results: Type.Array(Type.Union([OrderView, ErrorAnswer]), { description: 'One per order, in order.' }),
})

export const OrdersQuery = closed({
  symbol: Type.Optional(SymbolName),
  status: Type.Optional(Type.Union([Type.Literal('open'), Type.Literal('closed')], { default: 'open' })),
  ...ShardFilter,
  ...PageFilter,
  minSeq: Type.Optional(MinSeq),
})

export const OrderPath = closed({ orderId: OrderIdText })
export const OrderQuery = closed({ minSeq: Type.Optional(MinSeq) })
export const ClientOrderPath = closed({ clientOrderId: ClientId })
export const ClientOrderQuery = closed({ symbol: SymbolName, minSeq: Type.Optional(MinSeq) })
export const MassCancelQuery = closed({ symbol: Type.Optional(SymbolName), side: Type.Optional(SideName) })
export const MassCancelAnswer = Type.Object({ cancelled: Type.Integer({ minimum: 0 }) })

export const ReplaceRequest = Type.Object(
  { price: Type.Optional(Decimal), quantity: Type.Optional(Decimal) },
  {
    additionalProperties: false,
    minProperties: 1,
    description: 'quantity is the new total, what is filled included. What is left out stays.',
  },
)

export const TradesQuery = closed({
  symbol: Type.Optional(SymbolName),
  ...ShardFilter,
  ...PageFilter,
  minSeq: Type.Optional(MinSeq),
})

export const ExecutionView = Type.Object({
  tradeId: Type.String(),
  orderId: OrderIdText,
  symbol: SymbolName,
  side: SideName,
  price: Decimal,
  quantity: Decimal,
  quoteQuantity: Decimal,
  fee: Type.String(),
  feeAsset: Type.String(),
  liquidity: Type.Union([Type.Literal('MAKER'), Type.Literal('TAKER')]),
  time: Time,
  shard: RegionName,
  seq: Type.Integer(),
})
