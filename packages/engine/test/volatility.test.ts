// Volatility interruptions: where the bands end, what stops there, what the auction does with it, and how it ends.

import { LIMITS, OrderType, Phase, TimeInForce } from '@wintrades/domain'
import { describe, expect, test } from 'vitest'
import { Desk } from './support/desk.ts'
import { order } from './support/orders.ts'
import { command, ETH, type Event, hex, instrument } from './support/shard.ts'

/** Reference price 1000; sellers at 1000, 1050, 1051 and 1200, buyers at 950 and 949: five lots each. */
function book(definition: Readonly<Record<string, unknown>>): Desk {
  const desk = new Desk({ referencePrice: 1_000, ...definition })
  for (const price of [1_000, 1_050, 1_051, 1_200]) desk.open(2, `sell 5 @ ${price}`)
  for (const price of [950, 949]) desk.open(2, `buy 5 @ ${price}`)
  return desk
}

/** What an order of account 1 trades, `quantity@price`, and the phase it leaves. */
function traded(desk: Desk, text: string): string {
  const events = desk.apply(order(1, `v${desk.shard.engine.nextCommand}`, text))
  const trades = events.filter((event) => event.type === 'trade').map((one) => `${one['quantity']}@${one['price']}`)
  return [...trades, ...phases(events)].join(' ')
}

function phases(events: readonly Event[]): string[] {
  const names = Object.entries(Phase)
  return events
    .filter((event) => event.type === 'phase')
    .map((event) => names.find(([, value]) => value === event['phase'])?.[0] ?? '')
}

describe('the dynamic band: 5 % of the last price before the order', () => {
  test.each([
    ['buy 5 @ 1000', '5@1000'],
    ['buy 10 @ 1050', '5@1000 5@1050'],
    ['buy 10 @ 2000', '5@1000 5@1050'],
    ['buy 11 @ 1050', '5@1000 5@1050'],
    ['buy 11 @ 1051', '5@1000 5@1050 volatility_auction'],
    ['buy 11 market', '5@1000 5@1050 volatility_auction'],
    ['buy 11 @ 1051 ioc', '5@1000 5@1050 volatility_auction'],
    ['sell 5 @ 950', '5@950'],
    ['sell 6 @ 949', '5@950 volatility_auction'],
    ['sell 6 market', '5@950 volatility_auction'],
    // All or nothing: there is not enough within the band, so nothing trades and nothing stops.
    ['buy 11 @ 1051 fok', ''],
    ['buy 11 fok market', ''],
    ['buy 11 min 11 @ 1051', ''],
  ])('%s → %s', (text, expected) => {
    expect(traded(book({ dynamicBand_ppm: 50_000 }), text)).toBe(expected)
  })

  test('is around the last trade: step by step the price may go far', () => {
    const desk = book({ dynamicBand_ppm: 50_000 })
    expect(traded(desk, 'buy 6 @ 1050')).toBe('5@1000 1@1050')
    expect(traded(desk, 'buy 9 @ 1051')).toBe('4@1050 5@1051')
    expect(traded(desk, 'buy 1 @ 1200')).toBe('volatility_auction')
  })

  test('a triggered order is stopped like any other', () => {
    const desk = book({ dynamicBand_ppm: 50_000 })
    desk.mark(1_000)
    const events = [
      ...desk.apply(order(1, 's', 'buy 20 stop trigger 1050')),
      ...desk.apply(order(3, 't', 'buy 5 @ 1050')),
      ...desk.apply(order(3, 'u', 'buy 1 @ 1050')),
    ]
    expect(phases(events)).toEqual(['volatility_auction'])
    expect(desk.openOrders(1)).toBe(0)
  })
})

describe('the static band: 10 % of the last auction’s price, before one of the reference price', () => {
  test.each([
    ['buy 20 @ 1100', '5@1000 5@1050 5@1051'],
    ['buy 20 @ 1200', '5@1000 5@1050 5@1051 volatility_auction'],
  ])('%s → %s', (text, expected) => {
    expect(traded(book({ staticBand_ppm: 100_000 }), text)).toBe(expected)
  })

  test('moves with the next auction, not with trades', () => {
    const desk = book({ staticBand_ppm: 100_000 })
    expect(traded(desk, 'buy 16 @ 1200')).toBe('5@1000 5@1050 5@1051 volatility_auction')
    expect(phases(desk.phase(Phase.continuous))).toEqual(['continuous'])
    expect(desk.shard.engine.book(1 as never, 1).lastPrice).toBe(1_200)
    desk.open(2, 'sell 1 @ 1320')
    expect(traded(desk, 'buy 5 @ 1320')).toBe('4@1200 1@1320')
    desk.open(2, 'sell 1 @ 1321')
    expect(traded(desk, 'buy 1 @ 1321')).toBe('volatility_auction')
  })
})

test('the narrower band decides', () => {
  const bands = { staticBand_ppm: 20_000, dynamicBand_ppm: 50_000 }
  expect(traded(book(bands), 'buy 10 @ 1050')).toBe('5@1000 volatility_auction')
})

describe('the auction', () => {
  const AUCTION_US = LIMITS.volatility_auction_us

  function interrupted(): Desk {
    const desk = book({ dynamicBand_ppm: 50_000 })
    desk.open(1, 'buy 12 @ 1051')
    return desk
  }

  test('takes what is left of the order, gathers limit orders, and refuses those that want to trade now', () => {
    const desk = interrupted()
    expect(desk.openOrders(1)).toBe(1)
    expect(desk.send(3, 'sell 1 @ 1040')).toBe('accepted')
    expect(desk.send(3, 'sell 1 market')).toBe(`ORDER_TYPE_NOT_SUPPORTED ${OrderType.limit} ${OrderType.market}`)
    expect(desk.send(3, 'sell 1 @ 1040 ioc')).toBe(`TIME_IN_FORCE_NOT_SUPPORTED ${TimeInForce.gtc} ${TimeInForce.ioc}`)
    expect(desk.shard.engine.book(1 as never, 1).phase).toBe(Phase.volatility_auction)
  })

  test('ends by itself after its time, with the first batch then, and trades what has gathered', () => {
    const desk = interrupted()
    const began = desk.shard.timestamp
    expect(desk.shard.engine.nextTimer()).toBe(began + AUCTION_US)
    desk.shard.timestamp = began + AUCTION_US - 2
    expect(phases(desk.apply(command('mass_cancel', { account: 4, instrument: 0, side: null })))).toEqual([])
    const events = desk.apply(command('mass_cancel', { account: 4, instrument: 0, side: null }))
    expect(phases(events)).toEqual(['continuous'])
    expect(events.find((event) => event.type === 'trade')).toMatchObject({ command: -1, price: 1_051, quantity: 2 })
    expect(desk.shard.engine.nextTimer()).toBe(0)
    expect(traded(desk, 'buy 1 @ 1051')).toBe('1@1051')
  })

  test('survives a snapshot, and a replay comes to the same state', () => {
    const desk = interrupted()
    desk.restore()
    desk.wait(AUCTION_US)
    expect(phases(desk.shard.apply())).toEqual(['continuous'])
    expect(hex(desk.shard.replayed().stateHash())).toBe(hex(desk.shard.engine.stateHash()))
  })

  test('an operator may end it sooner, or halt the instrument; then its time is no longer kept', () => {
    for (const phase of [Phase.continuous, Phase.halted, Phase.closed]) {
      const desk = interrupted()
      desk.phase(phase)
      expect(desk.shard.engine.nextTimer()).toBe(0)
      desk.wait(AUCTION_US)
      expect(phases(desk.shard.apply())).toEqual([])
    }
  })

  test('an operator’s auction ends by itself as well', () => {
    const desk = book({})
    desk.phase(Phase.volatility_auction)
    desk.wait(AUCTION_US)
    expect(phases(desk.shard.apply())).toEqual(['continuous'])
  })

  test('auctions of several instruments end in the order they began', () => {
    const desk = interrupted()
    desk.apply(instrument({ instrument: 2, base: ETH }))
    desk.phase(Phase.volatility_auction, 2)
    const first = desk.shard.engine.nextTimer()
    desk.shard.timestamp = first - 1
    desk.shard.apply()
    expect(desk.shard.engine.book(1 as never, 1).phase).toBe(Phase.continuous)
    expect(desk.shard.engine.book(2 as never, 1).phase).toBe(Phase.volatility_auction)
    expect(desk.shard.engine.nextTimer()).toBeGreaterThan(first)
  })

  test('what expires before the auction ends takes no part in it', () => {
    const desk = book({ dynamicBand_ppm: 50_000 })
    const until = desk.shard.timestamp + AUCTION_US - 1_000
    desk.open(1, `buy 12 @ 1051 until ${until}`)
    desk.wait(2 * AUCTION_US)
    const events = desk.shard.apply()
    expect(events.filter((event) => event.type === 'trade')).toEqual([])
    expect(phases(events)).toEqual(['continuous'])
  })
})

test('without bands nothing stops; bands may be set and lifted by defining the instrument again', () => {
  const desk = book({})
  expect(traded(desk, 'buy 1 @ 1200')).toBe('1@1000')
  desk.apply(instrument({ referencePrice: 1_000, dynamicBand_ppm: 10_000 }))
  expect(traded(desk, 'buy 5 @ 1200')).toBe('4@1000 volatility_auction')
})
