// Commands that define the market and steer it: assets, instruments, limits, phases, kill switches, versions.

import {
  ACTIVATE_VERSION,
  BOTH_SIDES,
  type Command,
  CommandType,
  DEFINE_ASSET,
  DoneReason,
  decodeCommand,
  HEADER,
  type InstrumentDefinition,
  KILL_SWITCH,
  KillSwitchScope,
  LIMITS,
  type Phase,
  RejectCode,
  readInteger,
  SET_ACCOUNT_LIMITS,
  SET_PHASE,
} from '@wintrades/domain'

import { MILLION, SAFE_MAX } from './exact.ts'
import { Instrument } from './instruments.ts'
import { ACCOUNT_LAYOUT, LIMIT_LAYOUT, ORDER_LAYOUT } from './layouts.ts'
import { cancelOfAccount } from './order-changes.ts'
import { pairOf } from './risk/exposure.ts'
import { restartPeaks, startPeaks } from './risk/results.ts'
import { cancelOfInstrument, changePhase } from './sessions.ts'
import { ENGINE_VERSION, type ShardState, VERSION_RISK } from './state.ts'

const { BLOCKED } = ACCOUNT_LAYOUT
const {
  LIMIT_SHIFT,
  OPEN_ORDERS_MAX,
  ORDERS_PER_SECOND_MAX,
  RISK_LIMIT_PPM,
  POSITION_VALUE_MAX,
  ORDER_NOTIONAL_MAX,
  DAILY_LOSS_MAX,
  DRAWDOWN_MAX,
  KEY_OPEN_COUNT,
  PRICE_BAND_PPM,
  DUPLICATE_WINDOW_MS,
} = LIMIT_LAYOUT
const { WARM_SHIFT, ACCOUNT_NEXT, API_KEY } = ORDER_LAYOUT

/** Carries out a command of this module, or says why not. */
export function define(state: ShardState): void {
  const { account, events, commandType } = state
  const code = carryOut(state)
  if (code !== 0) events.rejected(account, 0, commandType, 0, code, state.limit, state.value)
}

function carryOut(state: ShardState): number {
  switch (state.commandType) {
    case CommandType.define_asset:
      return defineAsset(state)
    case CommandType.define_instrument:
      return defineInstrument(state)
    case CommandType.set_account_limits:
      return setAccountLimits(state)
    case CommandType.set_phase:
      return setPhase(state)
    case CommandType.kill_switch:
      return killSwitch(state)
    default:
      return activateVersion(state)
  }
}

function defineAsset(state: ShardState): number {
  const asset = state.view.getUint16(state.at + DEFINE_ASSET.asset, true)
  const scale = state.view.getUint8(state.at + DEFINE_ASSET.scale)
  if (asset < 1 || asset > LIMITS.assets_max) return state.refuse(RejectCode.asset_unknown, LIMITS.assets_max, asset)
  if (scale > 18) return state.refuse(RejectCode.definition_conflict, 18, scale)
  const known = state.ledger.scales[asset]
  if (known >= 0 && known !== scale) return state.refuse(RejectCode.definition_conflict, known, scale)
  state.ledger.scales[asset] = scale
  state.events.definitionChanged(state.account, asset, state.commandType, asset)
  return 0
}

/** An instrument may be defined again with new limits and fees; what its amounts are counted in stays, and fees while orders are open. */
function defineInstrument(state: ShardState): number {
  const definition = instrumentIn(decodeCommand(state.view, state.at))
  const code = checkDefinition(state, definition)
  if (code !== 0) return code
  const known = state.instrument(definition.instrument)
  if (known === undefined) addInstrument(state, definition)
  else {
    const changed = changeConflict(state, known, definition)
    if (changed !== 0) return changed
    known.redefine(definition)
  }
  state.events.definitionChanged(state.account, definition.instrument, state.commandType, definition.instrument)
  return 0
}

function instrumentIn(command: Command): InstrumentDefinition {
  const { type, account, origin, correlation, ...definition } = command as Extract<
    Command,
    { type: typeof CommandType.define_instrument }
  >
  return definition
}

function checkDefinition(state: ShardState, definition: InstrumentDefinition): number {
  const { instrument, base, quote, priceMin, priceMax, quantityMin, quantityMax } = definition
  const conflict = (limit: number, value: number) => state.refuse(RejectCode.definition_conflict, limit, value)
  if (instrument < 1 || instrument > LIMITS.instruments_max) return conflict(LIMITS.instruments_max, instrument)
  if (!state.ledger.isDefined(base)) return state.refuse(RejectCode.asset_unknown, 0, base)
  if (!state.ledger.isDefined(quote) || base === quote) return state.refuse(RejectCode.asset_unknown, 0, quote)
  if (priceMin < 1 || priceMax < priceMin || priceMax > LIMITS.price_ticks_max) return conflict(priceMin, priceMax)
  if (quantityMin < 1 || quantityMax < quantityMin || quantityMax > LIMITS.quantity_lots_max) {
    return conflict(quantityMin, quantityMax)
  }
  const { baseUnitsPerLot, quoteUnitsPerTickLot, makerFee_ppm, takerFee_ppm } = definition
  if (baseUnitsPerLot < 1 || quoteUnitsPerTickLot < 1)
    return conflict(1, Math.min(baseUnitsPerLot, quoteUnitsPerTickLot))
  if (priceMax * quantityMax * quoteUnitsPerTickLot > SAFE_MAX) return conflict(SAFE_MAX, SAFE_MAX)
  if (quantityMax * baseUnitsPerLot > SAFE_MAX) return conflict(SAFE_MAX, SAFE_MAX)
  if (makerFee_ppm > MILLION || takerFee_ppm > MILLION) return conflict(MILLION, Math.max(makerFee_ppm, takerFee_ppm))
  if (definition.referencePrice > LIMITS.price_ticks_max) return conflict(priceMax, definition.referencePrice)
  return 0
}

/** What open orders hold follows from the units and the fees. */
function changeConflict(state: ShardState, known: Instrument, to: InstrumentDefinition): number {
  const conflict = (limit: number, value: number) => state.refuse(RejectCode.definition_conflict, limit, value)
  const from = known.definition
  if (from.base !== to.base) return conflict(from.base, to.base)
  if (from.quote !== to.quote) return conflict(from.quote, to.quote)
  if (from.baseUnitsPerLot !== to.baseUnitsPerLot) return conflict(from.baseUnitsPerLot, to.baseUnitsPerLot)
  if (from.quoteUnitsPerTickLot !== to.quoteUnitsPerTickLot) {
    return conflict(from.quoteUnitsPerTickLot, to.quoteUnitsPerTickLot)
  }
  const holdFee_ppm = Math.max(to.makerFee_ppm, to.takerFee_ppm)
  const isOpen = known.book.bids.bestLevel !== 0
  return isOpen && holdFee_ppm !== known.holdFee_ppm ? conflict(known.holdFee_ppm, holdFee_ppm) : 0
}

export function addInstrument(state: ShardState, definition: InstrumentDefinition): Instrument {
  const instrument = new Instrument(definition, state.orders, state.levels, state.fills, state.triggerLevels)
  instrument.feeBalance = state.ledger.ensure(0, definition.quote)
  state.instruments[instrument.id] = instrument
  const pair = pairOf(instrument.base, instrument.quote)
  const known = state.pairs.get(pair)
  if (known === undefined || known.id > instrument.id) state.pairs.set(pair, instrument)
  state.instrumentIds.push(instrument.id)
  state.instrumentIds.sort((a, b) => a - b)
  return instrument
}

function setAccountLimits(state: ShardState): number {
  const { view, at, account } = state
  if (account === 0 || account > LIMITS.accounts_max) {
    return state.refuse(RejectCode.account_unknown, LIMITS.accounts_max, account)
  }
  const apiKey = view.getUint32(at + SET_ACCOUNT_LIMITS.apiKey, true)
  const isExtended = view.getUint16(at + HEADER.length, true) === SET_ACCOUNT_LIMITS.extendedBytes
  const duplicateWindow_ms = isExtended ? view.getUint32(at + SET_ACCOUNT_LIMITS.duplicateWindow_ms, true) : 0
  if (duplicateWindow_ms > LIMITS.duplicate_window_ms_max) {
    return state.refuse(RejectCode.amount_out_of_range, LIMITS.duplicate_window_ms_max, duplicateWindow_ms)
  }
  const isNew = state.limits.find(account, apiKey) === 0
  const record = state.limits.ensure(account, apiKey) << LIMIT_SHIFT
  const { data } = state.limits
  data[record + OPEN_ORDERS_MAX] = view.getUint32(at + SET_ACCOUNT_LIMITS.openOrdersMax, true)
  data[record + ORDERS_PER_SECOND_MAX] = view.getUint32(at + SET_ACCOUNT_LIMITS.ordersPerSecondMax, true)
  data[record + RISK_LIMIT_PPM] = view.getUint32(at + SET_ACCOUNT_LIMITS.riskLimit_ppm, true)
  data[record + POSITION_VALUE_MAX] = readInteger(view, at + SET_ACCOUNT_LIMITS.positionValueMax)
  data[record + ORDER_NOTIONAL_MAX] = readInteger(view, at + SET_ACCOUNT_LIMITS.orderNotionalMax)
  data[record + DAILY_LOSS_MAX] = readInteger(view, at + SET_ACCOUNT_LIMITS.dailyLossMax)
  const drawdownBefore = data[record + DRAWDOWN_MAX]
  data[record + DRAWDOWN_MAX] = readInteger(view, at + SET_ACCOUNT_LIMITS.drawdownMax)
  if (state.version >= VERSION_RISK) {
    data[record + PRICE_BAND_PPM] = isExtended ? view.getUint32(at + SET_ACCOUNT_LIMITS.priceBand_ppm, true) : 0
    data[record + DUPLICATE_WINDOW_MS] = duplicateWindow_ms
    if (data[record + DRAWDOWN_MAX] !== drawdownBefore) restartPeaks(state, account)
  }
  if (isNew && apiKey !== 0) data[record + KEY_OPEN_COUNT] = openOrdersOfKey(state, account, apiKey)
  state.events.definitionChanged(account, 0, state.commandType, apiKey)
  return 0
}

/** Counts the open orders that an API key entered, among those of its account. */
export function openOrdersOfKey(state: ShardState, account: number, apiKey: number): number {
  const { warm } = state.orders
  let count = 0
  for (let slot = state.accounts.firstOrder(account); slot !== 0; slot = warm[(slot << WARM_SHIFT) + ACCOUNT_NEXT]) {
    if (warm[(slot << WARM_SHIFT) + API_KEY] >>> 0 === apiKey) count++
  }
  return count
}

function setPhase(state: ShardState): number {
  const { view, at } = state
  const instrument = state.instrument(view.getUint16(at + SET_PHASE.instrument, true))
  if (instrument === undefined) return state.refuse(RejectCode.instrument_unknown)
  const phase = view.getUint8(at + SET_PHASE.phase) as Phase
  changePhase(state, instrument, phase)
  return 0
}

/** Blocks at once, and cancels what is open: an account's orders by id, an instrument's by side, price and time. */
function killSwitch(state: ShardState): number {
  const { view, at } = state
  const scope = view.getUint8(at + KILL_SWITCH.scope) as KillSwitchScope
  const target = view.getUint32(at + KILL_SWITCH.target, true)
  const blocked = view.getUint8(at + KILL_SWITCH.blocked) === 1
  if (scope === KillSwitchScope.account) {
    if (target > LIMITS.accounts_max) return state.refuse(RejectCode.account_unknown, LIMITS.accounts_max, target)
    if (blocked) {
      state.accounts.mark(target, BLOCKED)
      cancelOfAccount(state, target, 0, BOTH_SIDES, DoneReason.kill_switch)
    } else state.accounts.unmark(target, BLOCKED)
  } else if (scope === KillSwitchScope.instrument) {
    const instrument = state.instrument(target)
    if (instrument === undefined) return state.refuse(RejectCode.instrument_unknown)
    instrument.blocked = blocked
    if (blocked) cancelOfInstrument(state, instrument, DoneReason.kill_switch)
  } else {
    state.blocked = blocked
    if (blocked) {
      for (const id of state.instrumentIds) {
        cancelOfInstrument(state, state.instruments[id] as Instrument, DoneReason.kill_switch)
      }
    }
  }
  state.events.definitionChanged(state.account, scope, state.commandType, target)
  return 0
}

function activateVersion(state: ShardState): number {
  const version = state.view.getUint32(state.at + ACTIVATE_VERSION.version, true)
  if (version < state.version) return state.refuse(RejectCode.version_not_supported, state.version, version)
  if (version > ENGINE_VERSION) return state.refuse(RejectCode.version_not_supported, ENGINE_VERSION, version)
  const before = state.version
  state.version = version
  if (before < VERSION_RISK && version >= VERSION_RISK) startPeaks(state)
  state.events.definitionChanged(state.account, 0, state.commandType, version)
  return 0
}
