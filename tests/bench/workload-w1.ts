// Workload W1: a deterministic stream of two million order commands around a wandering price, and the reference price-time matcher
// that makes it (marketable orders depend on the book). Byte-identical to the published generator: the sha256 of the stream and the
// hash of the trades say so.
//
// A record is 16 bytes, little-endian: u8 type, u8 side (0 buy), u16 0, u32 id, u32 price, u32 quantity. Types: 0 limit GTC,
// 1 cancel, 2 IOC limit, 3 market (IOC), 4 move (new price, quantity is what is left; loses priority, may cross).

export const W1 = {
  commands: 2_000_000,
  seed: 20_240_601n,
  sha256: '0a925a19f3cb42e797c14b2104eadf5f79026e91e4bea6b6b691c63f50be0611',
  trades: 481_315,
  volume: 14_642_033,
  notional: 292_847_099_897,
  tradeHash: 0xf6d587d2,
  restingOrders: 1_593,
  restingQuantity: 80_687,
  recordBytes: 16,
} as const

export const W1Type = { limit: 0, cancel: 1, ioc: 2, market: 3, move: 4 } as const

export type W1Result = { readonly bytes: Uint8Array; readonly trades: number; readonly tradeHash: number }

const HASH_START = 0x811c9dc5
const HASH_PRIME = 0x01000193

/** One step of the hash over (maker id, taker id, price, quantity) of each trade. */
export function mixTrade(hash: number, maker: number, taker: number, price: number, quantity: number): number {
  let h = Math.imul(hash ^ maker, HASH_PRIME)
  h = Math.imul(h ^ taker, HASH_PRIME)
  h = Math.imul(h ^ price, HASH_PRIME)
  return Math.imul(h ^ quantity, HASH_PRIME)
}

export const TRADE_HASH_START = HASH_START

/** Writes the first `count` commands of the workload. */
export function generateW1(count: number = W1.commands, seed: bigint = W1.seed, restingTarget = 4_000): W1Result {
  const random = new Xoshiro(seed)
  const book = new ReferenceBook()
  const bytes = new Uint8Array(count * W1.recordBytes)
  const view = new DataView(bytes.buffer)
  let mid = 20_000
  let nextId = 1
  const geometric = () => {
    let k = 0
    while (k < 4_000 && random.unit() >= 0.05) k++
    return k
  }
  for (let i = 0; i < count; i++) {
    if (random.below(100) < 10) {
      mid += random.below(2) === 1 ? 1 : -1
      if (mid < 5_000) mid = 5_001
      if (mid > 60_000) mid = 59_999
    }
    let kind = random.below(100)
    const live = book.live.length
    if (kind >= 55 && live < 50) kind = 0
    let type = 0
    let side = 0
    let id = 0
    let price = 0
    let quantity = 0
    if (kind < 55) {
      type = W1Type.limit
      side = random.below(2)
      id = nextId++
      quantity = 1 + random.below(100)
      const share = Math.trunc(((live - restingTarget) * 10_000) / 20_000)
      const aggressive = random.below(10_000) < Math.min(6_000, Math.max(100, 800 + share))
      if (aggressive) {
        const d = random.below(4)
        const best = book.best(1 - side)
        if (best === 0) price = side === 0 ? mid - 1 : mid + 1
        else price = side === 0 ? best + d : best - d
      } else {
        const d = 1 + (random.below(100) < 90 ? geometric() : 20 + random.below(480))
        price = side === 0 ? mid - d : mid + d
      }
      const left = book.match(id, side, price, quantity)
      if (left > 0) book.rest(id, side, price, left)
    } else if (kind < 90) {
      type = W1Type.cancel
      id = book.live[random.below(live)] as number
      ;({ side, price, quantity } = book.cancel(id))
    } else if (kind < 95) {
      side = random.below(2)
      id = nextId++
      quantity = 1 + random.below(200)
      if (random.below(2) === 1) {
        type = W1Type.market
        book.match(id, side, 0, quantity)
      } else {
        type = W1Type.ioc
        const best = book.best(1 - side) || mid
        price = side === 0 ? best + random.below(3) : best - random.below(3)
        book.match(id, side, price, quantity)
      }
    } else {
      type = W1Type.move
      id = book.live[random.below(live)] as number
      const order = book.order(id)
      side = order.side
      quantity = order.quantity
      do {
        const d = 1 + geometric()
        price = side === 0 ? mid - d : mid + d
      } while (price === order.price)
      book.cancel(id)
      const left = book.match(id, side, price, quantity)
      if (left > 0) book.rest(id, side, price, left)
    }
    const at = i * W1.recordBytes
    view.setUint8(at, type)
    view.setUint8(at + 1, side)
    view.setUint32(at + 4, id, true)
    view.setUint32(at + 8, price, true)
    view.setUint32(at + 12, quantity, true)
  }
  return { bytes, trades: book.trades, tradeHash: book.tradeHash >>> 0 }
}

/** xoshiro256** in halves of 32 bits, seeded by splitmix64. */
class Xoshiro {
  private readonly s = new Uint32Array(8)
  private high = 0
  private low = 0

  constructor(seed: bigint) {
    const mask = (1n << 64n) - 1n
    let state = seed
    for (let i = 0; i < 4; i++) {
      state = (state + 0x9e3779b97f4a7c15n) & mask
      let z = state
      z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask
      z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask
      z ^= z >> 31n
      this.s[2 * i] = Number(z & 0xffffffffn)
      this.s[2 * i + 1] = Number(z >> 32n)
    }
  }

  /** A number below n (n < 2^32): the high half of the next value, scaled. */
  below(n: number): number {
    this.next()
    // high × n / 2^32, exact: n is small.
    return Math.floor((this.high * n) / 4_294_967_296)
  }

  /** 53 bits in [0, 1). */
  unit(): number {
    this.next()
    return (this.high * 2_097_152 + (this.low >>> 11)) / 9_007_199_254_740_992
  }

  private next(): void {
    const s = this.s
    const s1l = s[2] as number
    const s1h = s[3] as number
    // rotl(s1 × 5, 7) × 9
    let l = s1l * 5
    let h = (s1h * 5 + Math.floor(l / 4_294_967_296)) >>> 0
    l = l >>> 0
    const rl = ((l << 7) | (h >>> 25)) >>> 0
    const rh = ((h << 7) | (l >>> 25)) >>> 0
    l = rl * 9
    h = (rh * 9 + Math.floor(l / 4_294_967_296)) >>> 0
    this.low = l >>> 0
    this.high = h
    const tl = s1l << 17
    const th = (s1h << 17) | (s1l >>> 15)
    s[4] = (s[4] as number) ^ (s[0] as number)
    s[5] = (s[5] as number) ^ (s[1] as number)
    s[6] = (s[6] as number) ^ s1l
    s[7] = (s[7] as number) ^ s1h
    s[2] = s1l ^ (s[4] as number)
    s[3] = s1h ^ (s[5] as number)
    s[0] = (s[0] as number) ^ (s[6] as number)
    s[1] = (s[1] as number) ^ (s[7] as number)
    s[4] = (s[4] as number) ^ tl
    s[5] = (s[5] as number) ^ th
    // rotl(s3, 45): 32 swaps the halves, 13 more.
    const l3 = s[6] as number
    const h3 = s[7] as number
    s[6] = (h3 << 13) | (l3 >>> 19)
    s[7] = (l3 << 13) | (h3 >>> 19)
  }
}

type ReferenceOrder = { readonly id: number; readonly side: number; price: number; quantity: number; place: number }

/** Price-time matching with plain objects: queues per price on a ladder, the best price found by walking it. */
class ReferenceBook {
  readonly live: number[] = []
  trades = 0
  tradeHash = HASH_START
  private readonly orders: (ReferenceOrder | undefined)[] = []
  private readonly levels: (ReferenceOrder[] | undefined)[][] = [[], []]
  private readonly bests = [0, 0]

  /** Best price of a side; 0: it is empty. */
  best(side: number): number {
    return this.bests[side] as number
  }

  order(id: number): ReferenceOrder {
    return this.orders[id] as ReferenceOrder
  }

  match(id: number, side: number, price: number, quantity: number): number {
    const other = 1 - side
    let left = quantity
    while (left > 0) {
      const best = this.bests[other] as number
      if (best === 0 || (price !== 0 && (side === 0 ? best > price : best < price))) break
      const queue = this.levels[other]?.[best] as ReferenceOrder[]
      const maker = queue[0] as ReferenceOrder
      const traded = Math.min(maker.quantity, left)
      this.trades++
      this.tradeHash = mixTrade(this.tradeHash, maker.id, id, best, traded)
      maker.quantity -= traded
      left -= traded
      if (maker.quantity === 0) {
        queue.shift()
        this.drop(maker)
        if (queue.length === 0) this.findBest(other)
      }
    }
    return left
  }

  rest(id: number, side: number, price: number, quantity: number): void {
    const order = { id, side, price, quantity, place: this.live.length }
    const levels = this.levels[side] as (ReferenceOrder[] | undefined)[]
    const queue = levels[price]
    if (queue === undefined) levels[price] = [order]
    else queue.push(order)
    this.orders[id] = order
    this.live.push(id)
    const best = this.bests[side] as number
    if (best === 0 || (side === 0 ? price > best : price < best)) this.bests[side] = price
  }

  cancel(id: number): ReferenceOrder {
    const order = this.order(id)
    const queue = this.levels[order.side]?.[order.price] as ReferenceOrder[]
    queue.splice(queue.indexOf(order), 1)
    this.drop(order)
    if (queue.length === 0 && this.bests[order.side] === order.price) this.findBest(order.side)
    return order
  }

  private findBest(side: number): void {
    const levels = this.levels[side] as (ReferenceOrder[] | undefined)[]
    const step = side === 0 ? -1 : 1
    let price = this.bests[side] as number
    while (price > 0 && price < levels.length && (levels[price]?.length ?? 0) === 0) price += step
    this.bests[side] = price > 0 && price < levels.length ? price : 0
  }

  private drop(order: ReferenceOrder): void {
    const last = this.live.pop() as number
    if (last !== order.id) {
      this.live[order.place] = last
      this.order(last).place = order.place
    }
    this.orders[order.id] = undefined
  }
}
