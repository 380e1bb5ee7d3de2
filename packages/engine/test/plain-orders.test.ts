// The short way of plain orders against the general one: an engine that may take it and one that may not are given the same commands,
// and must say the same, number by number.

import { type Command, EventType, forEachEvent, KillSwitchScope, ORDER_ACCEPTED, Phase } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { ShardState } from '../src/state.ts'
import { order } from './support/orders.ts'
import { Random } from './support/random.ts'
import { BTC, batchOf, command, ETH, hex, instrument, USD } from './support/shard.ts'

const COMMANDS = 8_000
const ACCOUNTS = 5
/** Has limits. */
const LIMITED = 4

function engine(hasShortWay: boolean): { readonly engine: Engine; readonly state: ShardState } {
  const state = new ShardState(0 as never)
  state.hasShortWay = hasShortWay
  return { engine: new Engine(0 as never, state), state }
}

function opening(): Command[] {
  const commands = [
    command('activate_version', { version: 2 }),
    ...[USD, BTC, ETH].map((asset) => command('define_asset', { asset, scale: 2 })),
    instrument({ notionalMin: 2_500 }),
    instrument({
      instrument: 2,
      base: ETH,
      notionalMax: 15_000,
      quantityMax: 15,
      makerFee_ppm: 150,
      takerFee_ppm: 250,
    }),
    instrument({ instrument: 3, base: ETH, priceBand_ppm: 8_000 }),
  ]
  for (let account = 1; account <= ACCOUNTS; account++) {
    // The last account soon runs out of everything.
    const amount = account === ACCOUNTS ? 20_000 : 1_000_000_000
    for (const asset of [USD, BTC, ETH]) {
      commands.push(command('deposit', { account, asset, amount, transferId: `in-${account}-${asset}` }))
    }
  }
  commands.push(command('set_account_limits', { account: LIMITED, openOrdersMax: 1_000, orderNotionalMax: 15_000 }))
  return commands
}

/** Mostly what goes the short way, and all that keeps an order from it. */
function next(random: Random, n: number, orders: readonly number[]): Command {
  const account = random.between(1, ACCOUNTS + (random.chance(2) ? 1 : 0))
  const kind = random.below(100)
  const id = random.chance(2) ? `o${random.below(n + 1)}` : `o${n}`
  const side = random.chance(50) ? 'buy' : 'sell'
  const price = random.chance(1) ? 0 : side === 'buy' ? random.between(980, 1001) : random.between(1000, 1020)
  const where = `@ ${price} instrument ${random.chance(70) ? 1 : random.between(1, 4)}`
  const plain = `${side} ${random.chance(2) ? 0 : random.between(1, 20)} ${where}`
  if (kind < 45) return order(account, id, plain)
  if (kind < 52)
    return order(account, id, `${plain} ${random.pick(['ioc', 'fok', 'post', 'day', 'disconnect', 'oldest', 'key 7'])}`)
  if (kind < 55)
    return order(account, id, `${plain} ${random.pick(['show 20', 'min 1', 'session 3', 'until 900000000'])}`)
  if (kind < 58)
    return order(
      account,
      id,
      `${side} ${random.between(1, 20)} ${random.pick(['market ioc', 'stop trigger 990', 'trail 4'])}`,
    )
  if (kind < 88) {
    const named =
      random.chance(95) && orders.length > 0 ? random.pick([...orders.slice(-60)]) : random.between(1, 5_000) * 16
    return command('cancel_order', {
      account: random.chance(80) ? owner(named) : account,
      order: named,
      clientOrderId: '',
    })
  }
  if (kind < 92) return command('cancel_order', { account, order: 0, clientOrderId: `o${random.below(n + 1)}` })
  if (kind < 96)
    return command('replace_order', {
      account,
      order: random.pick([...orders.slice(-9), 16]),
      clientOrderId: '',
      price: 999,
      quantity: 0,
    })
  if (kind < 97) return command('mass_cancel', { account, instrument: random.below(3), side: null })
  if (kind < 98) return command('cancel_session', { targetOrigin: 1, session: 0 })
  if (kind < 99) {
    const phase = random.pick([Phase.continuous, Phase.continuous, Phase.continuous, Phase.pre_open, Phase.halted])
    return command('set_phase', { instrument: random.between(1, 3), phase })
  }
  const scope = random.pick([KillSwitchScope.account, KillSwitchScope.instrument, KillSwitchScope.shard])
  const target = scope === KillSwitchScope.shard ? 0 : random.between(1, 3)
  return command('kill_switch', { scope, target, blocked: random.chance(15) })
}

const owners = new Map<number, number>()
const owner = (named: number): number => owners.get(named) ?? 1

test.each([1, 2, 3])('the short way says what the general one says: seed %i', (seed) => {
  const random = new Random(seed)
  const [short, general] = [engine(true), engine(false)]
  const orders: number[] = []
  let time = 1_000_000
  let at = 0
  owners.clear()
  const apply = (commands: readonly Command[]) => {
    time += random.between(0, 1_000)
    const batch = batchOf(0, short.engine.seq + 1, time, short.engine.nextCommand, commands)
    const events = short.engine.apply(batch)
    expect([...events]).toEqual([...general.engine.apply(batch)])
    forEachEvent(events, (type, offset) => {
      if (type !== EventType.order_accepted) return
      orders.push(events[offset + ORDER_ACCEPTED.order] as number)
      owners.set(orders.at(-1) as number, events[offset + 2] as number)
    })
    expect(hex(short.engine.stateHash())).toBe(hex(general.engine.stateHash()))
    short.engine.checkInvariants()
  }
  apply(opening())
  while (at < COMMANDS) {
    const commands = Array.from({ length: random.between(1, 150) }, () => next(random, at++, orders))
    apply(commands)
  }
  expect(orders.length).toBeGreaterThan(COMMANDS / 8)
})
