// What a replica answers when it is asked about its state: plain values, computed at one `seq`.

import type {
  AccountId,
  Amount,
  AssetId,
  InstrumentId,
  OrderId,
  Price,
  Quantity,
  ShardIndex,
  Timestamp,
} from './identifiers.ts'
import type { OrderType, Phase, SelfTradePrevention, Side, TimeInForce } from './orders.ts'
import type { RejectCode } from './reject-codes.ts'

/** An order that is open now. */
export type OpenOrder = {
  readonly order: OrderId
  readonly account: AccountId
  readonly instrument: InstrumentId
  readonly clientOrderId: string
  readonly side: Side
  readonly orderType: OrderType
  readonly timeInForce: TimeInForce
  readonly selfTradePrevention: SelfTradePrevention
  readonly flags: number
  readonly price: Price
  /** Of a trailing stop: where it stands now. */
  readonly stopPrice: Price
  readonly trailingOffset?: Price
  /** The other leg of its pair, or the entry it waits for. */
  readonly linkedOrder?: OrderId
  /** It is in no book: it waits for its trigger, or for the other orders of its list. */
  readonly waiting?: boolean
  readonly displayQuantity: Quantity
  readonly expireTime: Timestamp
  readonly quantity: Quantity
  readonly cumQty: Quantity
  readonly leavesQty: Quantity
  /** Σ price × quantity of its fills, quote asset's smallest units. */
  readonly cumQuote: Amount
  readonly acceptedAt: Timestamp
  readonly updatedAt: Timestamp
}

export type Balance = { readonly asset: AssetId; readonly available: Amount; readonly held: Amount }

export type Position = {
  readonly instrument: InstrumentId
  /** Lots, signed. */
  readonly quantity: number
  readonly cost: number
  readonly realisedProfit: number
}

export type Level = { readonly price: Price; readonly quantity: Quantity; readonly orderCount: number }

export type BookView = {
  readonly instrument: InstrumentId
  readonly phase: Phase
  readonly bookVersion: number
  readonly lastTradeNumber: number
  readonly lastPrice: Price
  /** Best first. */
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** What a call auction would do if it ended now. All 0: nothing can trade. */
export type IndicativeAuction = {
  readonly price: Price
  readonly volume: Quantity
  /** What would be left at that price: positive on the buy side, negative on the sell side. */
  readonly surplus: number
}

/** What became of a client order id or transfer id that the engine still remembers. */
export type Outcome = { readonly order: OrderId; readonly code: RejectCode }

/** Σ over all accounts, and what entered and left: `deposited − withdrawn + transferredIn − transferredOut = available + held`. */
export type TrialBalance = {
  readonly asset: AssetId
  readonly available: number
  readonly held: number
  readonly fees: number
  readonly deposited: number
  readonly withdrawn: number
  readonly transferredIn: number
  readonly transferredOut: number
}

/** A transfer that left this shard and is not yet known to have arrived. */
export type TransferInFlight = {
  readonly account: AccountId
  readonly asset: AssetId
  readonly amount: Amount
  readonly toShard: ShardIndex
  readonly number: number
  readonly transferId: string
  readonly sentAt: Timestamp
}
