// A shard's engine that takes the replay's operations as commands, in the order they come: what a replay must come to when nothing lies
// between it and the engine.

import {
  type AccountId,
  BATCH,
  batchBytes,
  COMMAND_REJECTED,
  type Command,
  CommandType,
  checkBatch,
  commandBytes,
  type Epoch,
  EventType,
  encodeCommand,
  forEachEvent,
  HASH_BYTES,
  OrderType,
  Phase,
  REJECT_CODE_NAMES,
  SelfTradePrevention,
  type Seq,
  type ShardIndex,
  Side,
  TimeInForce,
  type Timestamp,
  TRADE,
  writeBatchHeader,
} from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import type { Need } from '../../src/replay/survey.ts'
import type { Operation } from '../../src/replay/translate.ts'

const QUOTE = 1
const BASE = 2
const ENVELOPE = { origin: 1, correlation: 0 }

export class EngineVenue {
  trades = 0
  lots = 0
  readonly refused: Record<string, number> = {}
  readonly engine = new Engine(0 as ShardIndex)
  #timestamp = 1

  /** Opens the market, and gives each account what it needs and nothing more. */
  constructor(limits: { readonly ticks_max: number; readonly lots_max: number }, need: Need) {
    const venue = { ...ENVELOPE, account: 0 }
    this.apply([
      { type: CommandType.define_asset, ...venue, asset: QUOTE, scale: 0 },
      { type: CommandType.define_asset, ...venue, asset: BASE, scale: 0 },
      {
        type: CommandType.define_instrument,
        ...venue,
        instrument: 1,
        base: BASE,
        quote: QUOTE,
        phase: Phase.continuous,
        baseUnitsPerLot: 1,
        quoteUnitsPerTickLot: 1,
        priceMin: 1,
        priceMax: limits.ticks_max,
        quantityMin: 1,
        quantityMax: limits.lots_max,
        notionalMin: 0,
        notionalMax: Number.MAX_SAFE_INTEGER,
        makerFee_ppm: 0,
        takerFee_ppm: 0,
        stressMove_ppm: 0,
        priceBand_ppm: 0,
        staticBand_ppm: 0,
        dynamicBand_ppm: 0,
        referencePrice: 0,
      },
    ])
    for (const [index, { base, quote }] of need.accounts.entries()) {
      const account = accountId(index)
      const deposit = (asset: number, amount: number) => ({
        type: CommandType.deposit,
        ...ENVELOPE,
        account,
        asset,
        amount,
        transferId: `deposit-${index}-${asset}`,
      })
      this.apply([deposit(BASE, Math.max(1, base)), deposit(QUOTE, Math.max(1, quote))])
    }
  }

  send(operations: readonly Operation[]): void {
    this.apply(operations.map(commandOf))
  }

  /** One batch of commands that are as the types say, though their numbers carry no brands. */
  private apply(loose: readonly object[]): void {
    const commands = loose as readonly Command[]
    const body = commands.reduce((sum, command) => sum + commandBytes(command), 0)
    const bytes = new Uint8Array(batchBytes(body))
    const view = new DataView(bytes.buffer)
    const header = {
      shard: 0 as ShardIndex,
      seq: (this.engine.seq + 1) as Seq,
      epoch: 1 as Epoch,
      timestamp: ++this.#timestamp as Timestamp,
      firstCommand: this.engine.nextCommand,
      commandCount: commands.length,
      hashedSeq: 0,
    }
    writeBatchHeader(bytes, header, body, null, new Uint8Array(HASH_BYTES))
    let at: number = BATCH.commands
    for (const command of commands) at += encodeCommand(command, view, at)
    checkBatch(bytes)
    const events = this.engine.apply(bytes)
    forEachEvent(events, (type, offset) => {
      if (type === EventType.trade) {
        this.trades += 1
        this.lots += events[offset + TRADE.quantity] as number
      } else if (type === EventType.command_rejected) {
        const code = REJECT_CODE_NAMES[events[offset + COMMAND_REJECTED.code] as number] ?? '?'
        this.refused[code] = (this.refused[code] ?? 0) + 1
      }
    })
  }
}

function accountId(index: number): AccountId {
  return (index + 1) as AccountId
}

function commandOf(operation: Operation): object {
  const common = { ...ENVELOPE, account: accountId(operation.account), clientOrderId: operation.name }
  switch (operation.kind) {
    case 'cancel':
      return { type: CommandType.cancel_order, ...common, order: 0, instrument: 1 }
    case 'replace':
      return {
        type: CommandType.replace_order,
        ...common,
        order: 0,
        price: Math.max(1, operation.price),
        quantity: operation.lots,
      }
    case 'place':
      return {
        type: CommandType.new_order,
        ...common,
        instrument: 1,
        side: operation.side === 'BUY' ? Side.buy : Side.sell,
        orderType: OrderType.limit,
        timeInForce: operation.rests ? TimeInForce.gtc : TimeInForce.ioc,
        selfTradePrevention: SelfTradePrevention.none,
        flags: 0,
        session: 0,
        apiKey: 0,
        price: operation.price,
        quantity: operation.lots,
        quoteAmount: 0,
        stopPrice: 0,
        displayQuantity: 0,
        minimumQuantity: 0,
        expireTime: 0,
        trailingOffset: 0,
      }
  }
}
