// Arbitrary well-formed commands of every type, for property tests of this package and of those that carry commands.

import fc from 'fast-check'
import { type Command, CommandType } from '../src/commands.ts'
import { LIMITS } from '../src/limits.ts'

const u8 = (max: number) => fc.integer({ min: 0, max })
const u16 = fc.integer({ min: 0, max: 65_535 })
const u32 = fc.integer({ min: 0, max: 4_294_967_295 })
const integer = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 }), fc.maxSafeNat())
const clientId = fc.string({
  unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/'),
  minLength: 1,
  maxLength: LIMITS.client_order_id_chars_max,
})
const envelope = { account: u32, origin: u32, correlation: u32 }
const transfer = { ...envelope, asset: u16, amount: integer, transferId: clientId }

function record<Shape extends Record<string, fc.Arbitrary<unknown>>>(
  type: number,
  shape: Shape,
): fc.Arbitrary<Command> {
  return fc.record({ type: fc.constant(type), ...shape }) as unknown as fc.Arbitrary<Command>
}

const namedOrder = fc
  .tuple(integer, fc.option(clientId, { nil: '' }))
  .filter(([order, id]) => order !== 0 || id !== '')
  .map(([order, clientOrderId]) => ({ order, clientOrderId }))

function namingOrder(type: number, shape: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Command> {
  return fc
    .tuple(record(type, { ...envelope, ...shape }), namedOrder)
    .map(([rest, name]) => ({ ...rest, ...name }) as Command)
}

const newOrder = {
  ...envelope,
  instrument: u16,
  side: u8(1),
  orderType: u8(6),
  timeInForce: u8(4),
  selfTradePrevention: u8(4),
  flags: u8(7),
  session: u32,
  apiKey: u32,
  price: integer,
  quantity: integer,
  quoteAmount: integer,
  stopPrice: integer,
  displayQuantity: integer,
  minimumQuantity: integer,
  expireTime: integer,
  trailingOffset: integer,
  clientOrderId: clientId,
}

export const arbitraryCommand: fc.Arbitrary<Command> = fc.oneof(
  record(CommandType.new_order, newOrder),
  record(CommandType.new_order, { ...newOrder, link: fc.constant(1), linkedClientOrderId: fc.constant('') }),
  record(CommandType.new_order, { ...newOrder, link: fc.integer({ min: 2, max: 4 }), linkedClientOrderId: clientId }),
  namingOrder(CommandType.cancel_order, {}),
  namingOrder(CommandType.replace_order, { price: integer, quantity: integer }),
  record(CommandType.mass_cancel, { ...envelope, instrument: u16, side: fc.constantFrom(0, 1, null) }),
  record(CommandType.cancel_session, { ...envelope, targetOrigin: u32, session: u32 }),
  record(CommandType.deposit, transfer),
  record(CommandType.withdraw, transfer),
  record(CommandType.transfer_out, { ...transfer, toShard: u8(15) }),
  record(CommandType.transfer_in, { ...transfer, fromShard: u8(15), number: integer }),
  record(CommandType.transfer_settled, { ...envelope, toShard: u8(15), number: integer }),
  record(CommandType.define_asset, { ...envelope, asset: u16, scale: u8(255) }),
  record(CommandType.define_instrument, {
    ...envelope,
    instrument: u16,
    base: u16,
    quote: u16,
    phase: u8(6),
    baseUnitsPerLot: integer,
    quoteUnitsPerTickLot: integer,
    priceMin: integer,
    priceMax: integer,
    quantityMin: integer,
    quantityMax: integer,
    notionalMin: integer,
    notionalMax: integer,
    makerFee_ppm: u32,
    takerFee_ppm: u32,
    stressMove_ppm: u32,
    priceBand_ppm: u32,
    staticBand_ppm: u32,
    dynamicBand_ppm: u32,
    referencePrice: integer,
  }),
  record(CommandType.set_account_limits, {
    ...envelope,
    apiKey: u32,
    positionValueMax: integer,
    riskLimit_ppm: u32,
    orderNotionalMax: integer,
    openOrdersMax: u32,
    ordersPerSecondMax: u32,
    dailyLossMax: integer,
    drawdownMax: integer,
  }),
  record(CommandType.set_account_limits, {
    ...envelope,
    apiKey: u32,
    positionValueMax: integer,
    riskLimit_ppm: u32,
    orderNotionalMax: integer,
    openOrdersMax: u32,
    ordersPerSecondMax: u32,
    dailyLossMax: integer,
    drawdownMax: integer,
    priceBand_ppm: u32,
    duplicateWindow_ms: u32.map((value) => value || 1),
  }),
  record(CommandType.set_phase, { ...envelope, instrument: u16, phase: u8(6) }),
  record(CommandType.kill_switch, { ...envelope, scope: u8(2), target: u32, blocked: fc.boolean() }),
  record(CommandType.activate_version, { ...envelope, version: u32 }),
)
