// The state hash: 16 bytes over everything that can influence what the engine does next. Each thing (a balance, an order with
// its place in its queue, …) is hashed by itself and the hashes are added up: so neither the layout of the tables nor the order
// in which things came into them matters, only what they say. It tells replicas apart that differ; it is no signature.

import { finish } from './deduplication.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, LIMIT_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { kindOf } from './order-store.ts'
import type { BookSide } from './price-levels.ts'
import { hashRisk } from './risk/risk-hash.ts'
import { waitingQueues } from './snapshot-orders.ts'
import { type ShardState, VERSION_RISK } from './state.ts'
import type { Triggers } from './triggers.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const { LIMIT_SHIFT } = LIMIT_LAYOUT
const {
  HOT_SHIFT,
  LEAVES,
  NEXT,
  OWNER,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  PRICE,
  QUANTITY,
  HIDDEN,
  DISPLAY,
  ORIGIN,
  SESSION,
  API_KEY,
  STOP_PRICE,
  TRAILING_OFFSET,
  LINK,
  ROLE: ROLE_OF,
  TRIGGER_PRICE,
  ENTRY,
  WIDE_SHIFT,
  CUM_QUOTE,
  ACCEPTED_AT,
  UPDATED_AT,
  EXPIRE_TIME,
  TEXT_WORDS,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, POSITION_QUANTITY, COST, REALISED } = POSITION_LAYOUT

const TWO_32 = 4_294_967_296

/** What an element is about: two kinds never hash alike. */
const Element = {
  // 32 and up: `risk/risk-hash.ts`.
  shard: 1,
  asset: 2,
  balance: 3,
  position: 4,
  account: 5,
  limits: 6,
  instrument: 7,
  order: 8,
  transfers: 9,
  transfer: 10,
  waiting: 11,
  trail: 12,
  releasing: 13,
}

/** Adds up the hashes of elements: four lanes of 32 bits, each with its own multipliers. */
export class Sum {
  private s0 = 0
  private s1 = 0
  private s2 = 0
  private s3 = 0
  private a = 0
  private b = 0
  private c = 0
  private d = 0

  begin(kind: number): this {
    this.a = 0x9e3779b9 ^ kind
    this.b = 0x85ebca6b + kind
    this.c = 0xc2b2ae35 ^ (kind << 8)
    this.d = 0x27d4eb2f + (kind << 8)
    return this
  }

  /** A 32-bit integer. */
  int(value: number): this {
    this.a = Math.imul(this.a ^ value, 0x9e3779b1)
    this.a ^= this.a >>> 15
    this.b = Math.imul(this.b + value, 0x85ebca77)
    this.b ^= this.b >>> 13
    this.c = Math.imul(this.c ^ value, 0xc2b2ae3d)
    this.c ^= this.c >>> 17
    this.d = Math.imul(this.d + value, 0x165667b1)
    this.d ^= this.d >>> 16
    return this
  }

  /** A safe integer of either sign. */
  wide(value: number): this {
    return this.int(value | 0).int(Math.floor(value / TWO_32))
  }

  end(): void {
    this.s0 = (this.s0 + finish(this.a + this.b)) | 0
    this.s1 = (this.s1 + finish(this.b + this.c)) | 0
    this.s2 = (this.s2 + finish(this.c + this.d)) | 0
    this.s3 = (this.s3 + finish(this.d ^ Math.imul(this.a, 0x9e3779b1))) | 0
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(16)
    const view = new DataView(bytes.buffer)
    view.setInt32(0, this.s0, true)
    view.setInt32(4, this.s1, true)
    view.setInt32(8, this.s2, true)
    view.setInt32(12, this.s3, true)
    return bytes
  }
}

export function hashState(state: ShardState): Uint8Array {
  const sum = new Sum()
  hashShard(state, sum)
  hashMoney(state, sum)
  hashAccounts(state, sum)
  for (const id of state.instrumentIds) hashInstrument(state, state.instruments[id] as Instrument, sum)
  hashReleasing(state, sum)
  hashTransfers(state, sum)
  if (state.version >= VERSION_RISK) hashRisk(state, sum)
  return sum.bytes()
}

function hashShard(state: ShardState, sum: Sum): void {
  const { deduplication } = state
  sum.begin(Element.shard).int(state.shard).wide(state.seq).wide(state.nextCommand).wide(state.timestamp)
  sum.int(state.version).int(state.blocked ? 1 : 0)
  sum.wide(deduplication.size).wide(deduplication.forgottenAt)
  for (let i = 0; i < 4; i++) sum.int(deduplication.sum[i])
  sum.end()
}

function hashMoney(state: ShardState, sum: Sum): void {
  const { ledger, positions } = state
  for (let asset = 1; asset < ledger.scales.length; asset++) {
    if (ledger.scales[asset] < 0) continue
    sum.begin(Element.asset).int(asset).int(ledger.scales[asset]).wide(ledger.supply[asset])
    sum.wide(ledger.deposited[asset]).wide(ledger.withdrawn[asset])
    sum.wide(ledger.transferredIn[asset]).wide(ledger.transferredOut[asset]).end()
  }
  for (let slot = 1; slot <= ledger.count; slot++) {
    const available = ledger.available(slot)
    const held = ledger.held(slot)
    if (available === 0 && held === 0) continue
    sum.begin(Element.balance).int(ledger.accountOf(slot)).int(ledger.assetOf(slot)).wide(available).wide(held).end()
  }
  const { data, values } = positions
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    const quantity = values[at + POSITION_QUANTITY]
    const cost = values[at + COST]
    const realised = values[at + REALISED]
    if (quantity === 0 && cost === 0 && realised === 0) continue
    sum
      .begin(Element.position)
      .int(data[at + POSITION_ACCOUNT])
      .int(data[at + POSITION_INSTRUMENT])
    sum.wide(quantity).wide(cost).wide(realised).end()
  }
}

function hashAccounts(state: ShardState, sum: Sum): void {
  const { accounts, limits } = state
  for (let i = 0; i < accounts.count; i++) {
    sum.begin(Element.account).int(accounts.ids[i]).int(accounts.flags(accounts.ids[i])).end()
  }
  for (let record = 1; record <= limits.count; record++) {
    const at = record << LIMIT_SHIFT
    sum.begin(Element.limits)
    for (let i = 0; i < 1 << LIMIT_SHIFT; i++) if (i !== 2) sum.wide(limits.data[at + i])
    sum.end()
  }
}

function hashInstrument(state: ShardState, instrument: Instrument, sum: Sum): void {
  const d = instrument.definition
  sum.begin(Element.instrument).int(instrument.id).int(d.base).int(d.quote).int(d.phase)
  sum.wide(d.baseUnitsPerLot).wide(d.quoteUnitsPerTickLot).wide(d.priceMin).wide(d.priceMax)
  sum.wide(d.quantityMin).wide(d.quantityMax).wide(d.notionalMin).wide(d.notionalMax)
  sum.int(d.makerFee_ppm).int(d.takerFee_ppm).int(d.stressMove_ppm).int(d.priceBand_ppm)
  sum.int(d.staticBand_ppm).int(d.dynamicBand_ppm).wide(d.referencePrice)
  sum
    .int(instrument.phase)
    .int(instrument.blocked ? 1 : 0)
    .int(instrument.lastPrice)
  sum.wide(instrument.tradeNumber).wide(instrument.bookVersion).end()
  hashSide(state, instrument.book.bids, sum)
  hashSide(state, instrument.book.asks, sum)
  if (instrument.triggers !== null) hashWaiting(state, instrument, instrument.triggers, sum)
}

/** Each order that waits with its queue and its place there, and the trailing stops in their order. */
function hashWaiting(state: ShardState, instrument: Instrument, triggers: Triggers, sum: Sum): void {
  const { orders } = state
  const { warm } = orders
  for (const [queue, slots] of waitingQueues(state, triggers).entries()) {
    for (const [place, slot] of slots.entries()) {
      const w = slot << WARM_SHIFT
      const other = warm[w + LINK]
      const entry = orders.rare[(slot << RARE_SHIFT) + ENTRY]
      hashOrder(state, slot, 0, sum)
      sum.begin(Element.waiting).int(instrument.id).int(queue).int(place).wide(orders.numberOf(slot))
      sum
        .int(warm[w + STOP_PRICE])
        .int(warm[w + TRAILING_OFFSET])
        .int(orders.rare[(slot << RARE_SHIFT) + TRIGGER_PRICE])
        .int(warm[w + ROLE_OF])
      sum
        .wide(other === 0 ? 0 : orders.numberOf(other))
        .wide(entry === 0 ? 0 : orders.numberOf(entry))
        .end()
    }
  }
  for (const trail of [triggers.fallingTrail, triggers.risingTrail]) {
    for (let i = 0; i < trail.count; i++) sum.begin(Element.trail).int(i).wide(orders.numberOf(trail.slots[i])).end()
  }
}

function hashReleasing(state: ShardState, sum: Sum): void {
  for (const [place, { id }] of state.releasing.entries()) sum.begin(Element.releasing).int(place).int(id).end()
}

function hashSide(state: ShardState, side: BookSide, sum: Sum): void {
  const { hot } = state.orders
  for (let level = side.bestLevel; level !== 0; level = side.levelAfter(level)) {
    let place = 0
    for (
      let slot = state.levels.level[(level << LEVEL_SHIFT) + HEAD];
      slot !== 0;
      slot = hot[(slot << HOT_SHIFT) + NEXT]
    ) {
      hashOrder(state, slot, place++, sum)
    }
  }
}

function hashOrder(state: ShardState, slot: number, place: number, sum: Sum): void {
  const { orders, positions } = state
  const { hot, warm, wide, text } = orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const position = hot[h + OWNER] << POSITION_SHIFT
  sum.begin(Element.order).wide(orders.numberOf(slot)).int(place)
  sum.int(positions.data[position + POSITION_ACCOUNT]).int(positions.data[position + POSITION_INSTRUMENT])
  sum
    .int(hot[h + LEAVES])
    .int(kindOf(hot[h + BITS]))
    .int(warm[w + PRICE])
    .int(warm[w + QUANTITY])
  sum
    .int(warm[w + HIDDEN])
    .int(warm[w + DISPLAY])
    .int(warm[w + SESSION])
    .int(warm[w + API_KEY])
  if (warm[w + ORIGIN] !== 0) sum.int(state.origins.originOf(slot))
  sum
    .wide(wide[f + CUM_QUOTE])
    .wide(wide[f + ACCEPTED_AT])
    .wide(wide[f + UPDATED_AT])
    .wide(wide[f + EXPIRE_TIME])
  for (let i = 0; i < TEXT_WORDS; i++) sum.int(text[slot * TEXT_WORDS + i])
  sum.end()
}

function hashTransfers(state: ShardState, sum: Sum): void {
  const { transfers } = state
  for (let shard = 0; shard < transfers.sent.length; shard++) {
    sum.begin(Element.transfers).int(shard).wide(transfers.received[shard])
    sum.wide(transfers.sent[shard]).wide(transfers.settled[shard]).end()
    for (const transfer of transfers.inFlight[shard]) {
      sum.begin(Element.transfer).int(shard).int(transfer.account).int(transfer.asset)
      sum.wide(transfer.amount).wide(transfer.number).wide(transfer.sentAt)
      for (let i = 0; i < transfer.transferId.length; i++) sum.int(transfer.transferId.charCodeAt(i))
      sum.end()
    }
  }
}
