// The JSON of the public API as clients see it. Decimals are strings. Types only.

export type SideName = 'BUY' | 'SELL'
/** `WAITING`: in no book, until its trigger is met or its list has come about. */
export type OrderStatus = 'WAITING' | 'NEW' | 'PARTIALLY_FILLED' | 'FILLED' | 'CANCELLED' | 'REJECTED' | 'EXPIRED'

export type OrderTypeName =
  | 'LIMIT'
  | 'MARKET'
  | 'STOP'
  | 'STOP_LIMIT'
  | 'TAKE_PROFIT'
  | 'TAKE_PROFIT_LIMIT'
  | 'TRAILING_STOP'
export type TimeInForceName = 'GTC' | 'IOC' | 'FOK' | 'DAY' | 'GTD'

/** Fields that plain orders do not have. */
export type OrderExtras = {
  readonly stopPrice?: string
  /** A distance of prices. */
  readonly trailingOffset?: string
  readonly displayQuantity?: string
  readonly minimumQuantity?: string
  /** Milliseconds since 1970. */
  readonly expireTime?: number
}

export type OrderRequest = OrderExtras & {
  readonly symbol: string
  readonly side: SideName
  readonly type: OrderTypeName
  readonly timeInForce?: TimeInForceName
  readonly price?: string
  readonly quantity?: string
  readonly quoteAmount?: string
  readonly postOnly?: boolean
  readonly reduceOnly?: boolean
  readonly selfTradePrevention?: 'NONE' | 'CANCEL_NEWEST' | 'CANCEL_OLDEST' | 'CANCEL_BOTH' | 'DECREMENT'
  readonly cancelOnDisconnect?: boolean
  readonly clientOrderId?: string
}

/** Orders that belong together: one cancels the other, or an entry with one or two exits. */
export type OrderListRequest =
  | { readonly kind: 'OCO'; readonly orders: readonly [OrderRequest, OrderRequest] }
  | {
      readonly kind: 'BRACKET'
      readonly entry: OrderRequest
      readonly exits: readonly [OrderRequest] | readonly [OrderRequest, OrderRequest]
    }

export type Fill = {
  readonly tradeId: string
  readonly price: string
  readonly quantity: string
  readonly fee: string
  readonly feeAsset: string
  readonly liquidity: string
}

/** An order as REST and streams show it; an order-place answer over a stream has the first part only. */
export type OrderView = OrderExtras & {
  readonly orderId: string
  readonly clientOrderId: string
  readonly status: OrderStatus
  readonly cumQty: string
  readonly leavesQty: string
  readonly avgPrice?: string
  readonly shard?: string | number
  readonly seq?: string | number
  readonly symbol?: string
  readonly side?: SideName
  readonly type?: string
  readonly timeInForce?: string
  readonly price?: string
  readonly quantity?: string
  readonly quoteAmount?: string
  readonly linkedOrderId?: string
  readonly rejectCode?: string
  readonly reason?: string
  readonly acceptedAt?: string
  readonly updatedAt?: string
  readonly fills?: readonly Fill[]
  readonly duplicate?: boolean
}

/** Names an order by its id, or by the client's own id and the symbol. */
export type OrderName = { readonly orderId: string } | { readonly clientOrderId: string; readonly symbol: string }

export type Session = {
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly accountId: number | string
}

export type BalanceView = {
  readonly asset: string
  readonly available: string
  readonly held: string
  readonly shard?: string
}

export type InstrumentView = {
  readonly symbol: string
  readonly base: string
  readonly quote: string
  readonly shard: string
  readonly tickSize: string
  readonly lotSize: string
  readonly priceMax?: string
  readonly quantityMax?: string
  readonly referencePrice?: string
}

export type PageOf<Item> = { readonly items: readonly Item[]; readonly cursor?: string | null }
export type Level = readonly [price: string, quantity: string]
export type DepthView = {
  readonly symbol: string
  readonly sequence: string
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}
