// The order book that npm offers (`nodejs-order-book`) on workload W1, through its public interface: the peer that the bare book is held
// against.

import { OrderBook, type Side } from 'nodejs-order-book'
import { W1, W1Type } from './workload-w1.ts'

const SIDES = ['buy', 'sell'] as Side[]
const IOC = 'IOC' as Parameters<OrderBook['limit']>[0]['timeInForce'] & string

/** Runs the whole workload. Throws unless what rests at the end is right. */
export function runNpmBook(commands: Int32Array): void {
  const book = new OrderBook()
  for (let at = 0; at < commands.length; at += 4) {
    const head = commands[at] as number
    const id = String(commands[at + 1])
    const side = SIDES[(head >> 8) & 0xff] as Side
    const price = commands[at + 2] as number
    const size = commands[at + 3] as number
    switch (head & 0xff) {
      case W1Type.limit:
        book.limit({ id, side, price, size })
        break
      case W1Type.cancel:
        book.cancel(id)
        break
      case W1Type.move:
        book.modify(id, { price, size })
        break
      case W1Type.ioc:
        book.limit({ id, side, price, size, timeInForce: IOC })
        break
      default:
        book.market({ side, size })
    }
  }
  const resting = book.depth().flat()
  const quantity = resting.reduce((sum, [, size]) => sum + size, 0)
  if (quantity !== W1.restingQuantity) throw new Error(`nodejs-order-book: ${quantity} rest, not ${W1.restingQuantity}`)
}
