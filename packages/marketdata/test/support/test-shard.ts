// A shard for tests: a real engine behind encoded batches, and a seeded flow of every kind of command that history and market
// data have to follow.

import {
  type AccountId,
  type Amount,
  type AssetId,
  BATCH,
  batchBytes,
  type Command,
  CommandType,
  checkBatch,
  commandBytes,
  type Epoch,
  encodeCommand,
  HASH_BYTES,
  type InstrumentId,
  type NewOrder,
  type OpenOrder,
  OrderFlag,
  type OrderId,
  OrderLink,
  OrderType,
  Phase,
  type Price,
  type Quantity,
  SelfTradePrevention,
  type Seq,
  type ShardIndex,
  Side,
  TimeInForce,
  type Timestamp,
  writeBatchHeader,
} from '@wintrades/domain'
import { ENGINE_VERSION, Engine } from '@wintrades/engine'
import { openStatus } from '../../src/order-status.ts'
import { markets } from './markets.ts'
import { Random } from './random.ts'

export type TestBatch = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly timestamp: Timestamp
  readonly bytes: Uint8Array
  readonly events: Float64Array
}

/** 2026-01-05T00:00:00Z. */
export const START = 1_767_571_200_000_000

const ENVELOPE = { origin: 1, correlation: 0 }

export function newOrder(fields: Partial<Omit<NewOrder, 'type'>> & { clientOrderId: string }): NewOrder {
  return {
    type: CommandType.new_order,
    ...ENVELOPE,
    account: 1 as AccountId,
    instrument: 1 as InstrumentId,
    side: Side.buy,
    orderType: OrderType.limit,
    timeInForce: TimeInForce.gtc,
    selfTradePrevention: SelfTradePrevention.none,
    flags: 0,
    session: 0,
    apiKey: 0,
    price: 0 as Price,
    quantity: 0 as Quantity,
    quoteAmount: 0 as Amount,
    stopPrice: 0 as Price,
    displayQuantity: 0 as Quantity,
    minimumQuantity: 0 as Quantity,
    expireTime: 0 as Timestamp,
    trailingOffset: 0 as Price,
    ...fields,
  }
}

export function deposit(account: number, asset: number, amount: number, transferId: string): Command {
  return {
    type: CommandType.deposit,
    ...ENVELOPE,
    account: account as AccountId,
    asset: asset as AssetId,
    amount: amount as Amount,
    transferId,
  }
}

export class TestShard {
  readonly shard: ShardIndex
  readonly engine: Engine
  readonly batches: TestBatch[] = []
  #timestamp = START

  constructor(shard = 0) {
    this.shard = shard as ShardIndex
    this.engine = new Engine(this.shard)
  }

  /** Defines every asset, and the shard's instruments; the engine's newest rules are in force. */
  define(): TestBatch {
    const venue = { ...ENVELOPE, account: 0 as AccountId }
    return this.apply([
      { type: CommandType.activate_version, ...venue, version: ENGINE_VERSION },
      ...markets.assets.map(
        (asset): Command => ({ type: CommandType.define_asset, ...venue, asset: asset.id, scale: asset.scale }),
      ),
      ...markets.instruments
        .filter((instrument) => instrument.shard === this.shard)
        .map((instrument): Command => ({ type: CommandType.define_instrument, ...venue, ...instrument.definition })),
    ])
  }

  apply(commands: readonly Command[], elapsed_us = 1_000): TestBatch {
    this.#timestamp += elapsed_us
    const bytes = encodeBatch(commands, {
      shard: this.shard,
      seq: (this.engine.seq + 1) as Seq,
      epoch: 1 as Epoch,
      timestamp: this.#timestamp as Timestamp,
      firstCommand: this.engine.nextCommand,
      commandCount: commands.length,
      hashedSeq: 0,
    })
    const events = this.engine.apply(bytes).slice()
    const batch = { shard: this.shard, seq: this.engine.seq, timestamp: this.engine.timestamp, bytes, events }
    this.batches.push(batch)
    return batch
  }
}

function encodeBatch(commands: readonly Command[], header: Parameters<typeof writeBatchHeader>[1]): Uint8Array {
  const body = commands.reduce((sum, command) => sum + commandBytes(command), 0)
  const bytes = new Uint8Array(batchBytes(body))
  const view = new DataView(bytes.buffer)
  let offset: number = BATCH.commands
  for (const command of commands) offset += encodeCommand(command, view, offset)
  writeBatchHeader(bytes, header, body, null, new Uint8Array(HASH_BYTES))
  checkBatch(bytes)
  return bytes
}

/** An open order as account feed and history have it: what moves without an event, or is of the replica's making, is left out. */
export function followed({ displayQuantity, linkedOrder, waiting, stopPrice, ...order }: OpenOrder): object {
  const status = openStatus(order.cumQty, waiting)
  return { ...order, status, ...(order.orderType === OrderType.trailing_stop ? {} : { stopPrice }) }
}

/** A seeded flow of orders, cancels, replaces and funds by a few accounts over the shard's instruments. */
export class Flow {
  readonly #shard: TestShard
  readonly #random: Random
  readonly #accounts: number
  readonly #instruments: readonly InstrumentId[]
  #ids = 0

  constructor(shard: TestShard, seed: number, accounts = 5) {
    this.#shard = shard
    this.#random = new Random(seed)
    this.#accounts = accounts
    this.#instruments = markets.instruments.filter((one) => one.shard === shard.shard).map((one) => one.id)
  }

  /** Definitions and funds for everybody. */
  begin(): void {
    this.#shard.define()
    for (let account = 1; account <= this.#accounts; account++) {
      this.#shard.apply(
        markets.assets.map((asset) => deposit(account, asset.id, 1_000_000_000_000, `start-${account}-${asset.id}`)),
      )
    }
  }

  /** Applies that many batches, a few commands each; now and then minutes pass. */
  run(batches: number): void {
    for (let i = 0; i < batches; i++) {
      const commands = Array.from({ length: this.#random.below(8) }, () => this.#commands()).flat()
      const elapsed = this.#random.below(20) === 0 ? this.#random.below(4_000_000_000) : this.#random.below(50_000)
      this.#shard.apply(commands, elapsed)
    }
  }

  #commands(): Command[] {
    const kind = this.#random.below(60)
    const account = this.#random.between(1, this.#accounts) as AccountId
    if (kind < 4) return this.#list(account)
    if (kind < 9) return [this.#waiting(account)]
    if (kind > 9) return [this.#command()]
    return this.#auction()
  }

  /** Orders gather, and meet when the auction ends. */
  #auction(): Command[] {
    const instrument = this.#random.pick(this.#instruments)
    const envelope = { ...ENVELOPE, account: 0 as AccountId }
    const phase = (phase: Phase): Command => ({ type: CommandType.set_phase, ...envelope, instrument, phase })
    const orders = Array.from({ length: 6 }, () => {
      const order = this.#newOrder(this.#random.between(1, this.#accounts) as AccountId, false)
      return { ...order, instrument, timeInForce: TimeInForce.gtc, flags: 0 }
    })
    return [phase(Phase.opening_auction), ...orders, phase(Phase.continuous)]
  }

  /** An order that waits for its trigger, a day's order, an order with a date, an iceberg or one with a minimum. */
  #waiting(account: AccountId): NewOrder {
    const random = this.#random
    const order = this.#newOrder(account, false)
    const kind = random.below(9)
    if (kind === 0) return { ...order, timeInForce: TimeInForce.day }
    if (kind === 1) {
      const expireTime = (this.#shard.engine.timestamp + random.below(1_000_000_000)) as Timestamp
      return { ...order, timeInForce: TimeInForce.gtd, expireTime }
    }
    if (kind === 2)
      return { ...order, timeInForce: TimeInForce.gtc, displayQuantity: random.between(1, 60) as Quantity }
    if (kind === 3) return { ...order, minimumQuantity: random.between(1, 160) as Quantity }
    return this.#stop(order)
  }

  #stop(order: NewOrder): NewOrder {
    const random = this.#random
    const { stop, stop_limit, take_profit, take_profit_limit, trailing_stop } = OrderType
    const orderType = random.pick([stop, stop_limit, take_profit, take_profit_limit, trailing_stop])
    const hasPrice = orderType === stop_limit || orderType === take_profit_limit
    return {
      ...order,
      orderType,
      timeInForce: TimeInForce.gtc,
      flags: 0,
      price: (hasPrice ? order.price : 0) as Price,
      stopPrice: (orderType === trailing_stop ? 0 : this.#price()) as Price,
      trailingOffset: (orderType === trailing_stop ? random.between(1, 10) : 0) as Price,
    }
  }

  /** A pair, or an entry with one or two exits. */
  #list(account: AccountId): Command[] {
    const random = this.#random
    const target: NewOrder = { ...this.#newOrder(account, false), timeInForce: TimeInForce.gtc, flags: 0 }
    const leg = (order: NewOrder, link: OrderLink, linkedClientOrderId = ''): NewOrder => ({
      ...order,
      clientOrderId: `order-${++this.#ids}`,
      quantity: target.quantity,
      instrument: target.instrument,
      link,
      linkedClientOrderId,
    })
    const first = leg(this.#stop(target), OrderLink.pending)
    const kind = random.below(3)
    if (kind === 0) return [first, leg(target, OrderLink.pair, first.clientOrderId)]
    const second = leg(target, OrderLink.pending_pair, first.clientOrderId)
    const side = target.side === Side.buy ? Side.sell : Side.buy
    const entry = leg({ ...target, side, price: this.#price() as Price }, OrderLink.entry, first.clientOrderId)
    return kind === 1 ? [first, entry] : [first, second, entry]
  }

  #command(): Command {
    const kind = this.#random.below(200)
    const account = this.#random.between(1, this.#accounts) as AccountId
    const envelope = { ...ENVELOPE, account }
    if (kind < 140) return this.#newOrder(account)
    const order = this.#openOrder(account)
    if (kind < 165) return { type: CommandType.cancel_order, ...envelope, order, clientOrderId: '' }
    if (kind < 185) {
      const price = this.#price() as Price
      const quantity = this.#random.between(1, 160) as Quantity
      return { type: CommandType.replace_order, ...envelope, order, clientOrderId: '', price, quantity }
    }
    if (kind < 186) {
      return {
        type: CommandType.mass_cancel,
        ...envelope,
        instrument: this.#random.pick(this.#instruments),
        side: null,
      }
    }
    return this.#funds(account)
  }

  #newOrder(account: AccountId, mayBeMarket = true): NewOrder {
    const random = this.#random
    const market = mayBeMarket && random.below(10) === 0
    const byQuote = market && random.below(2) === 0
    const timeInForce = market
      ? TimeInForce.ioc
      : random.pick([TimeInForce.gtc, TimeInForce.gtc, TimeInForce.ioc, TimeInForce.fok])
    return newOrder({
      account,
      // Now and then an id that was used before.
      clientOrderId: random.below(50) === 0 ? `order-${Math.max(1, this.#ids - 3)}` : `order-${++this.#ids}`,
      instrument: random.pick(this.#instruments),
      side: random.pick([Side.buy, Side.sell]),
      orderType: market ? OrderType.market : OrderType.limit,
      timeInForce,
      selfTradePrevention: random.pick(Object.values(SelfTradePrevention)),
      flags: !market && timeInForce === TimeInForce.gtc && random.below(10) === 0 ? OrderFlag.post_only : 0,
      price: (market ? 0 : this.#price()) as Price,
      quantity: (byQuote ? 0 : random.below(40) === 0 ? 0 : random.between(50, 150)) as Quantity,
      quoteAmount: (byQuote ? random.between(1_000_000_000, 5_000_000_000) : 0) as Amount,
    })
  }

  #funds(account: AccountId): Command {
    const kind = this.#random.below(10)
    const envelope = { ...ENVELOPE, account }
    const asset = this.#random.pick(markets.assets).id
    const amount = this.#random.between(0, 5_000_000) as Amount
    const transferId = `funds-${++this.#ids}`
    if (kind < 4) return deposit(account, asset, amount, transferId)
    if (kind < 7) return { type: CommandType.withdraw, ...envelope, asset, amount, transferId }
    const toShard = ((this.#shard.shard + 1) % 3) as ShardIndex
    return { type: CommandType.transfer_out, ...envelope, asset, amount, toShard, transferId }
  }

  /** Near enough for orders to meet, whatever the instrument. */
  #price(): number {
    return this.#random.between(20_000, 20_020)
  }

  /** An open order of the account; now and then one that is not there. */
  #openOrder(account: AccountId): OrderId {
    const { openOrders } = this.#shard.engine.account(account)
    if (openOrders.length === 0 || this.#random.below(10) === 0) return 16 as OrderId
    return this.#random.pick(openOrders).order
  }
}
