// Everything a shard's engine knows, and the command it is working on. The pipeline's steps are functions over this.

import {
  type CommandNumber,
  CommandType,
  LIMITS,
  type OrderId,
  orderIdOf,
  Phase,
  type Seq,
  type ShardIndex,
  type Timestamp,
} from '@wintrades/domain'
import { Accounts, Origins } from './accounts.ts'
import { Deduplication } from './deduplication.ts'
import { EventWriter } from './event-writer.ts'
import { Expiries } from './expiries.ts'
import { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { Ledger } from './ledger.ts'
import { AccountLimits } from './limits.ts'
import { FillBuffer } from './order-book.ts'
import { OrderStore } from './order-store.ts'
import { Positions } from './positions.ts'
import { LevelStore } from './price-levels.ts'
import { Peaks } from './risk/peaks.ts'
import { RecentOrders } from './risk/recent-orders.ts'
import { Transfers } from './transfers.ts'

/** Open orders in one shard: half of the ids that de-duplication remembers, so that an open order's id always is. */
export const ORDERS_MAX = LIMITS.deduplication_entries_max / 2

/** The newest rules this engine knows; `ActivateVersion` chooses among them. */
export const ENGINE_VERSION = 2
/** The first version with triggers, icebergs, DAY and GTD, minimum quantities, lists and auctions. */
export const VERSION_ORDER_TYPES = 2
/** The first version with order rates, duplicate guards, price bands, loss and drawdown limits, RISK_LIMIT and volatility interruptions. */
export const VERSION_RISK = 2

export class ShardState {
  readonly shard: ShardIndex
  seq = 0 as Seq
  nextCommand = 1 as CommandNumber
  timestamp = 0 as Timestamp
  /** The day it is of (`dayOf`). */
  day = 0
  version = 1
  /** By the kill switch. */
  blocked = false
  /** Plain orders go the short way (`plain-orders.ts`); tests turn it off to compare. */
  hasShortWay = true

  readonly orders = new OrderStore(ORDERS_MAX)
  readonly levels = new LevelStore(this.orders)
  /** Levels of stop prices: in no depth. */
  readonly triggerLevels = new LevelStore(this.orders)
  readonly expiries = new Expiries(this.orders)
  /** Instruments with orders whose time has come, in continuous trading: the one that has waited longest first. */
  readonly releasing: Instrument[] = []
  readonly fills = new FillBuffer()
  readonly ledger = new Ledger()
  readonly positions = new Positions()
  readonly accounts = new Accounts(this.orders)
  readonly origins = new Origins(this.orders)
  readonly limits = new AccountLimits(this.accounts)
  readonly peaks = new Peaks()
  readonly recentOrders = new RecentOrders()
  /** Instruments in a volatility auction, the one that ends first in front. */
  readonly reopenings: Instrument[] = []
  /** Of the instruments of each base and quote asset (`pairOf`), the one with the lowest id. */
  readonly pairs = new Map<number, Instrument>()
  readonly transfers = new Transfers()
  readonly deduplication: Deduplication
  readonly events = new EventWriter()
  /** By id; and their ids, ascending. */
  readonly instruments: (Instrument | undefined)[] = new Array(LIMITS.instruments_max + 1)
  readonly instrumentIds: number[] = []

  // The command under way.
  view: DataView = new DataView(new ArrayBuffer(0))
  at = 0
  commandType = CommandType.new_order as CommandType
  number = 0
  account = 0
  readonly incoming = new Incoming()
  /** What the rule that refuses the command sets, and what broke it. */
  limit = 0
  value = 0

  constructor(shard: ShardIndex) {
    this.shard = shard
    const orders = this.orders
    this.deduplication = new Deduplication(
      LIMITS.deduplication_horizon_us,
      LIMITS.deduplication_entries_max,
      (commandNumber) => orders.find(commandNumber) !== 0,
    )
  }

  /** Orders of an instrument may enter the market after the command, if it trades. */
  noteReleased(instrument: Instrument): void {
    if (instrument.phase === Phase.continuous && !this.releasing.includes(instrument)) this.releasing.push(instrument)
  }

  orderId(commandNumber: number): OrderId {
    return orderIdOf(this.shard, commandNumber as CommandNumber)
  }

  /** The order id of an open order. */
  orderIdAt(slot: number): OrderId {
    return this.orderId(this.orders.numberOf(slot))
  }

  instrument(id: number): Instrument | undefined {
    return this.instruments[id]
  }

  /** Notes why a command is refused; returns the code. */
  refuse(code: number, limit = 0, value = 0): number {
    this.limit = Math.min(limit, LIMITS.amount_max)
    this.value = Math.min(value, LIMITS.amount_max)
    return code
  }
}
