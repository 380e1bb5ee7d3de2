// Everything at once: all order types, sessions, bands, limits, kill switches and the passing of time at random. No oracle here: invariants
// hold after every command, and an engine restored now and then from a snapshot has the same state as the one that went on, and a replay too.

import { OrderLink, Phase } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { order } from './support/orders.ts'
import { Random } from './support/random.ts'
import { command, ETH, hex, instrument, TestShard } from './support/shard.ts'

const SEEDS = Number(process.env['CHAOS_SEEDS'] ?? 4)
const COMMANDS = 900
const ACCOUNTS = [1, 2, 3]
const PHASES = [
  Phase.continuous,
  Phase.continuous,
  Phase.volatility_auction,
  Phase.halted,
  Phase.closed,
  Phase.pre_open,
]

function randomText(random: Random, until_us: number): string {
  const price = () => random.between(960, 1_040)
  const side = random.pick(['buy', 'sell'])
  const quantity = random.between(1, 30)
  const own = random.pick(['', '', '', ' newest', ' oldest', ' both', ' decrement'])
  const tail = `${own} key ${random.pick([0, 0, 5])} instrument ${random.between(1, 2)}`
  const shape = random.pick([
    () => `${quantity} @ ${price()}`,
    () => `${quantity} @ ${price()}`,
    () => `${quantity} @ ${price()}${random.pick([' ioc', ' fok', ' post', ' day', ' disconnect', ' ioc reduce'])}`,
    () => `${quantity} @ ${price()} until ${until_us}`,
    () => `${quantity + 5} @ ${price()} show 5`,
    () => `${quantity} market`,
    () => `quote ${random.between(500, 20_000)} market`,
    () => `${quantity} stop trigger ${price()}`,
    () => `${quantity} take trigger ${price()}`,
    () => `${quantity} @ ${price()} trigger ${price()}`,
    () => `${quantity} trail ${random.between(1, 20)}`,
  ])()
  return `${side} ${shape}${tail}`
}

function limits(random: Random): Record<string, number> {
  const maybe = (low: number, high: number) => (random.chance(30) ? random.between(low, high) : 0)
  return {
    positionValueMax: maybe(20_000, 400_000),
    riskLimit_ppm: maybe(1, 40),
    orderNotionalMax: maybe(10_000, 30_000),
    openOrdersMax: maybe(3, 30),
    ordersPerSecondMax: maybe(2, 9),
    dailyLossMax: maybe(50, 5_000),
    drawdownMax: maybe(50, 5_000),
    priceBand_ppm: maybe(10_000, 50_000),
    duplicateWindow_ms: maybe(1, 3_000),
  }
}

function step(random: Random, shard: TestShard, i: number): void {
  const account = random.pick(ACCOUNTS)
  const kind = random.below(1_000)
  if (random.chance(5)) shard.timestamp += random.chance(30) ? random.below(200) * 1_000_000 : random.below(2_000_000)
  if (random.chance(1)) shard.timestamp += random.below(20) * 3_600_000_000
  if (kind < 720) {
    const placed = order(account, `c${i}`, randomText(random, shard.timestamp + random.between(1, 90_000_000)))
    const linked = random.chance(8)
      ? { link: random.between(0, OrderLink.entry), linkedClientOrderId: `c${i - 1}` }
      : {}
    if (linked.link === OrderLink.pending) linked.linkedClientOrderId = ''
    shard.apply({ ...placed, ...linked } as typeof placed)
  } else if (kind < 860) {
    const { openOrders } = shard.engine.account(account as never)
    if (openOrders.length === 0) return
    const named = { account, order: random.pick(openOrders).order, clientOrderId: '' }
    if (random.chance(50)) shard.apply(command('cancel_order', named))
    else {
      const price = random.pick([0, random.between(960, 1_040)])
      shard.apply(command('replace_order', { ...named, price, quantity: random.pick([0, random.between(1, 40)]) }))
    }
  } else if (kind < 920) {
    shard.apply(command('set_account_limits', { account, apiKey: random.pick([0, 5]), ...limits(random) }))
  } else if (kind < 960) {
    shard.apply(command('set_phase', { instrument: random.between(1, 2), phase: random.pick(PHASES) }))
  } else if (kind < 970) {
    const [scope, target] = random.pick([
      [0, account],
      [1, random.between(1, 2)],
      [2, 0],
    ] as const)
    shard.apply(command('kill_switch', { scope, target, blocked: true }))
    shard.apply(command('kill_switch', { scope, target, blocked: false }))
  } else if (kind < 985) shard.apply(command('mass_cancel', { account, instrument: 0, side: null }))
  else if (kind < 990) shard.apply(command('cancel_session', { targetOrigin: 1, session: 0 }))
  else shard.apply()
}

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('nothing breaks: seed %i', (seed) => {
  const random = new Random(seed)
  const bands = { staticBand_ppm: 30_000, dynamicBand_ppm: 8_000, referencePrice: 1_000 }
  const shard = new TestShard().open({ ...bands, makerFee_ppm: 300, takerFee_ppm: 700 })
  shard.apply(instrument({ ...bands, instrument: 2, base: ETH, priceBand_ppm: 60_000 }))
  shard.fund(...ACCOUNTS)
  for (const account of ACCOUNTS) shard.deposit(account, ETH, 1_000_000)
  let twin: Engine | null = null
  let applied = shard.batches.length
  let interruptions = 0
  for (let i = 0; i < COMMANDS; i++) {
    if (i % 100 === 50) twin = Engine.restore(shard.engine.snapshot())
    applied = shard.batches.length
    step(random, shard, i)
    if (twin !== null) for (const batch of shard.batches.slice(applied)) twin.apply(batch)
    if (twin !== null) expect(hex(twin.stateHash()), `command ${i}`).toBe(hex(shard.engine.stateHash()))
    if (shard.engine.book(1 as never, 1).phase === Phase.volatility_auction) interruptions++
  }
  twin?.checkInvariants()
  expect(interruptions).toBeGreaterThan(0)
  expect(hex(shard.replayed().stateHash())).toBe(hex(shard.engine.stateHash()))
})
