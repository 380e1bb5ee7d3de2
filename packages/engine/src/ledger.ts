// The shard's money: one balance per account and asset (available, held), and per asset what came in and what went out.
// Promises: Σ available + Σ held = what came in − what went out, for each asset, after each command; no balance is ever
// negative or above 2^53 / 16. Who may move what is decided elsewhere (`risk.ts`, `settlement.ts`).

import { assert, LIMITS } from '@wintrades/domain'
import type { EventWriter } from './event-writer.ts'
import { grownFloats, grownInts } from './order-store.ts'

/** Most of one asset that a shard may hold: sums of balances, holds and fees stay far below 2^53. */
export const SUPPLY_MAX = 2 ** 49

/** A balance: 2^2 floats, of which the last two are four integers; so what one command needs of it lies together. */
const SHIFT = 2
const AVAILABLE = 0
const HELD = 1
/** The same in integers: 2^3. */
const INTEGERS_SHIFT = 3
const ACCOUNT = 4
const ASSET = 5
const CHAIN = 6
const MARK = 7

export class Ledger {
  private money: Float64Array
  /** Per asset: decimal places, −1 if not defined. */
  readonly scales = new Int8Array(LIMITS.assets_max + 1).fill(-1)
  readonly supply = new Float64Array(LIMITS.assets_max + 1)
  readonly deposited = new Float64Array(LIMITS.assets_max + 1)
  readonly withdrawn = new Float64Array(LIMITS.assets_max + 1)
  readonly transferredIn = new Float64Array(LIMITS.assets_max + 1)
  readonly transferredOut = new Float64Array(LIMITS.assets_max + 1)
  /** Balances, slot 0 not counted. */
  count = 0
  /** The same memory. */
  private data: Int32Array
  /** The balances of an account: its first, by account, and the one after each. */
  private firsts = new Int32Array(256)
  private nexts: Int32Array
  private heads: Int32Array
  private mask: number
  private touched = new Int32Array(64)
  private touchedCount = 0

  constructor(capacity = 256) {
    this.money = new Float64Array(capacity << SHIFT)
    this.data = new Int32Array(this.money.buffer)
    this.nexts = new Int32Array(capacity)
    this.heads = new Int32Array(capacity)
    this.mask = capacity - 1
  }

  isDefined(asset: number): boolean {
    return asset >= 1 && asset <= LIMITS.assets_max && this.scales[asset] >= 0
  }

  /** The balance of an account in an asset; 0: it never had one. */
  find(account: number, asset: number): number {
    const data = this.data
    let slot = this.heads[bucketOf(account, asset) & this.mask]
    while (slot !== 0) {
      const at = slot << INTEGERS_SHIFT
      if (data[at | ACCOUNT] === account && data[at | ASSET] === asset) return slot
      slot = data[at | CHAIN]
    }
    return 0
  }

  /** The balance of an account in an asset, made empty if it was not there. */
  ensure(account: number, asset: number): number {
    const found = this.find(account, asset)
    if (found !== 0) return found
    if (this.count + 1 === this.money.length >> SHIFT) this.grow((this.count + 1) * 2)
    const slot = ++this.count
    const at = slot << INTEGERS_SHIFT
    const bucket = bucketOf(account, asset) & this.mask
    this.data[at | ACCOUNT] = account
    this.data[at | ASSET] = asset
    this.data[at | CHAIN] = this.heads[bucket]
    this.heads[bucket] = slot
    while (account >= this.firsts.length) this.firsts = grownInts(this.firsts, this.firsts.length * 2)
    this.nexts[slot] = this.firsts[account]
    this.firsts[account] = slot
    return slot
  }

  /** An account's youngest balance; 0: it has none. */
  firstOf(account: number): number {
    return account < this.firsts.length ? this.firsts[account] : 0
  }

  /** The balance of the same account that is older; 0: there is none. */
  nextOf(slot: number): number {
    return this.nexts[slot]
  }

  accountOf(slot: number): number {
    return this.data[(slot << INTEGERS_SHIFT) | ACCOUNT]
  }

  assetOf(slot: number): number {
    return this.data[(slot << INTEGERS_SHIFT) | ASSET]
  }

  available(slot: number): number {
    return this.money[(slot << SHIFT) | AVAILABLE]
  }

  held(slot: number): number {
    return this.money[(slot << SHIFT) | HELD]
  }

  /** Puts a balance back as a snapshot has it. */
  restore(slot: number, available: number, held: number): void {
    this.money[(slot << SHIFT) | AVAILABLE] = available
    this.money[(slot << SHIFT) | HELD] = held
  }

  /** Moves from available to held; negative: back. The caller has checked that it is there. */
  hold(slot: number, amount: number): void {
    this.touch(slot)
    this.money[(slot << SHIFT) | AVAILABLE] -= amount
    this.money[(slot << SHIFT) | HELD] += amount
  }

  /** The same, and writes the balance at once: for a command that touches no other. */
  holdAndTell(slot: number, amount: number, events: EventWriter): void {
    const available = this.money[(slot << SHIFT) | AVAILABLE] - amount
    const held = this.money[(slot << SHIFT) | HELD] + amount
    assert(available >= 0 && held >= 0, 'no balance is negative')
    this.money[(slot << SHIFT) | AVAILABLE] = available
    this.money[(slot << SHIFT) | HELD] = held
    events.balanceChanged(
      this.data[(slot << INTEGERS_SHIFT) | ACCOUNT],
      this.data[(slot << INTEGERS_SHIFT) | ASSET],
      available,
      held,
    )
  }

  /** Adds to what is available (negative: takes) and takes `released` out of what is held. */
  post(slot: number, change: number, released: number): void {
    this.touch(slot)
    this.money[(slot << SHIFT) | AVAILABLE] += change
    this.money[(slot << SHIFT) | HELD] -= released
  }

  /** Writes the balances that the command touched, as they now are. */
  writeTouched(events: EventWriter): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const slot = this.touched[i]
      const at = slot << INTEGERS_SHIFT
      this.data[at | MARK] = 0
      const available = this.money[(slot << SHIFT) | AVAILABLE]
      const held = this.money[(slot << SHIFT) | HELD]
      assert(available >= 0 && held >= 0, 'no balance is negative')
      events.balanceChanged(this.data[at | ACCOUNT], this.data[at | ASSET], available, held)
    }
    this.touchedCount = 0
  }

  reserve(count: number): void {
    let capacity = this.money.length >> SHIFT
    while (capacity <= count + 1) capacity *= 2
    if (capacity << SHIFT !== this.money.length) this.grow(capacity)
  }

  private touch(slot: number): void {
    const at = (slot << INTEGERS_SHIFT) | MARK
    if (this.data[at] !== 0) return
    this.data[at] = 1
    if (this.touchedCount === this.touched.length) this.touched = grownInts(this.touched, this.touchedCount * 2)
    this.touched[this.touchedCount++] = slot
  }

  private grow(capacity: number): void {
    this.money = grownFloats(this.money, capacity << SHIFT)
    this.data = new Int32Array(this.money.buffer)
    this.nexts = grownInts(this.nexts, capacity)
    this.heads = new Int32Array(capacity)
    this.mask = capacity - 1
    for (let slot = 1; slot <= this.count; slot++) {
      const at = slot << INTEGERS_SHIFT
      const bucket = bucketOf(this.data[at | ACCOUNT], this.data[at | ASSET]) & this.mask
      this.data[at | CHAIN] = this.heads[bucket]
      this.heads[bucket] = slot
    }
  }
}

function bucketOf(account: number, asset: number): number {
  const hash = Math.imul(account, 0x9e3779b1) + Math.imul(asset, 0x85ebca6b)
  return hash ^ (hash >>> 15)
}
