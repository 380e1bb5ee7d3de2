// What the benches of the engine share: encoded batches, a market with funded accounts, and workload W1 as commands of a venue.

import { createHash } from 'node:crypto'
import {
  type AccountId,
  BATCH,
  batchBytes,
  type Command,
  type CommandNumber,
  CommandType,
  commandBytes,
  encodeCommand,
  HASH_BYTES,
  hashOf,
  type OrderId,
  OrderType,
  orderIdOf,
  Phase,
  SelfTradePrevention,
  type ShardIndex,
  type Side,
  TimeInForce,
  writeBatchHeader,
} from '@wintrades/domain'
import { ENGINE_VERSION, type Engine } from '@wintrades/engine'
import { W1Type } from './workload-w1.ts'

const SHARD = 0
const USD = 1
const FIRST_BASE_ASSET = 2
/** A command takes at most 128 bytes here: so many fit into a batch. */
const BATCH_COMMANDS_MAX = 4_096
const START_US = 1_700_000_000_000_000
/** What all accounts together get of each asset: under what the engine lets exist of one. */
const SUPPLY = 500_000_000_000_000

/** Encodes commands into the batches of a journal, one after the other from the first, with their chain of hashes if asked to. */
export class BatchWriter {
  private readonly body = new Uint8Array(128 * BATCH_COMMANDS_MAX)
  private readonly view = new DataView(this.body.buffer)
  private readonly isHashed: boolean
  private previousHash: Uint8Array = new Uint8Array(HASH_BYTES)
  private bodyBytes = 0
  private count = 0
  private seq = 0
  private firstCommand = 1

  constructor(isHashed = false) {
    this.isHashed = isHashed
  }

  /** Returns the number of the command. */
  add(command: Command): number {
    if (commandBytes(command) > 128 || this.count === BATCH_COMMANDS_MAX) throw new Error('the batch is full')
    this.bodyBytes += encodeCommand(command, this.view, this.bodyBytes)
    return this.firstCommand + this.count++
  }

  get pending(): number {
    return this.count
  }

  /** The batch of the commands added since the last one. */
  take(): Uint8Array {
    const bytes = new Uint8Array(batchBytes(this.bodyBytes))
    const header = {
      shard: SHARD,
      seq: ++this.seq,
      epoch: 1,
      timestamp: START_US + this.seq,
      firstCommand: this.firstCommand,
      commandCount: this.count,
      hashedSeq: 0,
    } as Parameters<typeof writeBatchHeader>[1]
    writeBatchHeader(bytes, header, this.bodyBytes, null, this.previousHash)
    bytes.set(this.body.subarray(0, this.bodyBytes), BATCH.commands)
    if (this.isHashed) {
      const digest = createHash('sha256')
        .update(bytes.subarray(0, bytes.length - HASH_BYTES))
        .digest()
      hashOf(bytes).set(digest)
      this.previousHash = digest
    }
    this.firstCommand += this.count
    this.bodyBytes = 0
    this.count = 0
    return bytes
  }
}

/** Limits that an account of a bench may have: wide enough to refuse nothing. */
const WIDE_LIMITS = {
  type: CommandType.set_account_limits,
  origin: 1,
  correlation: 0,
  apiKey: 0,
  positionValueMax: 4_000_000_000_000,
  riskLimit_ppm: 0,
  orderNotionalMax: 1_000_000_000_000,
  openOrdersMax: 100_000,
  ordersPerSecondMax: 4_000_000_000,
  dailyLossMax: 0,
  drawdownMax: 0,
} as const

export type Market = {
  readonly instruments: number
  readonly accounts: number
  /** Each account has limits, which its orders are held against. */
  readonly limits?: boolean
}

/** Batches that define the market and fund every account in every asset; hands each batch over when it is full. */
export function openMarket(writer: BatchWriter, market: Market, hand: (batch: Uint8Array) => void): void {
  const add = (command: unknown) => {
    if (writer.pending === BATCH_COMMANDS_MAX) hand(writer.take())
    writer.add(command as Command)
  }
  const own = { origin: 0, correlation: 0, account: 0 }
  add({ type: CommandType.activate_version, ...own, version: ENGINE_VERSION })
  for (let i = 0; i <= market.instruments; i++)
    add({ type: CommandType.define_asset, ...own, asset: USD + i, scale: 2 })
  for (let i = 1; i <= market.instruments; i++) add({ type: CommandType.define_instrument, ...own, ...definition(i) })
  const amount = Math.floor(SUPPLY / market.accounts)
  for (let account = 1; account <= market.accounts; account++) {
    for (let asset = USD; asset <= market.instruments + 1; asset++) {
      add({ type: CommandType.deposit, ...own, account, asset, amount, transferId: `start-${asset}` })
    }
    if (market.limits === true) add({ ...WIDE_LIMITS, account })
  }
  if (writer.pending > 0) hand(writer.take())
}

function definition(instrument: number) {
  return {
    instrument,
    base: FIRST_BASE_ASSET + instrument - 1,
    quote: USD,
    phase: Phase.continuous,
    baseUnitsPerLot: 1,
    quoteUnitsPerTickLot: 1,
    priceMin: 1,
    priceMax: 10_000_000,
    quantityMin: 1,
    quantityMax: 1_000_000,
    notionalMin: 1,
    notionalMax: 0,
    makerFee_ppm: 100,
    takerFee_ppm: 200,
    stressMove_ppm: 0,
    priceBand_ppm: 0,
    staticBand_ppm: 0,
    dynamicBand_ppm: 0,
    referencePrice: 0,
  }
}

/** A limit order as the benches send it, but for the fields that are given. */
export function limitOrder(
  account: number,
  instrument: number,
  id: string,
  side: Side,
  price: number,
  quantity: number,
) {
  return {
    type: CommandType.new_order,
    origin: 1,
    correlation: 0,
    account: account as AccountId,
    instrument,
    side,
    orderType: OrderType.limit,
    timeInForce: TimeInForce.gtc,
    selfTradePrevention: SelfTradePrevention.none,
    flags: 0,
    session: 0,
    apiKey: 0,
    price,
    quantity,
    quoteAmount: 0,
    stopPrice: 0,
    displayQuantity: 0,
    minimumQuantity: 0,
    expireTime: 0,
    trailingOffset: 0,
    clientOrderId: id,
  }
}

/** One instrument's share of a workload: translates its records, which name orders by the workload's ids, into commands. */
export class W1Commands {
  readonly instrument: number
  private readonly records: Int32Array
  private readonly accounts: number
  private readonly orderIds: Float64Array
  private at = 0

  constructor(instrument: number, records: Int32Array, accounts: number) {
    this.instrument = instrument
    this.records = records
    this.accounts = accounts
    this.orderIds = new Float64Array(records.length / 4 + 1)
  }

  /** Adds the next record; returns the workload's id of the order it is about. */
  next(writer: BatchWriter): number {
    const [head, id, price, quantity] = this.records.subarray(this.at, this.at + 4) as unknown as [
      number,
      number,
      number,
      number,
    ]
    this.at += 4
    const type = head & 0xff
    const account = 1 + ((id * 7 + this.instrument) % this.accounts)
    const envelope = { origin: 1, correlation: id, account: account as AccountId }
    const order = this.orderIds[id] as OrderId
    if (type === W1Type.cancel) {
      writer.add({ type: CommandType.cancel_order, ...envelope, order, clientOrderId: '' })
    } else if (type === W1Type.move) {
      writer.add({
        type: CommandType.replace_order,
        ...envelope,
        order,
        clientOrderId: '',
        price,
        quantity: 0,
      } as unknown as Command)
    } else {
      const name = `w1-${String(this.instrument).padStart(3, '0')}-${String(id).padStart(8, '0')}`
      const side = ((head >> 8) & 0xff) as Side
      const isMarket = type === W1Type.market
      const number = writer.add({
        ...limitOrder(account, this.instrument, name, side, isMarket ? 0 : price, quantity),
        orderType: isMarket ? OrderType.market : OrderType.limit,
        timeInForce: type === W1Type.limit ? TimeInForce.gtc : TimeInForce.ioc,
      } as unknown as Command)
      this.orderIds[id] = orderIdOf(SHARD as ShardIndex, number as CommandNumber)
    }
    return id
  }
}

/** Rests `orders` orders of `accounts` accounts on one instrument, on 20,000 prices; none trades. */
export function restOrders(engine: Engine, orders: number, accounts: number): void {
  const writer = new BatchWriter()
  openMarket(writer, { instruments: 1, accounts }, (batch) => void engine.apply(batch))
  for (let i = 0; i < orders; i++) {
    const side = (i & 1) as Side
    // A stride that meets every distance from the middle, and neighbours in time far apart in price.
    const distance = 1 + ((i * 7_919) % 10_000)
    const price = side === 0 ? 20_000 - distance : 20_000 + distance
    const name = `rest-${String(i).padStart(10, '0')}`
    writer.add(limitOrder(1 + (i % accounts), 1, name, side, price, 1 + (i % 100)) as unknown as Command)
    if (writer.pending === BATCH_COMMANDS_MAX) engine.apply(writer.take())
  }
  if (writer.pending > 0) engine.apply(writer.take())
}
