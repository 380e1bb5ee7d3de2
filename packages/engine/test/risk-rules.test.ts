// The risk rules one by one: the limit, below it, at it and above it; what fills, cancels and replacements do to it; what passes still.
// BTC-USD in whole numbers: one lot at price p is worth p.

import { LIMITS } from '@wintrades/domain'
import { describe, expect, test } from 'vitest'
import { DAY_US, Desk, SECOND_US } from './support/desk.ts'
import { BTC, command, ETH, instrument, USD } from './support/shard.ts'

test.each([
  ['buy 1 @ 99', 'NOTIONAL_TOO_SMALL 100 99'],
  ['buy 1 @ 100', 'accepted'],
  ['buy 10 @ 100', 'accepted'],
  ['buy 10 @ 101', 'NOTIONAL_TOO_LARGE 1000 1010'],
])('an instrument takes orders worth 100 to 1000: %s → %s', (text, expected) => {
  expect(new Desk({ notionalMin: 100, notionalMax: 1_000 }).send(1, text)).toBe(expected)
})

describe('largest order', () => {
  test.each([
    ['buy 9 @ 100', 'accepted'],
    ['buy 10 @ 100', 'accepted'],
    ['buy 11 @ 100', 'ORDER_SIZE_LIMIT 1000 1100'],
    ['sell 1 @ 1001', 'ORDER_SIZE_LIMIT 1000 1001'],
    ['sell 5 @ 100 ioc', 'accepted'],
  ])('of 1000: %s → %s', (text, expected) => {
    const desk = new Desk()
    desk.limit(1, { orderNotionalMax: 1_000 })
    expect(desk.send(1, text)).toBe(expected)
  })

  test('a replacement counts what is left of the order at its new price', () => {
    const desk = new Desk()
    desk.limit(1, { orderNotionalMax: 1_000 })
    const id = desk.open(1, 'buy 10 @ 100')
    desk.open(2, 'sell 4 @ 100')
    expect(desk.replace(1, id, 0, 15)).toBe('ORDER_SIZE_LIMIT 1000 1100')
    expect(desk.replace(1, id, 0, 14)).toBe('accepted')
  })

  test('a market order counts what it would trade for', () => {
    const desk = new Desk()
    desk.open(2, 'sell 5 @ 100')
    desk.open(2, 'sell 5 @ 200')
    desk.limit(1, { orderNotionalMax: 600 })
    expect(desk.send(1, 'buy 6 market')).toBe('ORDER_SIZE_LIMIT 600 700')
    expect(desk.send(1, 'buy 5 market')).toBe('accepted')
  })

  test('the limits of a key hold for the key alone, those of the account for both', () => {
    const desk = new Desk()
    desk.limit(1, { orderNotionalMax: 1_000 })
    desk.limit(1, { apiKey: 7, orderNotionalMax: 500 })
    expect(desk.send(1, 'buy 6 @ 100 key 7')).toBe('ORDER_SIZE_LIMIT 500 600')
    expect(desk.send(1, 'buy 6 @ 100 key 8')).toBe('accepted')
    expect(desk.send(1, 'buy 6 @ 100')).toBe('accepted')
    expect(desk.send(1, 'buy 11 @ 100 key 7')).toBe('ORDER_SIZE_LIMIT 1000 1100')
  })
})

describe('open orders', () => {
  test('the limit is a count; a cancel or a fill makes room, an order that cannot rest needs none', () => {
    const desk = new Desk()
    desk.limit(1, { openOrdersMax: 2 })
    const first = desk.open(1, 'buy 1 @ 90')
    desk.open(1, 'buy 1 @ 95')
    expect(desk.send(1, 'buy 1 @ 80')).toBe('OPEN_ORDERS_LIMIT 2 3')
    expect(desk.send(1, 'buy 1 @ 80 ioc')).toBe('accepted')
    expect(desk.replace(1, first, 91, 2)).toBe('accepted')
    desk.cancel(1, first)
    expect(desk.send(1, 'buy 1 @ 80')).toBe('accepted')
    desk.open(2, 'sell 1 @ 95')
    expect(desk.send(1, 'buy 1 @ 70')).toBe('accepted')
    desk.massCancel(1)
    expect(desk.openOrders(1)).toBe(0)
    expect(desk.send(1, 'buy 1 @ 70')).toBe('accepted')
  })

  test('a key counts its own, also those from before it had a limit, and with the largest id', () => {
    const desk = new Desk()
    const key = 4_294_967_295
    const id = desk.open(1, `buy 1 @ 90 key ${key}`)
    desk.open(1, 'buy 1 @ 91')
    desk.limit(1, { apiKey: key, openOrdersMax: 1 })
    expect(desk.send(1, `buy 1 @ 80 key ${key}`)).toBe('OPEN_ORDERS_LIMIT 1 2')
    desk.restore()
    desk.cancel(1, id)
    expect(desk.send(1, `buy 1 @ 80 key ${key}`)).toBe('accepted')
  })
})

describe('position value', () => {
  test.each([
    // what is held and on order, what comes, what becomes of it
    [[], 'buy 10 @ 100', 'accepted'],
    [[], 'buy 11 @ 100', 'POSITION_LIMIT 1000 1100'],
    [[], 'sell 11 @ 100', 'POSITION_LIMIT 1000 1100'],
    [['buy 6 @ 100'], 'buy 4 @ 100', 'accepted'],
    [['buy 6 @ 100'], 'buy 5 @ 100', 'POSITION_LIMIT 1000 1100'],
    [['buy 6 @ 100'], 'sell 10 @ 101', 'accepted'],
    [['sell 6 @ 101'], 'sell 5 @ 101', 'POSITION_LIMIT 1000 1100'],
  ])('of 1000, at a reference price of 100: after %s, %s → %s', (before, text, expected) => {
    const desk = new Desk({ referencePrice: 100 })
    desk.limit(1, { positionValueMax: 1_000 })
    for (const one of before) desk.open(1, one)
    expect(desk.send(1, text)).toBe(expected)
  })

  test('what a fill brings counts, what is cancelled does not, and what reduces passes though the value has grown', () => {
    const desk = new Desk({ referencePrice: 100 })
    desk.limit(1, { positionValueMax: 1_000 })
    const id = desk.open(1, 'buy 8 @ 100')
    desk.open(2, 'sell 5 @ 100')
    expect(desk.send(1, 'buy 3 @ 100')).toBe('POSITION_LIMIT 1000 1100')
    desk.cancel(1, id)
    expect(desk.send(1, 'buy 5 @ 99')).toBe('accepted')
    desk.massCancel(1)
    desk.mark(300)
    expect(desk.send(1, 'buy 1 @ 300')).toBe('POSITION_LIMIT 1000 1800')
    expect(desk.send(1, 'sell 5 @ 300')).toBe('accepted')
  })
})

describe('order rate', () => {
  test('counts orders and replacements of one second of batch time; the next second begins anew; cancels never count', () => {
    const desk = new Desk()
    desk.wait(SECOND_US - (desk.shard.timestamp % SECOND_US))
    desk.limit(1, { ordersPerSecondMax: 3 })
    const id = desk.open(1, 'buy 1 @ 90')
    expect(desk.send(1, 'buy 1 @ 91')).toBe('accepted')
    expect(desk.replace(1, id, 89, 0)).toBe('accepted')
    expect(desk.send(1, 'buy 1 @ 92')).toBe('ORDER_RATE_LIMIT 3 4')
    expect(desk.replace(1, id, 88, 0)).toBe('ORDER_RATE_LIMIT 3 4')
    expect(desk.cancel(1, id)).toBe('accepted')
    expect(desk.send(2, 'buy 1 @ 92')).toBe('accepted')
    desk.restore()
    expect(desk.send(1, 'buy 1 @ 92')).toBe('ORDER_RATE_LIMIT 3 4')
    desk.wait(SECOND_US)
    expect(desk.send(1, 'buy 1 @ 92')).toBe('accepted')
  })

  test('what a later rule refuses has been counted; what keeps its price and loses quantity always passes', () => {
    const desk = new Desk()
    desk.limit(1, { ordersPerSecondMax: 2, orderNotionalMax: 1_000 })
    const id = desk.open(1, 'buy 5 @ 90')
    expect(desk.send(1, 'buy 50 @ 90')).toBe('ORDER_SIZE_LIMIT 1000 4500')
    expect(desk.send(1, 'buy 1 @ 90')).toBe('ORDER_RATE_LIMIT 2 3')
    expect(desk.replace(1, id, 0, 4)).toBe('accepted')
  })

  test('a key has its own count', () => {
    const desk = new Desk()
    desk.limit(1, { apiKey: 7, ordersPerSecondMax: 1 })
    expect(desk.send(1, 'buy 1 @ 90 key 7')).toBe('accepted')
    expect(desk.send(1, 'buy 1 @ 91 key 7')).toBe('ORDER_RATE_LIMIT 1 2')
    expect(desk.send(1, 'buy 1 @ 91 key 8')).toBe('accepted')
    expect(desk.send(1, 'buy 1 @ 91')).toBe('accepted')
  })
})

describe('duplicate orders', () => {
  test('the same again within the window is refused, with the age of the first; at the window’s end it passes', () => {
    const desk = new Desk()
    desk.limit(1, { duplicateWindow_ms: 500 })
    desk.open(1, 'buy 5 @ 100')
    desk.wait(200_000 - 1)
    expect(desk.send(1, 'buy 5 @ 100')).toBe('DUPLICATE_ORDER_GUARD 500 200')
    desk.restore()
    desk.wait(300_000 - 2)
    expect(desk.send(1, 'buy 5 @ 100')).toBe('DUPLICATE_ORDER_GUARD 500 499')
    expect(desk.send(1, 'buy 5 @ 100')).toBe('accepted')
    expect(desk.send(1, 'buy 5 @ 100')).toBe('DUPLICATE_ORDER_GUARD 500 0')
  })

  test.each(['buy 4 @ 100', 'buy 5 @ 101', 'sell 5 @ 101', 'buy 5 @ 100 instrument 2', 'buy 5 @ 100 trigger 101'])(
    'another order is not the same: %s',
    (text) => {
      const desk = new Desk()
      desk.apply(instrument({ instrument: 2, base: ETH }))
      desk.limit(1, { duplicateWindow_ms: 500 })
      desk.open(1, 'buy 5 @ 100')
      expect(desk.send(1, text)).toBe('accepted')
    },
  )

  test('a refused order may be sent again; another account or another key may send the same', () => {
    const desk = new Desk()
    desk.limit(1, { duplicateWindow_ms: 500, orderNotionalMax: 400 })
    desk.limit(2, { apiKey: 7, duplicateWindow_ms: 500 })
    expect(desk.send(1, 'buy 5 @ 100')).toBe('ORDER_SIZE_LIMIT 400 500')
    desk.limit(1, { duplicateWindow_ms: 500 })
    expect(desk.send(1, 'buy 5 @ 100')).toBe('accepted')
    expect(desk.send(2, 'buy 5 @ 100 key 7')).toBe('accepted')
    expect(desk.send(2, 'buy 5 @ 100 key 8')).toBe('accepted')
    expect(desk.send(2, 'buy 5 @ 100')).toBe('accepted')
    expect(desk.send(2, 'buy 5 @ 100 key 7')).toMatch(/^DUPLICATE_ORDER_GUARD/)
  })

  test('orders by quote amount are the same by their amount, trailing stops by their distance', () => {
    const desk = new Desk()
    desk.open(2, 'sell 100 @ 100')
    desk.mark(100)
    desk.limit(1, { duplicateWindow_ms: 500 })
    expect(desk.send(1, 'buy quote 1000 market')).toBe('accepted')
    expect(desk.send(1, 'buy quote 900 market')).toBe('accepted')
    expect(desk.send(1, 'buy quote 1000 market')).toMatch(/^DUPLICATE_ORDER_GUARD/)
    expect(desk.send(1, 'sell 1 trail 5')).toBe('accepted')
    expect(desk.send(1, 'sell 1 trail 6')).toBe('accepted')
    expect(desk.send(1, 'sell 1 trail 5')).toMatch(/^DUPLICATE_ORDER_GUARD/)
  })

  test('the window is bounded', () => {
    const tooLong = LIMITS.duplicate_window_ms_max + 1
    const desk = new Desk()
    expect(desk.limit(1, { duplicateWindow_ms: tooLong })).toBe(
      `AMOUNT_OUT_OF_RANGE ${LIMITS.duplicate_window_ms_max} ${tooLong}`,
    )
    expect(desk.limit(1, { duplicateWindow_ms: tooLong - 1 })).toBe('accepted')
  })
})

describe('price band', () => {
  test.each([
    ['buy 1 @ 1100', 'accepted'],
    ['buy 1 @ 1101', 'PRICE_BAND 1100 1101'],
    ['sell 1 @ 900', 'accepted'],
    ['sell 1 @ 899', 'PRICE_BAND 900 899'],
    ['buy 1 @ 899', 'PRICE_BAND 900 899'],
    ['sell 1 @ 1101', 'PRICE_BAND 1100 1101'],
    // An order that waits: around its stop price, where it will enter the market.
    ['buy 1 @ 1300 trigger 1200', 'accepted'],
    ['buy 1 @ 1321 trigger 1200', 'PRICE_BAND 1320 1321'],
  ])('of a tenth around 1000: %s → %s', (text, expected) => {
    const byInstrument = new Desk({ referencePrice: 1_000, priceBand_ppm: 100_000 })
    expect(byInstrument.send(1, text)).toBe(expected)
    const byAccount = new Desk({ referencePrice: 1_000 })
    byAccount.limit(1, { priceBand_ppm: 100_000 })
    expect(byAccount.send(1, text)).toBe(expected)
    const byKey = new Desk({ referencePrice: 1_000 })
    byKey.limit(1, { apiKey: 9, priceBand_ppm: 100_000 })
    expect(byKey.send(1, `${text} key 9`)).toBe(expected)
    expect(byKey.send(1, text)).toBe('accepted')
  })

  test('the reference is the last trade; without any price there is no band; a replacement is checked, market orders are not', () => {
    const desk = new Desk({ priceBand_ppm: 100_000 })
    expect(desk.send(1, 'buy 1 @ 5')).toBe('accepted')
    desk.mark(1_000)
    expect(desk.send(1, 'buy 1 @ 5')).toBe('PRICE_BAND 900 5')
    const id = desk.open(1, 'buy 2 @ 900')
    expect(desk.replace(1, id, 899, 0)).toBe('PRICE_BAND 900 899')
    expect(desk.replace(1, id, 0, 1)).toBe('accepted')
    expect(desk.send(1, 'sell 1 market')).toBe('accepted')
  })
})

describe('daily loss', () => {
  /** Account 1 is long 10 at 100. */
  function long(limits: Readonly<Record<string, unknown>>): Desk {
    const desk = new Desk()
    desk.open(2, 'sell 10 @ 100')
    desk.open(1, 'buy 10 @ 100')
    desk.limit(1, limits)
    return desk
  }

  test.each([
    [96, 'accepted'],
    [95, 'DAILY_LOSS_LIMIT 50 50'],
    [94, 'DAILY_LOSS_LIMIT 50 60'],
    [120, 'accepted'],
  ])('of 50, ten lots bought at 100: at a last price of %i a purchase is %s', (price, expected) => {
    const desk = long({ dailyLossMax: 50 })
    desk.mark(price)
    expect(desk.send(1, 'buy 1 @ 90')).toBe(expected)
  })

  test('once it is reached, orders pass that reduce, and no others', () => {
    const desk = long({ dailyLossMax: 50 })
    const resting = desk.open(1, 'buy 5 @ 80')
    desk.mark(90)
    expect(desk.send(1, 'sell 11 @ 91')).toBe('DAILY_LOSS_LIMIT 50 100')
    expect(desk.send(1, 'sell 6 @ 91')).toBe('accepted')
    // Five would turn the position with the six on order.
    expect(desk.send(1, 'sell 5 @ 91')).toBe('DAILY_LOSS_LIMIT 50 100')
    desk.open(2, 'buy 4 @ 90')
    expect(desk.send(1, 'sell 4 market')).toBe('accepted')
    expect(desk.replace(1, resting, 81, 0)).toBe('DAILY_LOSS_LIMIT 50 100')
    expect(desk.replace(1, resting, 0, 4)).toBe('accepted')
    expect(desk.cancel(1, resting)).toBe('accepted')
  })

  test('losses made good, a new day, or a higher limit let orders pass again', () => {
    const desk = long({ dailyLossMax: 50 })
    desk.mark(95)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('DAILY_LOSS_LIMIT 50 50')
    desk.mark(96)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
    desk.mark(90)
    expect(desk.send(1, 'buy 1 @ 89')).toBe('DAILY_LOSS_LIMIT 50 100')
    desk.limit(1, { dailyLossMax: 101 })
    expect(desk.send(1, 'buy 1 @ 89')).toBe('accepted')
    desk.limit(1, { dailyLossMax: 50 })
    desk.wait(DAY_US)
    expect(desk.send(1, 'buy 1 @ 88')).toBe('accepted')
  })

  test('the day begins at the last price of the day before, whenever the account first trades', () => {
    const desk = long({ dailyLossMax: 50 })
    desk.mark(110)
    desk.wait(DAY_US)
    desk.mark(106)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
    desk.massCancel(1)
    // Trading does not forget it: ten lots have lost four each, and the two sold now as much.
    desk.open(2, 'buy 2 @ 106')
    desk.open(1, 'sell 2 @ 106')
    desk.restore()
    desk.mark(105)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
    desk.mark(104)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('DAILY_LOSS_LIMIT 50 56')
  })

  test('fees are losses', () => {
    const desk = new Desk({ takerFee_ppm: 10_000 })
    desk.limit(1, { dailyLossMax: 50 })
    desk.open(2, 'sell 100 @ 100')
    desk.open(1, 'buy 49 @ 100')
    expect(desk.send(1, 'buy 1 @ 100')).toBe('accepted')
    expect(desk.send(1, 'buy 1 @ 100')).toBe('DAILY_LOSS_LIMIT 50 50')
  })

  test('a short position loses when the price rises; what one instrument wins makes good what another loses', () => {
    const desk = new Desk()
    desk.apply(instrument({ instrument: 2, base: ETH }))
    for (const account of [1, 2, 3, 4]) desk.shard.deposit(account, ETH, 1_000)
    desk.limit(1, { dailyLossMax: 50 })
    desk.open(2, 'buy 10 @ 100')
    desk.open(1, 'sell 10 @ 100')
    desk.open(2, 'sell 10 @ 100 instrument 2')
    desk.open(1, 'buy 10 @ 100 instrument 2')
    desk.mark(106)
    expect(desk.send(1, 'sell 1 @ 120')).toBe('DAILY_LOSS_LIMIT 50 60')
    desk.mark(102, 2)
    expect(desk.send(1, 'sell 1 @ 120')).toBe('accepted')
  })
})

describe('drawdown', () => {
  test('falls from the highest result since the limit was set; the next day does not forget it, a new limit does', () => {
    const desk = new Desk()
    desk.open(2, 'sell 10 @ 100')
    desk.open(1, 'buy 10 @ 100')
    desk.mark(120)
    desk.limit(1, { drawdownMax: 100 })
    desk.mark(130)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
    desk.massCancel(1)
    desk.mark(121)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
    desk.massCancel(1)
    desk.restore()
    desk.mark(120)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('DRAWDOWN_LIMIT 100 100')
    expect(desk.send(1, 'sell 10 @ 125')).toBe('accepted')
    desk.wait(DAY_US)
    desk.mark(119)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('DRAWDOWN_LIMIT 100 110')
    desk.limit(1, { drawdownMax: 100 })
    expect(desk.send(1, 'buy 1 @ 90')).toBe('DRAWDOWN_LIMIT 100 110')
    desk.limit(1, { drawdownMax: 90 })
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
  })

  test('the highest result is looked at after each fill of the account, as taker and as maker', () => {
    const desk = new Desk()
    desk.limit(1, { drawdownMax: 100 })
    desk.open(1, 'buy 10 @ 100')
    desk.open(2, 'sell 10 @ 100')
    desk.open(1, 'sell 5 @ 120')
    desk.open(2, 'buy 5 @ 120')
    // The highest was 200: five lots sold for 20 more each, and five held that were worth as much.
    desk.mark(101)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('accepted')
    desk.massCancel(1)
    desk.mark(100)
    expect(desk.send(1, 'buy 1 @ 90')).toBe('DRAWDOWN_LIMIT 100 100')
  })
})

describe('RISK_LIMIT', () => {
  /** Account 9 has `usd` and nothing else; the stress move of BTC is a fifth of its price, and a tenth of the equity may be at risk. */
  function desk(usd: number): Desk {
    const made = new Desk({ referencePrice: 100, stressMove_ppm: 200_000 })
    made.shard.deposit(9, USD, usd)
    made.limit(9, { riskLimit_ppm: 100_000 })
    return made
  }

  test.each([
    [10_000, 'buy 49 @ 100', 'accepted'],
    [10_000, 'buy 50 @ 100', 'accepted'],
    [10_000, 'buy 51 @ 100', 'RISK_LIMIT 1000 1020'],
    [9_999, 'buy 50 @ 100', 'RISK_LIMIT 999 1000'],
    [10_000, 'buy 51 @ 100 ioc', 'RISK_LIMIT 1000 1020'],
  ])('with %i USD: %s → %s', (usd, text, expected) => {
    expect(desk(usd).send(9, text)).toBe(expected)
  })

  test('positions and open orders count together, the larger side of them; what adds no exposure passes', () => {
    const made = desk(10_000)
    made.open(9, 'buy 40 @ 100')
    made.open(2, 'sell 30 @ 100')
    const resting = made.open(9, 'buy 10 @ 99')
    expect(made.send(9, 'buy 1 @ 99')).toBe('RISK_LIMIT 1000 1020')
    expect(made.send(9, 'sell 30 @ 101')).toBe('accepted')
    made.cancel(9, resting)
    expect(made.send(9, 'buy 10 @ 99')).toBe('accepted')
    // The price has fallen: equity and exposure with it. What reduces passes although the limit is exceeded.
    made.massCancel(9)
    made.mark(1)
    made.mark(400)
    expect(made.send(9, 'buy 1 @ 99')).toBe('RISK_LIMIT 1900 2480')
    expect(made.send(9, 'sell 30 @ 400')).toBe('accepted')
  })

  test('equity counts every asset that has a price in the quote asset; the stress moves of all its instruments add up', () => {
    const made = desk(10_000)
    made.apply(instrument({ instrument: 2, base: ETH, referencePrice: 10, stressMove_ppm: 500_000 }))
    made.shard.deposit(9, ETH, 500)
    // 10 000 USD and 500 ETH at 10: 15 000, of which 1500 may be lost.
    made.open(9, 'buy 50 @ 100')
    expect(made.send(9, 'sell 101 @ 10 instrument 2')).toBe('RISK_LIMIT 1500 1505')
    expect(made.send(9, 'sell 100 @ 10 instrument 2')).toBe('accepted')
    expect(made.send(9, 'buy 1 @ 100')).toBe('RISK_LIMIT 1500 1520')
    made.restore()
    expect(made.send(9, 'buy 1 @ 100')).toBe('RISK_LIMIT 1500 1520')
  })

  test('what has no price in the quote asset is no equity', () => {
    const made = desk(10_000)
    made.shard.deposit(9, ETH, 1_000_000)
    expect(made.send(9, 'buy 51 @ 100')).toBe('RISK_LIMIT 1000 1020')
    made.shard.deposit(9, BTC, 1)
    expect(made.send(9, 'buy 51 @ 100')).toBe('RISK_LIMIT 1010 1020')
  })
})

describe('quote assets stand by themselves', () => {
  /** ETH-BTC beside BTC-USD: account 1 holds ten ETH bought for 100 BTC each, which are then worth 90. */
  function lost(limits: Readonly<Record<string, unknown>>): Desk {
    const desk = new Desk({ referencePrice: 1_000 })
    desk.apply(instrument({ instrument: 2, base: ETH, quote: BTC }))
    for (const account of [1, 2, 3, 4]) desk.shard.deposit(account, ETH, 1_000)
    desk.limit(1, limits)
    desk.open(2, 'sell 10 @ 100 instrument 2')
    desk.open(1, 'buy 10 @ 100 instrument 2')
    desk.mark(90, 2)
    return desk
  }

  test.each([
    [{ dailyLossMax: 50 }, 'DAILY_LOSS_LIMIT 50 100'],
    [{ drawdownMax: 50 }, 'DRAWDOWN_LIMIT 50 100'],
  ])('what is lost in one does not stop orders in another: %o', (limits, expected) => {
    const desk = lost(limits)
    expect(desk.send(1, 'buy 1 @ 1000')).toBe('accepted')
    expect(desk.send(1, 'buy 1 @ 90 instrument 2')).toBe(expected)
    desk.restore()
    expect(desk.send(1, 'buy 2 @ 999')).toBe('accepted')
    expect(desk.send(1, 'buy 2 @ 90 instrument 2')).toBe(expected)
  })

  test('neither do stress moves in one cost equity in another', () => {
    const desk = new Desk({ referencePrice: 100, stressMove_ppm: 200_000 })
    desk.apply(instrument({ instrument: 2, base: ETH, quote: BTC, referencePrice: 1, stressMove_ppm: 1_000_000 }))
    desk.shard.deposit(9, USD, 10_000)
    desk.shard.deposit(9, ETH, 90)
    desk.limit(9, { riskLimit_ppm: 100_000 })
    // 90 ETH are worth 90 BTC, and nothing in USD.
    expect(desk.send(9, 'sell 10 @ 1 instrument 2')).toBe('RISK_LIMIT 9 10')
    expect(desk.send(9, 'sell 9 @ 1 instrument 2')).toBe('accepted')
    expect(desk.send(9, 'buy 51 @ 100')).toBe('RISK_LIMIT 1000 1020')
    expect(desk.send(9, 'buy 50 @ 100')).toBe('accepted')
  })
})

test('the rules hold from engine version 2 on; before it only order size, open orders and position value are looked at', () => {
  const desk = new Desk({ priceBand_ppm: 100_000, referencePrice: 1_000 }, 1)
  desk.limit(1, { ordersPerSecondMax: 1, riskLimit_ppm: 1, orderNotionalMax: 10_000 })
  for (let i = 0; i < 3; i++) expect(desk.send(1, 'buy 1 @ 5')).toBe('accepted')
  expect(desk.send(1, 'buy 11 @ 1000')).toBe('ORDER_SIZE_LIMIT 10000 11000')
  desk.apply(command('activate_version', { version: 2 }))
  expect(desk.send(1, 'buy 1 @ 5')).toBe('PRICE_BAND 900 5')
  expect(desk.send(1, 'buy 1 @ 950')).toBe('ORDER_RATE_LIMIT 1 2')
})
