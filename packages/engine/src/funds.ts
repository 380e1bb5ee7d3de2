// Money that comes and goes: deposits, withdrawals, and the steps of transfers between shards. Deposits, withdrawals and
// transfers out are de-duplicated by their transfer id; transfers in by the counter of their pair of shards.

import {
  type AccountId,
  type Amount,
  type AssetId,
  CommandType,
  LIMITS,
  RejectCode,
  readInteger,
  readText,
  type ShardIndex,
  TRANSFER,
  TRANSFER_SETTLED,
} from '@wintrades/domain'
import { ACCOUNT_LAYOUT } from './layouts.ts'
import { SUPPLY_MAX } from './ledger.ts'
import type { ShardState } from './state.ts'
import { IN_FLIGHT_MAX } from './transfers.ts'

const { KNOWN } = ACCOUNT_LAYOUT

/** A deposit, a withdrawal or a transfer out. */
export function moveFunds(state: ShardState): void {
  const { view, at, account, events, commandType, deduplication, number } = state
  const asset = view.getUint16(at + TRANSFER.asset, true)
  deduplication.hashText(view, at + TRANSFER.text, view.getUint8(at + TRANSFER.textLength))
  const seen = deduplication.find(account)
  if (seen !== -1) {
    const first = deduplication.numberOf(seen)
    const order = deduplication.isOrder(seen) ? state.orderId(first) : first
    events.duplicate(account, asset, commandType, order, deduplication.codeOf(seen))
    return
  }
  const amount = readInteger(view, at + TRANSFER.amount)
  const code = commandType === CommandType.deposit ? deposit(state, asset, amount) : takeOut(state, asset, amount)
  if (code !== 0) events.rejected(account, asset, commandType, 0, code, state.limit, state.value)
  deduplication.remember(account, number, code, false, state.timestamp)
}

function deposit(state: ShardState, asset: number, amount: number): number {
  const code = checkCredit(state, asset, amount)
  if (code !== 0) return code
  credit(state, asset, amount)
  state.ledger.deposited[asset] += amount
  state.events.fundsMoved(state.account, asset, CommandType.deposit, amount, 0, 0, state.number)
  return 0
}

function checkCredit(state: ShardState, asset: number, amount: number): number {
  if (state.account > LIMITS.accounts_max) {
    return state.refuse(RejectCode.account_unknown, LIMITS.accounts_max, state.account)
  }
  if (!state.ledger.isDefined(asset)) return state.refuse(RejectCode.asset_unknown)
  if (amount < 1) return state.refuse(RejectCode.amount_out_of_range, 1, amount)
  const supply = state.ledger.supply[asset] + amount
  return supply > SUPPLY_MAX ? state.refuse(RejectCode.supply_limit, SUPPLY_MAX, supply) : 0
}

function credit(state: ShardState, asset: number, amount: number): void {
  state.accounts.mark(state.account, KNOWN)
  state.ledger.post(state.ledger.ensure(state.account, asset), amount, 0)
  state.ledger.supply[asset] += amount
}

/** A withdrawal, or the first step of a transfer. */
function takeOut(state: ShardState, asset: number, amount: number): number {
  const { view, at, account, ledger, transfers, commandType } = state
  const isTransfer = commandType === CommandType.transfer_out
  const toShard = view.getUint8(at + TRANSFER.shard)
  if (account !== 0 && !state.accounts.isKnown(account)) return state.refuse(RejectCode.account_unknown)
  if (!ledger.isDefined(asset)) return state.refuse(RejectCode.asset_unknown)
  if (amount < 1) return state.refuse(RejectCode.amount_out_of_range, 1, amount)
  if (isTransfer && toShard === state.shard) return state.refuse(RejectCode.transfer_shard_unknown)
  const balance = ledger.find(account, asset)
  const available = balance === 0 ? 0 : ledger.available(balance)
  if (amount > available) return state.refuse(RejectCode.funds_insufficient, available, amount)
  if (isTransfer && transfers.inFlight[toShard].length >= IN_FLIGHT_MAX) {
    return state.refuse(RejectCode.capacity_exhausted, IN_FLIGHT_MAX, IN_FLIGHT_MAX + 1)
  }
  ledger.post(balance, -amount, 0)
  ledger.supply[asset] -= amount
  if (!isTransfer) {
    ledger.withdrawn[asset] += amount
    state.events.fundsMoved(account, asset, commandType, amount, 0, 0, state.number)
    return 0
  }
  const transfer = ++transfers.sent[toShard]
  ledger.transferredOut[asset] += amount
  transfers.inFlight[toShard].push({
    account: account as AccountId,
    asset: asset as AssetId,
    amount: amount as Amount,
    toShard: toShard as ShardIndex,
    number: transfer,
    transferId: readText(view, at + TRANSFER.text, view.getUint8(at + TRANSFER.textLength)),
    sentAt: state.timestamp,
  })
  state.events.fundsMoved(account, asset, commandType, amount, toShard, transfer, state.number)
  return 0
}

/** The second step: taken once, and only in the order of the numbers. */
export function transferIn(state: ShardState): void {
  const { view, at, account, events, commandType, transfers } = state
  const asset = view.getUint16(at + TRANSFER.asset, true)
  const amount = readInteger(view, at + TRANSFER.amount)
  const fromShard = view.getUint8(at + TRANSFER.shard)
  const transfer = readInteger(view, at + TRANSFER.number)
  const next = transfers.received[fromShard] + 1
  if (transfer < next) {
    events.duplicate(account, asset, commandType, 0, RejectCode.none)
    return
  }
  let code: number = RejectCode.none
  if (fromShard === state.shard) code = state.refuse(RejectCode.transfer_shard_unknown)
  else if (transfer > next) code = state.refuse(RejectCode.transfer_out_of_order, next, transfer)
  else code = checkCredit(state, asset, amount)
  if (code !== 0) {
    events.rejected(account, asset, commandType, 0, code, state.limit, state.value)
    return
  }
  transfers.received[fromShard] = transfer
  credit(state, asset, amount)
  state.ledger.transferredIn[asset] += amount
  events.fundsMoved(account, asset, commandType, amount, fromShard, transfer, state.number)
}

/** The last step: the other shard has them. Numbers already settled, or never sent, change nothing. */
export function transferSettled(state: ShardState): void {
  const { view, at, account, events, commandType, transfers } = state
  const toShard = view.getUint8(at + TRANSFER_SETTLED.shard)
  const number = readInteger(view, at + TRANSFER_SETTLED.number)
  if (number > transfers.sent[toShard]) {
    events.rejected(account, 0, commandType, 0, RejectCode.transfer_out_of_order, transfers.sent[toShard], number)
    return
  }
  const count = Math.max(0, number - transfers.settled[toShard])
  transfers.settle(toShard, number)
  events.commandDone(account, 0, commandType, 0, count)
}
