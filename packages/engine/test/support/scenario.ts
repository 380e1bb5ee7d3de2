// Scenario tables: on the left what is sent, on the right what happens, as one would tell it to somebody.
//
//   1 a: sell 5 @ 100            an order of account 1 with client order id a, in the shorthand of `orders.ts`
//   cancel 1 a                   replace 1 a 4 @ 101        mass 1        phase halted        kill account 1
//   time 500                     500 µs later, an empty batch
//   book                         the depth: `99x5 / 100x3 101x2`
//
// What happens: `trade b a 5 @ 100` (taker, maker), `b filled`, `a cancelled_by_client`, `a triggered 95`, `a reduced 2`, `replaced a`,
// `rejected no_liquidity`. Acceptances, balances and depth are left out.

import {
  type Command,
  CommandType,
  DONE_REASON_NAMES,
  KillSwitchScope,
  ORDER_TYPE_NAMES,
  Phase,
  REJECT_CODE_NAMES,
} from '@wintrades/domain'
import { expect } from 'vitest'
import { order } from './orders.ts'
import { command, type Event, TestShard } from './shard.ts'

export type Row = readonly [sent: string, happens: string]

export class Scenario {
  readonly shard: TestShard
  readonly ids = new Map<number, string>()

  constructor(definition: Record<string, unknown> = {}) {
    this.shard = new TestShard().open(definition).fund(1, 2, 3, 4, 5)
  }

  /** Plays the rows; each must bring about exactly what it says. */
  play(rows: readonly Row[]): this {
    for (const [sent, happens] of rows) expect(this.send(sent), sent).toBe(happens)
    return this
  }

  /** What one line brings about. */
  send(sent: string): string {
    if (sent === 'book') return this.depth()
    const { shard } = this
    if (sent.startsWith('time ')) {
      shard.timestamp += Number(sent.slice(5))
      return this.tell(shard.apply())
    }
    const next = Number(shard.engine.nextCommand) * 16
    const given = this.read(sent)
    if (given.type === CommandType.new_order) this.ids.set(next, given.clientOrderId)
    return this.tell(shard.apply(given))
  }

  private read(sent: string): Command {
    const place = /^(\d+) ([\w.-]+): (.*)$/.exec(sent)
    if (place !== null) {
      const text = (place[3] as string).replace(
        /until \+(\d+)/,
        (_, us: string) => `until ${this.shard.timestamp + Number(us)}`,
      )
      return order(Number(place[1]), place[2] as string, text)
    }
    const [verb, first, second, ...rest] = sent.split(' ')
    const named = { account: Number(first), order: 0, clientOrderId: second }
    if (verb === 'cancel') return command('cancel_order', named)
    if (verb === 'replace')
      return command('replace_order', { ...named, quantity: Number(rest[0]), price: Number(rest[2] ?? 0) })
    if (verb === 'mass') return command('mass_cancel', { account: Number(first), instrument: 0, side: null })
    if (verb === 'phase') return command('set_phase', { instrument: 1, phase: Phase[first as keyof typeof Phase] })
    if (verb === 'kill') {
      const scope = KillSwitchScope[first as keyof typeof KillSwitchScope]
      return command('kill_switch', { scope, target: Number(second), blocked: true })
    }
    throw new Error(`no such line: ${sent}`)
  }

  private tell(events: readonly Event[]): string {
    return events.flatMap((event) => this.tellOne(event)).join(', ')
  }

  private tellOne(event: Event): string[] {
    const name = (slot: string) => this.ids.get(event[slot] as number) ?? String(event[slot])
    switch (event.type) {
      case 'trade':
        return [`trade ${name('takerOrder')} ${name('makerOrder')} ${event['quantity']} @ ${event['price']}`]
      case 'done':
        return [`${name('order')} ${(DONE_REASON_NAMES[event['reason'] as never] as string).toLowerCase()}`]
      case 'triggered':
        return [`${name('order')} ${event['triggerPrice'] === 0 ? 'live' : `triggered ${event['triggerPrice']}`}`]
      case 'reduced':
        return [`${name('order')} reduced ${event['reducedBy']}`]
      case 'replaced':
        return [`replaced ${name('order')}${event['priorityKept'] === 1 ? ' in place' : ''}`]
      case 'rejected':
        return [`rejected ${(REJECT_CODE_NAMES[event['code'] as number] as string).toLowerCase()}`]
      default:
        return []
    }
  }

  private depth(): string {
    const { bids, asks } = this.shard.engine.book(1 as never, 100)
    const side = (levels: typeof bids) => levels.map(({ price, quantity }) => `${price}x${quantity}`).join(' ')
    return `${side(bids)} / ${side(asks)}`
  }

  /** An account's open orders: `a STOP 5`, … */
  open(account: number): string {
    const { openOrders } = this.shard.engine.account(account as never)
    return openOrders
      .map((one) => `${one.clientOrderId} ${ORDER_TYPE_NAMES[one.orderType]} ${one.leavesQty}`)
      .join(', ')
  }
}

/** Plays a table on a fresh market. */
export function play(rows: readonly Row[], definition: Record<string, unknown> = {}): Scenario {
  return new Scenario(definition).play(rows)
}
