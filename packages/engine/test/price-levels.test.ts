// The price levels of a book where they are strained: the ends of the price range, prices far apart whose leaves clash, books that come
// and go, and the numbering of commands beginning again.

import type { Side } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { StandaloneBook } from '../src/standalone-book.ts'
import { Random } from './support/random.ts'

const PRICE_MAX = 0x7fffffff
const [BUY, SELL] = [0, 1] as Side[]

type Resting = { readonly id: number; readonly side: Side; readonly price: number; quantity: number }

/** Price-time priority, written down: the resting orders in the order in which they came. */
class PlainBook {
  readonly resting: Resting[] = []

  limit(id: number, side: Side, price: number, quantity: number): number {
    let left = quantity
    for (let maker = this.best(1 - side, side, price); maker !== undefined && left > 0; ) {
      const traded = Math.min(left, maker.quantity)
      maker.quantity -= traded
      left -= traded
      if (maker.quantity === 0) this.cancel(maker.id)
      maker = this.best(1 - side, side, price)
    }
    if (left > 0) this.resting.push({ id, side, price, quantity: left })
    return left
  }

  cancel(id: number): boolean {
    const at = this.resting.findIndex((one) => one.id === id)
    if (at !== -1) this.resting.splice(at, 1)
    return at !== -1
  }

  bestPrice(side: number): number {
    return this.best(side)?.price ?? 0
  }

  private best(side: number, taker?: Side, limit = 0): Resting | undefined {
    const there = this.resting.filter((one) => one.side === side)
    const prices = there.map((one) => one.price)
    const price = side === BUY ? Math.max(...prices) : Math.min(...prices)
    if (taker !== undefined && (taker === BUY ? price > limit : price < limit)) return undefined
    return there.find((one) => one.price === price)
  }
}

function agree(book: StandaloneBook, plain: PlainBook): void {
  for (const [side, view] of [
    [BUY, book.book.bids],
    [SELL, book.book.asks],
  ] as const) {
    view.check()
    expect(view.bestPrice).toBe(plain.bestPrice(side))
    let total = 0
    for (let level = view.bestLevel; level !== 0; level = view.levelAfter(level)) total += book.levels.quantity[level]
    const expected = plain.resting.filter((one) => one.side === side).reduce((sum, one) => sum + one.quantity, 0)
    expect(total).toBe(expected)
  }
}

test.each([
  [
    'at both ends of the price range',
    (random: Random) => (random.chance(50) ? random.between(1, 40) : PRICE_MAX - random.below(40)),
  ],
  ['512 ticks apart, so that leaves clash', (random: Random) => 1 + 512 * random.below(200) + random.below(3)],
  ['anywhere', (random: Random) => 1 + Math.floor((random.below(0x7fffffff) / 0x7fffffff) * (PRICE_MAX - 1))],
])('prices %s: best prices and levels are right after every command', (_, priceOf) => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = new Random(seed)
    const book = new StandaloneBook()
    const plain = new PlainBook()
    for (let id = 1; id <= 400; id++) {
      if (random.chance(40) && plain.resting.length > 0) {
        const { id: gone } = random.pick(plain.resting)
        expect(book.cancel(gone), `seed ${seed}`).toBe(plain.cancel(gone))
      } else {
        const order = [id, random.pick([BUY, SELL]), priceOf(random), random.between(1, 50)] as const
        expect(book.limit(...order), `seed ${seed}`).toBe(plain.limit(...order))
      }
      agree(book, plain)
    }
  }
})

test('each level that a command touches is named once, also when the numbering of commands begins again', () => {
  const book = new StandaloneBook()
  const { levels } = book
  const touched = () => [...levels.touched.subarray(0, levels.touchedCount)].map((level) => levels.keyOf(level))
  book.limit(1, BUY, 90, 5)
  book.limit(2, BUY, 91, 5)
  expect(touched()).toEqual([91])
  const stamp = levels.stamp
  levels.stamp = 0x3fffffff
  while (levels.stamp !== stamp - 1) book.cancel(99)
  book.move(1, 91)
  expect(levels.stamp).toBe(stamp)
  expect(touched()).toEqual([90, 91])
  book.immediate(SELL, 0, 10)
  expect(touched()).toEqual([91])
})

test('levels that are left empty are used again: a book that wanders does not grow', () => {
  const book = new StandaloneBook()
  let [id, length] = [1, 0]
  for (let price = 1_000; price < 200_000; price += 7) {
    book.limit(id, BUY, price, 1)
    book.limit(id + 1, SELL, price + 50, 1)
    book.cancel(id)
    book.cancel(id + 1)
    id += 2
    if (price < 20_000) length = book.levels.level.length
  }
  expect(book.levels.level.length).toBe(length)
})

test('command numbers beyond 2^32 find their own order', () => {
  const book = new StandaloneBook()
  const numbers = [7, 2 ** 31 + 7, 2 ** 32 + 7, 2 ** 32 * 3 + 7, 2 ** 47 + 7]
  for (const [i, number] of numbers.entries()) book.limit(number, BUY, 10 + i, 1 + i)
  for (const number of numbers) expect(book.idOf(book.orders.find(number))).toBe(number)
  expect(book.cancel(2 ** 33 + 7)).toBe(false)
  expect(book.cancel(2 ** 32 + 7)).toBe(true)
  expect(book.orders.find(2 ** 32 + 7)).toBe(0)
  expect(book.orders.find(7)).not.toBe(0)
})
