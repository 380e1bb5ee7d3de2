// The one binary codec of the venue: commands as they travel on links and lie in the journal. Little-endian; integers of
// more than 32 bits are unsigned 64-bit and at most 2^53 − 1. A record is:
//
//   0  u8   type            8  u32  origin
//   1  u8   flags           12 u32  correlation
//   2  u16  length, bytes   16 …    the type's own fields, then its text, padded with zeros to a multiple of 8
//   4  u32  account
//
// Offsets are exported, because the engine reads records in place. `checkCommand` is the gate: bytes that passed it once
// (at the edge of a process) are well-formed for good.

import type { Command, Envelope, InstrumentDefinition, NewOrder, SetAccountLimits } from './commands.ts'
import { CommandType, KillSwitchScope } from './commands.ts'
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
import { LIMITS } from './limits.ts'
import { OrderLink, OrderType, Phase, SelfTradePrevention, type Side, TimeInForce } from './orders.ts'

/** Rises when the layout of a record changes; batches and link frames carry it. */
export const CODEC_VERSION = 1

/** Offsets of the fields every command has. */
export const HEADER = { type: 0, flags: 1, length: 2, account: 4, origin: 8, correlation: 12, bytes: 16 } as const

/** Bits of the flags byte of a record. */
export const RecordFlag = {
  /** A new order with the fields at `NEW_ORDER.quoteAmount` and after; without it they are all 0 and absent. */
  extended: 1,
  /** A new order that is part of a list: with `extended`, and the fields at `NEW_ORDER.link` and after. */
  linked: 2,
} as const

/** Offsets of a new order. The text follows the extension, or stands in its place. */
export const NEW_ORDER = {
  instrument: 16,
  side: 18,
  orderType: 19,
  timeInForce: 20,
  selfTradePrevention: 21,
  flags: 22,
  textLength: 23,
  session: 24,
  apiKey: 28,
  price: 32,
  quantity: 40,
  text: 48,
  quoteAmount: 48,
  stopPrice: 56,
  displayQuantity: 64,
  minimumQuantity: 72,
  expireTime: 80,
  trailingOffset: 88,
  extendedText: 96,
  link: 96,
  linkedTextLength: 97,
  /** Its own text, padded with zeros to a multiple of 4, then the text of the order it names. */
  linkedText: 104,
} as const

/** Offsets of a cancel and of a replace (`price`, `quantity`: replace only). */
export const CANCEL_ORDER = { order: 16, textLength: 24, text: 32 } as const
export const REPLACE_ORDER = { order: 16, textLength: 24, price: 32, quantity: 40, text: 48 } as const
export const MASS_CANCEL = { instrument: 16, side: 18, bytes: 24 } as const
/** `side` of a mass cancel that means both. */
export const BOTH_SIDES = 255
export const CANCEL_SESSION = { targetOrigin: 16, session: 20, bytes: 24 } as const
/** Offsets of deposit, withdraw, transfer out and in; `shard` is the other shard of a transfer, `number` is a transfer in's. */
export const TRANSFER = { asset: 16, shard: 18, textLength: 19, amount: 24, number: 32, text: 40 } as const
export const TRANSFER_SETTLED = { shard: 16, number: 24, bytes: 32 } as const
export const DEFINE_ASSET = { asset: 16, scale: 18, bytes: 24 } as const
export const DEFINE_INSTRUMENT = {
  instrument: 16,
  base: 18,
  quote: 20,
  phase: 22,
  baseUnitsPerLot: 24,
  quoteUnitsPerTickLot: 32,
  priceMin: 40,
  priceMax: 48,
  quantityMin: 56,
  quantityMax: 64,
  notionalMin: 72,
  notionalMax: 80,
  makerFee_ppm: 88,
  takerFee_ppm: 92,
  stressMove_ppm: 96,
  priceBand_ppm: 100,
  staticBand_ppm: 104,
  dynamicBand_ppm: 108,
  referencePrice: 112,
  bytes: 120,
} as const
export const SET_ACCOUNT_LIMITS = {
  apiKey: 16,
  openOrdersMax: 20,
  ordersPerSecondMax: 24,
  riskLimit_ppm: 28,
  positionValueMax: 32,
  orderNotionalMax: 40,
  dailyLossMax: 48,
  drawdownMax: 56,
  bytes: 64,
  /** These two are 0 in a record of `bytes`, which ends before them. */
  priceBand_ppm: 64,
  duplicateWindow_ms: 68,
  extendedBytes: 72,
} as const
export const SET_PHASE = { instrument: 16, phase: 18, bytes: 24 } as const
export const KILL_SWITCH = { target: 16, scope: 20, blocked: 21, bytes: 24 } as const
export const ACTIVATE_VERSION = { version: 16, bytes: 24 } as const

/** Bytes that are not a command. `offset` is where in the buffer the record starts. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
  readonly offset: number
  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.offset = offset
  }
}

const TWO_32 = 4_294_967_296
const HIGH_MAX = 0x1f_ffff

/** Reads an unsigned 64-bit integer of at most 2^53 − 1. */
export function readInteger(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32
}

export function writeInteger(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % TWO_32, true)
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true)
}

const LINKED = RecordFlag.extended | RecordFlag.linked

const orderTypes = Object.keys(OrderType).length
const orderLinks = Object.keys(OrderLink).length
const timesInForce = Object.keys(TimeInForce).length
const selfTradePreventions = Object.keys(SelfTradePrevention).length
const phases = Object.keys(Phase).length
const killSwitchScopes = Object.keys(KillSwitchScope).length

/** By byte: 1 if an id may have it. */
const idCharacters = new Uint8Array(256)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/') {
  idCharacters[character.charCodeAt(0)] = 1
}

/** Whether a text may be a client order id or a transfer id: 1 to 36 of `A-Z a-z 0-9 - _ . : /`. */
export function isClientId(text: string): boolean {
  if (text.length === 0 || text.length > LIMITS.client_order_id_chars_max) return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127 || idCharacters[code] === 0) return false
  }
  return true
}

/** Reads the id text of a record. */
export function readText(view: DataView, offset: number, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += String.fromCharCode(view.getUint8(offset + i))
  return text
}

function writeText(view: DataView, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) view.setUint8(offset + i, text.charCodeAt(i))
}

function padded(length: number): number {
  return (length + 7) & ~7
}

/** Where a new order's text stands, by the flags of its record. */
export function newOrderTextAt(recordFlags: number): number {
  if (recordFlags === 0) return NEW_ORDER.text
  return (recordFlags & RecordFlag.linked) === 0 ? NEW_ORDER.extendedText : NEW_ORDER.linkedText
}

/** Where the text of the order that a linked one names stands: after its own. */
export function linkedTextAt(textLength: number): number {
  return NEW_ORDER.linkedText + ((textLength + 3) & ~3)
}

function recordFlagsOf(order: NewOrder): number {
  if ((order.link ?? 0) !== 0) return RecordFlag.extended | RecordFlag.linked
  return isExtended(order) ? RecordFlag.extended : 0
}

function newOrderBytes(order: NewOrder): number {
  const flags = recordFlagsOf(order)
  const { length } = order.clientOrderId
  if ((flags & RecordFlag.linked) === 0) return padded(newOrderTextAt(flags) + length)
  return padded(linkedTextAt(length) + (order.linkedClientOrderId ?? '').length)
}

function isExtended(order: NewOrder): boolean {
  return (
    order.quoteAmount !== 0 ||
    order.stopPrice !== 0 ||
    order.displayQuantity !== 0 ||
    order.minimumQuantity !== 0 ||
    order.expireTime !== 0 ||
    order.trailingOffset !== 0
  )
}

function limitsBytes(limits: SetAccountLimits): number {
  const isExtended = (limits.priceBand_ppm ?? 0) !== 0 || (limits.duplicateWindow_ms ?? 0) !== 0
  return isExtended ? SET_ACCOUNT_LIMITS.extendedBytes : SET_ACCOUNT_LIMITS.bytes
}

/** Bytes that {@link encodeCommand} will write for a command. */
export function commandBytes(command: Command): number {
  switch (command.type) {
    case CommandType.new_order:
      return newOrderBytes(command)
    case CommandType.cancel_order:
      return padded(CANCEL_ORDER.text + command.clientOrderId.length)
    case CommandType.replace_order:
      return padded(REPLACE_ORDER.text + command.clientOrderId.length)
    case CommandType.mass_cancel:
      return MASS_CANCEL.bytes
    case CommandType.cancel_session:
      return CANCEL_SESSION.bytes
    case CommandType.deposit:
    case CommandType.withdraw:
    case CommandType.transfer_out:
    case CommandType.transfer_in:
      return padded(TRANSFER.text + command.transferId.length)
    case CommandType.transfer_settled:
      return TRANSFER_SETTLED.bytes
    case CommandType.define_asset:
      return DEFINE_ASSET.bytes
    case CommandType.define_instrument:
      return DEFINE_INSTRUMENT.bytes
    case CommandType.set_account_limits:
      return limitsBytes(command)
    case CommandType.set_phase:
      return SET_PHASE.bytes
    case CommandType.kill_switch:
      return KILL_SWITCH.bytes
    case CommandType.activate_version:
      return ACTIVATE_VERSION.bytes
  }
}

/** Writes a command at `offset` and returns its length. The caller has made room (`commandBytes`) and checks the result. */
export function encodeCommand(command: Command, view: DataView, offset: number): number {
  const length = commandBytes(command)
  for (let i = 0; i < length; i += 4) view.setUint32(offset + i, 0, true)
  view.setUint8(offset, command.type)
  view.setUint16(offset + HEADER.length, length, true)
  view.setUint32(offset + HEADER.account, command.account, true)
  view.setUint32(offset + HEADER.origin, command.origin, true)
  view.setUint32(offset + HEADER.correlation, command.correlation, true)
  switch (command.type) {
    case CommandType.new_order:
      encodeNewOrder(command, view, offset)
      break
    case CommandType.cancel_order:
      writeInteger(view, offset + CANCEL_ORDER.order, command.order)
      view.setUint8(offset + CANCEL_ORDER.textLength, command.clientOrderId.length)
      writeText(view, offset + CANCEL_ORDER.text, command.clientOrderId)
      break
    case CommandType.replace_order:
      writeInteger(view, offset + REPLACE_ORDER.order, command.order)
      view.setUint8(offset + REPLACE_ORDER.textLength, command.clientOrderId.length)
      writeInteger(view, offset + REPLACE_ORDER.price, command.price)
      writeInteger(view, offset + REPLACE_ORDER.quantity, command.quantity)
      writeText(view, offset + REPLACE_ORDER.text, command.clientOrderId)
      break
    case CommandType.mass_cancel:
      view.setUint16(offset + MASS_CANCEL.instrument, command.instrument, true)
      view.setUint8(offset + MASS_CANCEL.side, command.side ?? BOTH_SIDES)
      break
    case CommandType.cancel_session:
      view.setUint32(offset + CANCEL_SESSION.targetOrigin, command.targetOrigin, true)
      view.setUint32(offset + CANCEL_SESSION.session, command.session, true)
      break
    case CommandType.deposit:
    case CommandType.withdraw:
    case CommandType.transfer_out:
    case CommandType.transfer_in: {
      const shard =
        command.type === CommandType.transfer_out
          ? command.toShard
          : command.type === CommandType.transfer_in
            ? command.fromShard
            : 0
      view.setUint16(offset + TRANSFER.asset, command.asset, true)
      view.setUint8(offset + TRANSFER.shard, shard)
      view.setUint8(offset + TRANSFER.textLength, command.transferId.length)
      writeInteger(view, offset + TRANSFER.amount, command.amount)
      if (command.type === CommandType.transfer_in) writeInteger(view, offset + TRANSFER.number, command.number)
      writeText(view, offset + TRANSFER.text, command.transferId)
      break
    }
    case CommandType.transfer_settled:
      view.setUint8(offset + TRANSFER_SETTLED.shard, command.toShard)
      writeInteger(view, offset + TRANSFER_SETTLED.number, command.number)
      break
    case CommandType.define_asset:
      view.setUint16(offset + DEFINE_ASSET.asset, command.asset, true)
      view.setUint8(offset + DEFINE_ASSET.scale, command.scale)
      break
    case CommandType.define_instrument:
      encodeInstrument(command, view, offset)
      break
    case CommandType.set_account_limits:
      view.setUint32(offset + SET_ACCOUNT_LIMITS.apiKey, command.apiKey, true)
      view.setUint32(offset + SET_ACCOUNT_LIMITS.openOrdersMax, command.openOrdersMax, true)
      view.setUint32(offset + SET_ACCOUNT_LIMITS.ordersPerSecondMax, command.ordersPerSecondMax, true)
      view.setUint32(offset + SET_ACCOUNT_LIMITS.riskLimit_ppm, command.riskLimit_ppm, true)
      writeInteger(view, offset + SET_ACCOUNT_LIMITS.positionValueMax, command.positionValueMax)
      writeInteger(view, offset + SET_ACCOUNT_LIMITS.orderNotionalMax, command.orderNotionalMax)
      writeInteger(view, offset + SET_ACCOUNT_LIMITS.dailyLossMax, command.dailyLossMax)
      writeInteger(view, offset + SET_ACCOUNT_LIMITS.drawdownMax, command.drawdownMax)
      if (length === SET_ACCOUNT_LIMITS.bytes) break
      view.setUint32(offset + SET_ACCOUNT_LIMITS.priceBand_ppm, command.priceBand_ppm ?? 0, true)
      view.setUint32(offset + SET_ACCOUNT_LIMITS.duplicateWindow_ms, command.duplicateWindow_ms ?? 0, true)
      break
    case CommandType.set_phase:
      view.setUint16(offset + SET_PHASE.instrument, command.instrument, true)
      view.setUint8(offset + SET_PHASE.phase, command.phase)
      break
    case CommandType.kill_switch:
      view.setUint32(offset + KILL_SWITCH.target, command.target, true)
      view.setUint8(offset + KILL_SWITCH.scope, command.scope)
      view.setUint8(offset + KILL_SWITCH.blocked, command.blocked ? 1 : 0)
      break
    case CommandType.activate_version:
      view.setUint32(offset + ACTIVATE_VERSION.version, command.version, true)
      break
  }
  return length
}

function encodeNewOrder(order: NewOrder, view: DataView, offset: number): void {
  view.setUint16(offset + NEW_ORDER.instrument, order.instrument, true)
  view.setUint8(offset + NEW_ORDER.side, order.side)
  view.setUint8(offset + NEW_ORDER.orderType, order.orderType)
  view.setUint8(offset + NEW_ORDER.timeInForce, order.timeInForce)
  view.setUint8(offset + NEW_ORDER.selfTradePrevention, order.selfTradePrevention)
  view.setUint8(offset + NEW_ORDER.flags, order.flags)
  view.setUint8(offset + NEW_ORDER.textLength, order.clientOrderId.length)
  view.setUint32(offset + NEW_ORDER.session, order.session, true)
  view.setUint32(offset + NEW_ORDER.apiKey, order.apiKey, true)
  writeInteger(view, offset + NEW_ORDER.price, order.price)
  writeInteger(view, offset + NEW_ORDER.quantity, order.quantity)
  const flags = recordFlagsOf(order)
  writeText(view, offset + newOrderTextAt(flags), order.clientOrderId)
  if (flags === 0) return
  view.setUint8(offset + HEADER.flags, flags)
  writeInteger(view, offset + NEW_ORDER.quoteAmount, order.quoteAmount)
  writeInteger(view, offset + NEW_ORDER.stopPrice, order.stopPrice)
  writeInteger(view, offset + NEW_ORDER.displayQuantity, order.displayQuantity)
  writeInteger(view, offset + NEW_ORDER.minimumQuantity, order.minimumQuantity)
  writeInteger(view, offset + NEW_ORDER.expireTime, order.expireTime)
  writeInteger(view, offset + NEW_ORDER.trailingOffset, order.trailingOffset)
  if ((flags & RecordFlag.linked) === 0) return
  const named = order.linkedClientOrderId ?? ''
  view.setUint8(offset + NEW_ORDER.link, order.link ?? 0)
  view.setUint8(offset + NEW_ORDER.linkedTextLength, named.length)
  writeText(view, offset + linkedTextAt(order.clientOrderId.length), named)
}

function encodeInstrument(definition: InstrumentDefinition, view: DataView, offset: number): void {
  const at = DEFINE_INSTRUMENT
  view.setUint16(offset + at.instrument, definition.instrument, true)
  view.setUint16(offset + at.base, definition.base, true)
  view.setUint16(offset + at.quote, definition.quote, true)
  view.setUint8(offset + at.phase, definition.phase)
  writeInteger(view, offset + at.baseUnitsPerLot, definition.baseUnitsPerLot)
  writeInteger(view, offset + at.quoteUnitsPerTickLot, definition.quoteUnitsPerTickLot)
  writeInteger(view, offset + at.priceMin, definition.priceMin)
  writeInteger(view, offset + at.priceMax, definition.priceMax)
  writeInteger(view, offset + at.quantityMin, definition.quantityMin)
  writeInteger(view, offset + at.quantityMax, definition.quantityMax)
  writeInteger(view, offset + at.notionalMin, definition.notionalMin)
  writeInteger(view, offset + at.notionalMax, definition.notionalMax)
  view.setUint32(offset + at.makerFee_ppm, definition.makerFee_ppm, true)
  view.setUint32(offset + at.takerFee_ppm, definition.takerFee_ppm, true)
  view.setUint32(offset + at.stressMove_ppm, definition.stressMove_ppm, true)
  view.setUint32(offset + at.priceBand_ppm, definition.priceBand_ppm, true)
  view.setUint32(offset + at.staticBand_ppm, definition.staticBand_ppm, true)
  view.setUint32(offset + at.dynamicBand_ppm, definition.dynamicBand_ppm, true)
  writeInteger(view, offset + at.referencePrice, definition.referencePrice)
}

/**
 * Checks that a well-formed command stands at `offset` and ends before `end`; returns its length in bytes.
 * Only the form: whether prices, funds and orders make sense is the engine's to say.
 */
export function checkCommand(view: DataView, offset: number, end: number): number {
  if (end - offset < HEADER.bytes) throw new CodecError('command cut short', offset)
  const type = view.getUint8(offset)
  const flags = view.getUint8(offset + HEADER.flags)
  const length = view.getUint16(offset + HEADER.length, true)
  if (length > LIMITS.command_bytes_max || length % 8 !== 0)
    throw new CodecError(`command length ${length} invalid`, offset)
  if (offset + length > end) throw new CodecError('command cut short', offset)
  if (flags !== 0 && !(type === CommandType.new_order && (flags === RecordFlag.extended || flags === LINKED))) {
    throw new CodecError(`record flags ${flags} unknown`, offset)
  }
  switch (type) {
    case CommandType.new_order:
      checkNewOrder(view, offset, length, flags)
      break
    case CommandType.cancel_order:
      if (length < CANCEL_ORDER.text) throw new CodecError('command cut short', offset)
      checkInteger(view, offset, CANCEL_ORDER.order)
      checkOrderText(view, offset, length, CANCEL_ORDER.text)
      break
    case CommandType.replace_order:
      if (length < REPLACE_ORDER.text) throw new CodecError('command cut short', offset)
      checkInteger(view, offset, REPLACE_ORDER.order)
      checkInteger(view, offset, REPLACE_ORDER.price)
      checkInteger(view, offset, REPLACE_ORDER.quantity)
      checkOrderText(view, offset, length, REPLACE_ORDER.text)
      break
    default:
      checkRareCommand(view, offset, length, type)
  }
  return length
}

function checkNewOrder(view: DataView, offset: number, length: number, flags: number): void {
  const textAt = newOrderTextAt(flags)
  if (length < textAt) throw new CodecError('command cut short', offset)
  checkBelow(view, offset, NEW_ORDER.side, 2, 'side')
  checkBelow(view, offset, NEW_ORDER.orderType, orderTypes, 'order type')
  checkBelow(view, offset, NEW_ORDER.timeInForce, timesInForce, 'time in force')
  checkBelow(view, offset, NEW_ORDER.selfTradePrevention, selfTradePreventions, 'self-trade prevention')
  checkBelow(view, offset, NEW_ORDER.flags, 8, 'order flags')
  const integersEnd = flags === 0 ? NEW_ORDER.text : NEW_ORDER.extendedText
  for (let at: number = NEW_ORDER.price; at < integersEnd; at += 8) checkInteger(view, offset, at)
  if (flags !== LINKED) {
    checkText(view, offset, length, textAt, NEW_ORDER.textLength, false)
    return
  }
  const link = view.getUint8(offset + NEW_ORDER.link)
  if (link < 1 || link >= orderLinks) throw new CodecError(`order link ${link} unknown`, offset)
  const own = checkIdLength(view, offset, NEW_ORDER.textLength, false)
  const named = checkIdLength(view, offset, NEW_ORDER.linkedTextLength, link === OrderLink.pending)
  if (named !== 0 && link === OrderLink.pending) throw new CodecError('a pending order names none', offset)
  const namedAt = linkedTextAt(own)
  checkLength(view, offset, length, padded(namedAt + named))
  checkCharacters(view, offset, NEW_ORDER.linkedTextLength + 1, 0, textAt)
  checkCharacters(view, offset, textAt, own, namedAt)
  checkCharacters(view, offset, namedAt, named, length)
}

function checkRareCommand(view: DataView, offset: number, length: number, type: number): void {
  switch (type) {
    case CommandType.mass_cancel: {
      checkLength(view, offset, length, MASS_CANCEL.bytes)
      const side = view.getUint8(offset + MASS_CANCEL.side)
      if (side > 1 && side !== BOTH_SIDES) throw new CodecError(`side ${side} unknown`, offset)
      break
    }
    case CommandType.cancel_session:
      checkLength(view, offset, length, CANCEL_SESSION.bytes)
      break
    case CommandType.deposit:
    case CommandType.withdraw:
    case CommandType.transfer_out:
    case CommandType.transfer_in:
      if (length < TRANSFER.text) throw new CodecError('command cut short', offset)
      checkBelow(view, offset, TRANSFER.shard, LIMITS.shards_max, 'shard')
      checkInteger(view, offset, TRANSFER.amount)
      checkInteger(view, offset, TRANSFER.number)
      checkText(view, offset, length, TRANSFER.text, TRANSFER.textLength, false)
      break
    case CommandType.transfer_settled:
      checkLength(view, offset, length, TRANSFER_SETTLED.bytes)
      checkBelow(view, offset, TRANSFER_SETTLED.shard, LIMITS.shards_max, 'shard')
      checkInteger(view, offset, TRANSFER_SETTLED.number)
      break
    case CommandType.define_asset:
      checkLength(view, offset, length, DEFINE_ASSET.bytes)
      break
    case CommandType.define_instrument:
      checkLength(view, offset, length, DEFINE_INSTRUMENT.bytes)
      checkBelow(view, offset, DEFINE_INSTRUMENT.phase, phases, 'phase')
      for (let at: number = DEFINE_INSTRUMENT.baseUnitsPerLot; at < DEFINE_INSTRUMENT.makerFee_ppm; at += 8) {
        checkInteger(view, offset, at)
      }
      checkInteger(view, offset, DEFINE_INSTRUMENT.referencePrice)
      break
    case CommandType.set_account_limits:
      if (length !== SET_ACCOUNT_LIMITS.extendedBytes) checkLength(view, offset, length, SET_ACCOUNT_LIMITS.bytes)
      for (let at: number = SET_ACCOUNT_LIMITS.positionValueMax; at < SET_ACCOUNT_LIMITS.bytes; at += 8) {
        checkInteger(view, offset, at)
      }
      break
    case CommandType.set_phase:
      checkLength(view, offset, length, SET_PHASE.bytes)
      checkBelow(view, offset, SET_PHASE.phase, phases, 'phase')
      break
    case CommandType.kill_switch:
      checkLength(view, offset, length, KILL_SWITCH.bytes)
      checkBelow(view, offset, KILL_SWITCH.scope, killSwitchScopes, 'kill switch scope')
      checkBelow(view, offset, KILL_SWITCH.blocked, 2, 'kill switch state')
      break
    case CommandType.activate_version:
      checkLength(view, offset, length, ACTIVATE_VERSION.bytes)
      break
    default:
      throw new CodecError(`command type ${type} unknown`, offset)
  }
}

// Each takes the record's `offset` and where in it the field stands.

function checkLength(view: DataView, offset: number, length: number, expected: number): void {
  if (length === expected) return
  throw new CodecError(`command of type ${view.getUint8(offset)} has ${length} bytes, expected ${expected}`, offset)
}

function checkInteger(view: DataView, offset: number, at: number): void {
  if (view.getUint32(offset + at + 4, true) > HIGH_MAX) throw new CodecError('integer beyond 2^53', offset)
}

function checkBelow(view: DataView, offset: number, at: number, limit: number, what: string): void {
  const value = view.getUint8(offset + at)
  if (value >= limit) throw new CodecError(`${what} ${value} unknown`, offset)
}

function checkIdLength(view: DataView, offset: number, at: number, optional: boolean): number {
  const chars = view.getUint8(offset + at)
  if (chars > LIMITS.client_order_id_chars_max || (chars === 0 && !optional)) {
    throw new CodecError(`id of ${chars} characters`, offset)
  }
  return chars
}

/** The text that names the order of a cancel or a replace: it may be missing if an order id is there. */
function checkOrderText(view: DataView, offset: number, length: number, at: number): void {
  const hasId = readInteger(view, offset + CANCEL_ORDER.order) !== 0
  checkText(view, offset, length, at, CANCEL_ORDER.textLength, hasId)
}

/** A text at the end of a record. */
function checkText(
  view: DataView,
  offset: number,
  length: number,
  at: number,
  lengthAt: number,
  optional: boolean,
): void {
  const chars = checkIdLength(view, offset, lengthAt, optional)
  checkLength(view, offset, length, padded(at + chars))
  checkCharacters(view, offset, at, chars, length)
}

/** `chars` characters of an id, and zeros from there to `end`. */
function checkCharacters(view: DataView, offset: number, at: number, chars: number, end: number): void {
  let from = offset + at
  for (const to = from + chars; from < to; from++) {
    if (idCharacters[view.getUint8(from)] === 0) throw new CodecError('id has a character that is not allowed', offset)
  }
  for (const to = offset + end; from < to; from++) {
    if (view.getUint8(from) !== 0) throw new CodecError('padding is not zero', offset)
  }
}

/** Reads a command that {@link checkCommand} has passed. For everything but the hot path. */
export function decodeCommand(view: DataView, offset: number): Command {
  const type = view.getUint8(offset) as CommandType
  const envelope: Envelope = {
    account: view.getUint32(offset + HEADER.account, true) as AccountId,
    origin: view.getUint32(offset + HEADER.origin, true),
    correlation: view.getUint32(offset + HEADER.correlation, true),
  }
  const text = (at: number, lengthAt: number) => readText(view, offset + at, view.getUint8(offset + lengthAt))
  switch (type) {
    case CommandType.new_order:
      return decodeNewOrder(envelope, view, offset)
    case CommandType.cancel_order:
      return {
        type,
        ...envelope,
        order: readInteger(view, offset + CANCEL_ORDER.order) as OrderId,
        clientOrderId: text(CANCEL_ORDER.text, CANCEL_ORDER.textLength),
      }
    case CommandType.replace_order:
      return {
        type,
        ...envelope,
        order: readInteger(view, offset + REPLACE_ORDER.order) as OrderId,
        clientOrderId: text(REPLACE_ORDER.text, REPLACE_ORDER.textLength),
        price: readInteger(view, offset + REPLACE_ORDER.price) as Price,
        quantity: readInteger(view, offset + REPLACE_ORDER.quantity) as Quantity,
      }
    case CommandType.mass_cancel: {
      const side = view.getUint8(offset + MASS_CANCEL.side)
      return {
        type,
        ...envelope,
        instrument: view.getUint16(offset + MASS_CANCEL.instrument, true) as InstrumentId,
        side: side === BOTH_SIDES ? null : (side as Side),
      }
    }
    case CommandType.cancel_session:
      return {
        type,
        ...envelope,
        targetOrigin: view.getUint32(offset + CANCEL_SESSION.targetOrigin, true),
        session: view.getUint32(offset + CANCEL_SESSION.session, true),
      }
    case CommandType.deposit:
    case CommandType.withdraw:
    case CommandType.transfer_out:
    case CommandType.transfer_in: {
      const shard = view.getUint8(offset + TRANSFER.shard) as ShardIndex
      const transfer = {
        ...envelope,
        asset: view.getUint16(offset + TRANSFER.asset, true) as AssetId,
        amount: readInteger(view, offset + TRANSFER.amount) as Amount,
        transferId: text(TRANSFER.text, TRANSFER.textLength),
      }
      if (type === CommandType.transfer_out) return { type, ...transfer, toShard: shard }
      if (type === CommandType.transfer_in) {
        return { type, ...transfer, fromShard: shard, number: readInteger(view, offset + TRANSFER.number) }
      }
      return { type, ...transfer }
    }
    case CommandType.transfer_settled:
      return {
        type,
        ...envelope,
        toShard: view.getUint8(offset + TRANSFER_SETTLED.shard) as ShardIndex,
        number: readInteger(view, offset + TRANSFER_SETTLED.number),
      }
    case CommandType.define_asset:
      return {
        type,
        ...envelope,
        asset: view.getUint16(offset + DEFINE_ASSET.asset, true) as AssetId,
        scale: view.getUint8(offset + DEFINE_ASSET.scale),
      }
    case CommandType.define_instrument:
      return { type, ...envelope, ...decodeInstrument(view, offset) }
    case CommandType.set_account_limits: {
      const at = SET_ACCOUNT_LIMITS
      return {
        type,
        ...envelope,
        apiKey: view.getUint32(offset + at.apiKey, true),
        openOrdersMax: view.getUint32(offset + at.openOrdersMax, true),
        ordersPerSecondMax: view.getUint32(offset + at.ordersPerSecondMax, true),
        riskLimit_ppm: view.getUint32(offset + at.riskLimit_ppm, true),
        positionValueMax: readInteger(view, offset + at.positionValueMax) as Amount,
        orderNotionalMax: readInteger(view, offset + at.orderNotionalMax) as Amount,
        dailyLossMax: readInteger(view, offset + at.dailyLossMax) as Amount,
        drawdownMax: readInteger(view, offset + at.drawdownMax) as Amount,
        ...(view.getUint16(offset + HEADER.length, true) === at.extendedBytes && {
          priceBand_ppm: view.getUint32(offset + at.priceBand_ppm, true),
          duplicateWindow_ms: view.getUint32(offset + at.duplicateWindow_ms, true),
        }),
      }
    }
    case CommandType.set_phase:
      return {
        type,
        ...envelope,
        instrument: view.getUint16(offset + SET_PHASE.instrument, true) as InstrumentId,
        phase: view.getUint8(offset + SET_PHASE.phase) as Phase,
      }
    case CommandType.kill_switch:
      return {
        type,
        ...envelope,
        scope: view.getUint8(offset + KILL_SWITCH.scope) as KillSwitchScope,
        target: view.getUint32(offset + KILL_SWITCH.target, true),
        blocked: view.getUint8(offset + KILL_SWITCH.blocked) === 1,
      }
    case CommandType.activate_version:
      return { type, ...envelope, version: view.getUint32(offset + ACTIVATE_VERSION.version, true) }
  }
}

function decodeNewOrder(envelope: Envelope, view: DataView, offset: number): NewOrder {
  const at = NEW_ORDER
  const flags = view.getUint8(offset + HEADER.flags)
  const extra = (field: number) => (flags === 0 ? 0 : readInteger(view, offset + field))
  const textLength = view.getUint8(offset + at.textLength)
  const linked = (flags & RecordFlag.linked) !== 0 && {
    link: view.getUint8(offset + at.link) as OrderLink,
    linkedClientOrderId: readText(view, offset + linkedTextAt(textLength), view.getUint8(offset + at.linkedTextLength)),
  }
  return {
    type: CommandType.new_order,
    ...envelope,
    instrument: view.getUint16(offset + at.instrument, true) as InstrumentId,
    side: view.getUint8(offset + at.side) as Side,
    orderType: view.getUint8(offset + at.orderType) as OrderType,
    timeInForce: view.getUint8(offset + at.timeInForce) as TimeInForce,
    selfTradePrevention: view.getUint8(offset + at.selfTradePrevention) as SelfTradePrevention,
    flags: view.getUint8(offset + at.flags),
    session: view.getUint32(offset + at.session, true),
    apiKey: view.getUint32(offset + at.apiKey, true),
    price: readInteger(view, offset + at.price) as Price,
    quantity: readInteger(view, offset + at.quantity) as Quantity,
    quoteAmount: extra(at.quoteAmount) as Amount,
    stopPrice: extra(at.stopPrice) as Price,
    displayQuantity: extra(at.displayQuantity) as Quantity,
    minimumQuantity: extra(at.minimumQuantity) as Quantity,
    expireTime: extra(at.expireTime) as Timestamp,
    trailingOffset: extra(at.trailingOffset) as Price,
    ...linked,
    clientOrderId: readText(view, offset + newOrderTextAt(flags), textLength),
  }
}

function decodeInstrument(view: DataView, offset: number): InstrumentDefinition {
  const at = DEFINE_INSTRUMENT
  return {
    instrument: view.getUint16(offset + at.instrument, true) as InstrumentId,
    base: view.getUint16(offset + at.base, true) as AssetId,
    quote: view.getUint16(offset + at.quote, true) as AssetId,
    phase: view.getUint8(offset + at.phase) as Phase,
    baseUnitsPerLot: readInteger(view, offset + at.baseUnitsPerLot),
    quoteUnitsPerTickLot: readInteger(view, offset + at.quoteUnitsPerTickLot),
    priceMin: readInteger(view, offset + at.priceMin) as Price,
    priceMax: readInteger(view, offset + at.priceMax) as Price,
    quantityMin: readInteger(view, offset + at.quantityMin) as Quantity,
    quantityMax: readInteger(view, offset + at.quantityMax) as Quantity,
    notionalMin: readInteger(view, offset + at.notionalMin) as Amount,
    notionalMax: readInteger(view, offset + at.notionalMax) as Amount,
    makerFee_ppm: view.getUint32(offset + at.makerFee_ppm, true),
    takerFee_ppm: view.getUint32(offset + at.takerFee_ppm, true),
    stressMove_ppm: view.getUint32(offset + at.stressMove_ppm, true),
    priceBand_ppm: view.getUint32(offset + at.priceBand_ppm, true),
    staticBand_ppm: view.getUint32(offset + at.staticBand_ppm, true),
    dynamicBand_ppm: view.getUint32(offset + at.dynamicBand_ppm, true),
    referencePrice: readInteger(view, offset + at.referencePrice) as Price,
  }
}
