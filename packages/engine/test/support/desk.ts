// A trading desk for scenario tables: says in one line what an account sends, and gives back in one line what became of it.

import { type Command, REJECT_CODE_NAMES } from '@wintrades/domain'
import { Engine } from '../../src/index.ts'
import { order } from './orders.ts'
import { command, type Event, TestShard } from './shard.ts'

type Loose = { readonly [field: string]: unknown }

const NO_LIMITS = {
  apiKey: 0,
  positionValueMax: 0,
  riskLimit_ppm: 0,
  orderNotionalMax: 0,
  openOrdersMax: 0,
  ordersPerSecondMax: 0,
  dailyLossMax: 0,
  drawdownMax: 0,
}

export const SECOND_US = 1_000_000
export const DAY_US = 86_400 * SECOND_US

export class Desk {
  readonly shard: TestShard
  private sent = 0

  /** Instrument 1 with these fields; accounts 1 to 4 have plenty of both assets. The rules are the newest, or those of `version`. */
  constructor(definition: Loose = {}, version?: number) {
    this.shard = new TestShard().open(definition, version).fund(1, 2, 3, 4)
  }

  apply(sent: Command): Event[] {
    return this.shard.apply(sent)
  }

  /** `accepted`, or the code that refuses with its limit and the value that broke it: `POSITION_LIMIT 1000 1100`. */
  send(account: number, text: string): string {
    return outcome(this.apply(order(account, `c${++this.sent}`, text)))
  }

  /** Sends; the order must be accepted. Returns its id. */
  open(account: number, text: string): number {
    const events = this.apply(order(account, `c${++this.sent}`, text))
    const accepted = events.find((event) => event.type === 'accepted')
    if (accepted === undefined) throw new Error(`"${text}" of account ${account}: ${outcome(events)}`)
    return accepted['order'] as number
  }

  cancel(account: number, orderId: number): string {
    return outcome(this.apply(command('cancel_order', { account, order: orderId, clientOrderId: '' })))
  }

  /** 0 leaves the price or the quantity as it is. */
  replace(account: number, orderId: number, price: number, quantity: number): string {
    return outcome(
      this.apply(command('replace_order', { account, order: orderId, clientOrderId: '', price, quantity })),
    )
  }

  massCancel(account: number): string {
    return outcome(this.apply(command('mass_cancel', { account, instrument: 0, side: null })))
  }

  /** Sets the limits of an account, or with `apiKey` of a key; those not named are none. */
  limit(account: number, limits: Loose): string {
    return outcome(this.apply(command('set_account_limits', { account, ...NO_LIMITS, ...limits })))
  }

  kill(scope: 'account' | 'instrument' | 'shard', target: number, blocked = true): Event[] {
    const scopes = { account: 0, instrument: 1, shard: 2 }
    return this.apply(command('kill_switch', { scope: scopes[scope], target, blocked }))
  }

  phase(phase: number, instrument = 1): Event[] {
    return this.apply(command('set_phase', { instrument, phase }))
  }

  /** Accounts 3 and 4 trade one lot, so that the last price is `price`. */
  mark(price: number, instrument = 1): void {
    this.open(3, `sell 1 @ ${price} instrument ${instrument}`)
    this.open(4, `buy 1 @ ${price} instrument ${instrument}`)
  }

  /** Lets batch time pass. */
  wait(time_us: number): void {
    this.shard.timestamp += time_us
  }

  openOrders(account: number): number {
    return this.shard.engine.account(account as never).openOrders.length
  }

  position(account: number, instrument = 1): { quantity: number; cost: number; realisedProfit: number } {
    const found = this.shard.engine.account(account as never).positions.find((one) => one.instrument === instrument)
    return found ?? { quantity: 0, cost: 0, realisedProfit: 0 }
  }

  /** Goes on with an engine restored from a snapshot. */
  restore(): void {
    this.shard.engine = Engine.restore(this.shard.engine.snapshot())
  }
}

function outcome(events: readonly Event[]): string {
  const rejected = events.find((event) => event.type === 'rejected')
  if (rejected === undefined) return 'accepted'
  return `${REJECT_CODE_NAMES[rejected['code'] as number]} ${rejected['limit']} ${rejected['value']}`
}
