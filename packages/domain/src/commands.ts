// Everything that can change a shard, as plain objects. `codec.ts` gives each its bytes; the engine reads those bytes
// in place. A command carries no clock: its time is its batch's timestamp.

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
import type { OrderLink, OrderType, Phase, SelfTradePrevention, Side, TimeInForce } from './orders.ts'

export const CommandType = {
  new_order: 1,
  cancel_order: 2,
  replace_order: 3,
  mass_cancel: 4,
  /** Cancels what a lost connection (or a lost gateway, session 0) left with `cancel_on_disconnect`. */
  cancel_session: 5,
  deposit: 16,
  withdraw: 17,
  transfer_out: 18,
  transfer_in: 19,
  transfer_settled: 20,
  define_asset: 32,
  define_instrument: 33,
  set_account_limits: 34,
  set_phase: 35,
  kill_switch: 36,
  activate_version: 37,
} as const
export type CommandType = (typeof CommandType)[keyof typeof CommandType]

/** Where an answer goes: which gateway process asked (`origin`), and which of its requests this was. */
export type Envelope = {
  /** Random non-zero 32-bit number of a gateway process, new at each start; 0 for the venue's own commands. */
  readonly origin: number
  /** The gateway's number of this request, unsigned 32-bit, unique among those it waits for. */
  readonly correlation: number
  readonly account: AccountId
}

export type NewOrder = Envelope & {
  readonly type: typeof CommandType.new_order
  readonly instrument: InstrumentId
  readonly side: Side
  readonly orderType: OrderType
  readonly timeInForce: TimeInForce
  readonly selfTradePrevention: SelfTradePrevention
  /** Bits of `OrderFlag`. */
  readonly flags: number
  /** The connection that entered it, within its origin; for cancel-on-disconnect. */
  readonly session: number
  /** The API key that entered it, 0 for a logged-in user; risk rules may differ by key. */
  readonly apiKey: number
  /** Ticks; 0 where the type has none. */
  readonly price: Price
  /** Lots; 0 for a market order by quote amount. */
  readonly quantity: Quantity
  /** Market orders only: how much of the quote asset to spend or to receive. */
  readonly quoteAmount: Amount
  readonly stopPrice: Price
  readonly displayQuantity: Quantity
  readonly minimumQuantity: Quantity
  readonly expireTime: Timestamp
  /** Ticks a trailing stop keeps from the best price seen. */
  readonly trailingOffset: Price
  /** Part of a list: what it is to the order of the same account and instrument that `linkedClientOrderId` names. */
  readonly link?: OrderLink
  readonly linkedClientOrderId?: string
  readonly clientOrderId: string
}

/** Names an order by id, or (order 0) by the client order id that its account gave it. */
export type CancelOrder = Envelope & {
  readonly type: typeof CommandType.cancel_order
  readonly order: OrderId
  readonly clientOrderId: string
}

/** `quantity` is the new total (CumQty included). Priority is kept when the price stays and the quantity falls. */
export type ReplaceOrder = Envelope & {
  readonly type: typeof CommandType.replace_order
  readonly order: OrderId
  readonly clientOrderId: string
  readonly price: Price
  readonly quantity: Quantity
}

export type MassCancel = Envelope & {
  readonly type: typeof CommandType.mass_cancel
  /** 0: every instrument of the shard. */
  readonly instrument: InstrumentId | 0
  /** null: both sides. */
  readonly side: Side | null
}

export type CancelSession = Envelope & {
  readonly type: typeof CommandType.cancel_session
  readonly targetOrigin: number
  /** 0: every session of the origin. */
  readonly session: number
}

/** De-duplicated by `(account, transferId)`, as orders are by client order id. */
export type Deposit = Envelope & {
  readonly type: typeof CommandType.deposit
  readonly asset: AssetId
  readonly amount: Amount
  readonly transferId: string
}

export type Withdraw = Envelope & {
  readonly type: typeof CommandType.withdraw
  readonly asset: AssetId
  readonly amount: Amount
  readonly transferId: string
}

/**
 * First step of a transfer between shards: the funds leave here and are in flight until the other shard has them. The
 * engine numbers the transfers of each pair of shards 1, 2, 3, …
 */
export type TransferOut = Envelope & {
  readonly type: typeof CommandType.transfer_out
  readonly asset: AssetId
  readonly amount: Amount
  readonly toShard: ShardIndex
  readonly transferId: string
}

/**
 * Second step, sent by the leader of `fromShard` until it is applied. The receiving shard takes number n only after n − 1 and
 * only once, so one counter per pair of shards makes transfers exactly-once for ever.
 */
export type TransferIn = Envelope & {
  readonly type: typeof CommandType.transfer_in
  readonly asset: AssetId
  readonly amount: Amount
  readonly fromShard: ShardIndex
  readonly number: number
  readonly transferId: string
}

/** Last step: the leader of the sending shard has seen the other shard apply every transfer up to `number`. */
export type TransferSettled = Envelope & {
  readonly type: typeof CommandType.transfer_settled
  readonly toShard: ShardIndex
  readonly number: number
}

export type DefineAsset = Envelope & {
  readonly type: typeof CommandType.define_asset
  readonly asset: AssetId
  /** Decimal places of the smallest unit. */
  readonly scale: number
}

/** The integers of an instrument that the engine needs; `markets.ts` derives them from `markets.yml`. */
export type InstrumentDefinition = {
  readonly instrument: InstrumentId
  readonly base: AssetId
  readonly quote: AssetId
  readonly phase: Phase
  readonly baseUnitsPerLot: number
  readonly quoteUnitsPerTickLot: number
  readonly priceMin: Price
  readonly priceMax: Price
  readonly quantityMin: Quantity
  readonly quantityMax: Quantity
  readonly notionalMin: Amount
  readonly notionalMax: Amount
  readonly makerFee_ppm: number
  readonly takerFee_ppm: number
  /** The price move that RISK_LIMIT assumes, in millionths of the price. */
  readonly stressMove_ppm: number
  /** Limit prices farther than this from the reference price are refused; 0: no band. */
  readonly priceBand_ppm: number
  /** A trade farther than this from the auction price halts the instrument; 0: none. */
  readonly staticBand_ppm: number
  /** A trade farther than this from the last trade halts the instrument; 0: none. */
  readonly dynamicBand_ppm: number
  /** Reference price before the first trade, ticks; 0: none. */
  readonly referencePrice: Price
}

export type DefineInstrument = Envelope & InstrumentDefinition & { readonly type: typeof CommandType.define_instrument }

/**
 * Limits of one account (or, with `apiKey`, of one key of it), all of them at once; 0 means "no such limit". Amounts are in the smallest
 * units of the quote asset of the instrument that an order is for.
 */
export type SetAccountLimits = Envelope & {
  readonly type: typeof CommandType.set_account_limits
  readonly apiKey: number
  /** Largest absolute position value per instrument. */
  readonly positionValueMax: Amount
  /** Share of equity that the stress moves may cost, millionths. */
  readonly riskLimit_ppm: number
  readonly orderNotionalMax: Amount
  readonly openOrdersMax: number
  /** Orders and replacements within one second of batch time. */
  readonly ordersPerSecondMax: number
  /** Loss since 00:00 UTC, open positions and fees included, from which on only reducing orders pass. */
  readonly dailyLossMax: Amount
  /** The same for the fall from the highest result since this limit was set to its value. */
  readonly drawdownMax: Amount
  /** Limit prices farther than this from the reference price are refused, millionths of it. */
  readonly priceBand_ppm?: number
  /** An order like one accepted less than this ago is refused; at most `LIMITS.duplicate_window_ms_max`. */
  readonly duplicateWindow_ms?: number
}

export type SetPhase = Envelope & {
  readonly type: typeof CommandType.set_phase
  readonly instrument: InstrumentId
  readonly phase: Phase
}

export const KillSwitchScope = { account: 0, instrument: 1, shard: 2 } as const
export type KillSwitchScope = (typeof KillSwitchScope)[keyof typeof KillSwitchScope]

export type KillSwitch = Envelope & {
  readonly type: typeof CommandType.kill_switch
  readonly scope: KillSwitchScope
  /** Account or instrument id; 0 for the shard. */
  readonly target: number
  readonly blocked: boolean
}

/** From its batch on, the engine follows the rules of this version. */
export type ActivateVersion = Envelope & {
  readonly type: typeof CommandType.activate_version
  readonly version: number
}

export type Command =
  | NewOrder
  | CancelOrder
  | ReplaceOrder
  | MassCancel
  | CancelSession
  | Deposit
  | Withdraw
  | TransferOut
  | TransferIn
  | TransferSettled
  | DefineAsset
  | DefineInstrument
  | SetAccountLimits
  | SetPhase
  | KillSwitch
  | ActivateVersion
