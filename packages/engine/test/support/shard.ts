// A shard for tests: encodes commands into batches, applies them to an engine, and gives the events back as plain objects.

import {
  BALANCE_CHANGED,
  BATCH,
  batchBytes,
  COMMAND_DONE,
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  type Command,
  CommandType,
  checkBatch,
  commandBytes,
  DEFINITION_CHANGED,
  EventType,
  encodeCommand,
  FUNDS_MOVED,
  forEachEvent,
  HASH_BYTES,
  LEVEL_CHANGED,
  ORDER_ACCEPTED,
  ORDER_DONE,
  ORDER_REDUCED,
  ORDER_REPLACED,
  ORDER_TRIGGERED,
  OrderType,
  PHASE_CHANGED,
  Phase,
  POSITION_CHANGED,
  SelfTradePrevention,
  type ShardIndex,
  TimeInForce,
  TRADE,
  writeBatchHeader,
} from '@wintrades/domain'
import { ENGINE_VERSION, Engine } from '../../src/index.ts'

export type Event = { readonly type: string; readonly [slot: string]: string | number }

const LAYOUTS: Readonly<Record<number, [string, Readonly<Record<string, number>>]>> = {
  [EventType.order_accepted]: ['accepted', ORDER_ACCEPTED],
  [EventType.command_rejected]: ['rejected', COMMAND_REJECTED],
  [EventType.command_duplicate]: ['duplicate', COMMAND_DUPLICATE],
  [EventType.trade]: ['trade', TRADE],
  [EventType.order_done]: ['done', ORDER_DONE],
  [EventType.order_replaced]: ['replaced', ORDER_REPLACED],
  [EventType.order_reduced]: ['reduced', ORDER_REDUCED],
  [EventType.order_triggered]: ['triggered', ORDER_TRIGGERED],
  [EventType.level_changed]: ['level', LEVEL_CHANGED],
  [EventType.balance_changed]: ['balance', BALANCE_CHANGED],
  [EventType.position_changed]: ['position', POSITION_CHANGED],
  [EventType.funds_moved]: ['funds', FUNDS_MOVED],
  [EventType.phase_changed]: ['phase', PHASE_CHANGED],
  [EventType.definition_changed]: ['definition', DEFINITION_CHANGED],
  [EventType.command_done]: ['command_done', COMMAND_DONE],
}

/** By event type: its name, and the names and places of its own slots. */
const SLOTS = Object.entries(LAYOUTS).reduce<[string, [string, number][]][]>((all, [type, [name, slots]]) => {
  all[Number(type)] = [name, Object.entries(slots).filter(([slot]) => slot !== 'slots')]
  return all
}, [])

export function decodeEvents(events: Float64Array): Event[] {
  const list: Event[] = []
  forEachEvent(events, (type, offset) => {
    const [name, slots] = SLOTS[type] as [string, [string, number][]]
    const event: Record<string, string | number> = {
      type: name,
      command: events[offset + 1] as number,
      account: events[offset + 2] as number,
      subject: events[offset + 3] as number,
    }
    for (const [slot, at] of slots) event[slot] = events[offset + at] as number
    list.push(event as Event)
  })
  return list
}

/** One batch of bytes, well-formed but for its hash, which is the venue's. */
export function batchOf(
  shard: number,
  seq: number,
  timestamp: number,
  firstCommand: number,
  commands: readonly Command[],
): Uint8Array {
  const bodyBytes = commands.reduce((sum, command) => sum + commandBytes(command), 0)
  const bytes = new Uint8Array(batchBytes(bodyBytes))
  const view = new DataView(bytes.buffer)
  const header = { shard, seq, epoch: 1, timestamp, firstCommand, commandCount: commands.length, hashedSeq: 0 }
  writeBatchHeader(bytes, header as Parameters<typeof writeBatchHeader>[1], bodyBytes, null, new Uint8Array(HASH_BYTES))
  let at: number = BATCH.commands
  for (const command of commands) at += encodeCommand(command, view, at)
  checkBatch(bytes)
  return bytes
}

/** Fields of a command that a test leaves out get these. */
const NEW_ORDER_DEFAULTS = {
  type: CommandType.new_order,
  origin: 1,
  correlation: 0,
  instrument: 1,
  orderType: OrderType.limit,
  timeInForce: TimeInForce.gtc,
  selfTradePrevention: SelfTradePrevention.none,
  flags: 0,
  session: 0,
  apiKey: 0,
  price: 0,
  quantity: 0,
  quoteAmount: 0,
  stopPrice: 0,
  displayQuantity: 0,
  minimumQuantity: 0,
  expireTime: 0,
  trailingOffset: 0,
}

type Loose = { readonly [field: string]: unknown }

/** A command from the fields that matter to a test. */
export function command(type: keyof typeof CommandType, fields: Loose = {}): Command {
  const defaults = type === 'new_order' ? NEW_ORDER_DEFAULTS : { origin: 1, correlation: 0, account: 0 }
  return { ...defaults, ...fields, type: CommandType[type] } as unknown as Command
}

export const USD = 1
export const BTC = 2
export const ETH = 3

/** BTC-USD: whole numbers throughout, so that a test can be checked by hand. No fees unless a test sets them. */
export function instrument(fields: Loose = {}): Command {
  return command('define_instrument', {
    instrument: 1,
    base: BTC,
    quote: USD,
    phase: Phase.continuous,
    baseUnitsPerLot: 1,
    quoteUnitsPerTickLot: 1,
    priceMin: 1,
    priceMax: 1_000_000,
    quantityMin: 1,
    quantityMax: 1_000_000,
    notionalMin: 0,
    notionalMax: Number.MAX_SAFE_INTEGER,
    makerFee_ppm: 0,
    takerFee_ppm: 0,
    stressMove_ppm: 200_000,
    priceBand_ppm: 0,
    staticBand_ppm: 0,
    dynamicBand_ppm: 0,
    referencePrice: 0,
    ...fields,
  })
}

export class TestShard {
  engine: Engine
  /** Every batch applied, to be replayed. */
  readonly batches: Uint8Array[] = []
  timestamp = 1_000_000
  private deposits = 0
  /** Checks invariants after each batch. */
  readonly careful: boolean

  constructor(shard = 0, careful = true) {
    this.engine = new Engine(shard as ShardIndex)
    this.careful = careful
  }

  /** Applies one batch of these commands. */
  apply(...commands: readonly Command[]): Event[] {
    this.timestamp += 1
    const { shard, seq, nextCommand } = this.engine
    const batch = batchOf(shard, seq + 1, this.timestamp, nextCommand, commands)
    this.batches.push(batch)
    const events = decodeEvents(this.engine.apply(batch))
    if (this.careful) this.engine.checkInvariants()
    return events
  }

  /** Assets USD, BTC, ETH and instrument 1 (BTC-USD). */
  open(definition: Loose = {}, version: number = ENGINE_VERSION): this {
    this.apply(
      command('activate_version', { version }),
      command('define_asset', { asset: USD, scale: 2 }),
      command('define_asset', { asset: BTC, scale: 0 }),
      command('define_asset', { asset: ETH, scale: 0 }),
      instrument(definition),
    )
    return this
  }

  deposit(account: number, asset: number, amount: number): Event[] {
    this.deposits++
    return this.apply(command('deposit', { account, asset, amount, transferId: `deposit-${this.deposits}` }))
  }

  /** Gives accounts plenty of USD and BTC. */
  fund(...accounts: readonly number[]): this {
    for (const account of accounts) {
      this.deposit(account, USD, 1_000_000_000)
      this.deposit(account, BTC, 1_000_000)
    }
    return this
  }

  balance(account: number, asset: number): { available: number; held: number } {
    const found = this.engine.account(account as never).balances.find((balance) => balance.asset === asset)
    return { available: found?.available ?? 0, held: found?.held ?? 0 }
  }

  /** An engine that replays all batches from empty. */
  replayed(): Engine {
    const engine = new Engine(this.engine.shard)
    for (const batch of this.batches) engine.apply(batch)
    return engine
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
