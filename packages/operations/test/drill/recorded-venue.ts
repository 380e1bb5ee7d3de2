// A small honest venue in one thread that records what it does as a history: the ground into which tests plant faults.

import { createHash } from 'node:crypto'
import {
  type AccountId,
  type Amount,
  type AssetId,
  BATCH,
  batchBytes,
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  type Command,
  type CommandNumber,
  CommandType,
  commandBytes,
  type Epoch,
  EVENT,
  EventType,
  encodeCommand,
  forEachEvent,
  HASH_BYTES,
  hashOf,
  type InstrumentId,
  ORDER_ACCEPTED,
  type OrderId,
  OrderType,
  Phase,
  type Price,
  type Quantity,
  type RejectCode,
  readBatchHeader,
  SelfTradePrevention,
  type Seq,
  type ShardIndex,
  Side,
  TimeInForce,
  type Timestamp,
  TRADE,
  writeBatchHeader,
} from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import type { Answer, History, Intent, JournalEntry, Sending, SnapshotEntry } from '../../src/drill/history.ts'

const START_US = 1_700_000_000_000_000
export const US = 0 as ShardIndex
export const EU = 1 as ShardIndex
export const USD = 1 as AssetId
export const BTC = 2 as AssetId
const BTC_USD = 1 as InstrumentId
export const ALICE = 11 as AccountId
export const BOB = 12 as AccountId

type ShardState = {
  readonly engine: Engine
  readonly journal: JournalEntry[]
  readonly snapshots: SnapshotEntry[]
  previousHash: Uint8Array
  epoch: number
  holder: string
}

export class RecordedVenue {
  readonly #shards: ShardState[] = [US, EU].map((shard) => ({
    engine: new Engine(shard),
    journal: [],
    snapshots: [],
    previousHash: new Uint8Array(HASH_BYTES),
    epoch: 1,
    holder: `region-${shard}`,
  }))
  readonly sendings: Sending[] = []
  now_ms = 1_000

  constructor() {
    for (const shard of [US, EU]) {
      this.append(shard, [
        { ...this.#envelope(0), type: CommandType.define_asset, asset: USD, scale: 2 },
        { ...this.#envelope(0), type: CommandType.define_asset, asset: BTC, scale: 4 },
        ...(shard === US ? [this.#instrument()] : []),
      ])
    }
  }

  deposit(shard: ShardIndex, account: AccountId, asset: AssetId, amount: number, clientId: string): Sending {
    const intent: Intent = { kind: 'deposit', asset, amount: amount as Amount }
    return this.send(shard, account, clientId, intent, this.newDeposit(account, asset, amount, clientId))
  }

  newDeposit(account: AccountId, asset: AssetId, amount: number, transferId: string): Command {
    return {
      ...this.#envelope(account),
      type: CommandType.deposit,
      asset,
      amount: amount as Amount,
      transferId,
    }
  }

  transferOut(from: ShardIndex, account: AccountId, amount: number, clientId: string): Sending {
    const toShard = from === US ? EU : US
    const intent: Intent = { kind: 'transfer', asset: USD, amount: amount as Amount, toShard }
    return this.send(from, account, clientId, intent, {
      ...this.#envelope(account),
      type: CommandType.transfer_out,
      asset: USD,
      amount: amount as Amount,
      toShard,
      transferId: clientId,
    })
  }

  /** The second step of transfer `number` from the other shard. */
  transferIn(to: ShardIndex, account: AccountId, amount: number, clientId: string, number: number): void {
    this.append(to, [
      {
        ...this.#envelope(account),
        type: CommandType.transfer_in,
        asset: USD,
        amount: amount as Amount,
        fromShard: to === US ? EU : US,
        number,
        transferId: clientId,
      },
    ])
  }

  order(account: AccountId, side: Side, price: number, quantity: number, clientId: string): Sending {
    const intent: Intent = {
      kind: 'order',
      instrument: BTC_USD,
      side,
      price: price as Price,
      quantity: quantity as Quantity,
    }
    return this.send(US, account, clientId, intent, this.newOrder(account, side, price, quantity, clientId))
  }

  newOrder(account: AccountId, side: Side, price: number, quantity: number, clientOrderId: string): Command {
    return {
      ...this.#envelope(account),
      type: CommandType.new_order,
      instrument: BTC_USD,
      side,
      orderType: OrderType.limit,
      timeInForce: TimeInForce.gtc,
      selfTradePrevention: SelfTradePrevention.none,
      flags: 0,
      session: 0,
      apiKey: 0,
      price: price as Price,
      quantity: quantity as Quantity,
      quoteAmount: 0 as Amount,
      stopPrice: 0 as Price,
      displayQuantity: 0 as Quantity,
      minimumQuantity: 0 as Quantity,
      expireTime: 0 as Timestamp,
      trailingOffset: 0 as Price,
      clientOrderId,
    }
  }

  cancel(account: AccountId, order: OrderId, clientId: string): Sending {
    return this.send(
      US,
      account,
      clientId,
      { kind: 'cancel', order },
      {
        ...this.#envelope(account),
        type: CommandType.cancel_order,
        order,
        clientOrderId: '',
      },
    )
  }

  /** Appends the command as a batch, answers from the events, and records both. */
  send(shard: ShardIndex, account: AccountId, clientId: string, intent: Intent, command: Command): Sending {
    const sentAt_ms = this.now_ms
    const seq = this.append(shard, [command])
    const answer = answerOf(this.#lastEvents, seq)
    return this.record({
      shard,
      account,
      clientId,
      intent,
      region: 'us-east',
      sentAt_ms,
      answeredAt_ms: this.now_ms + 1,
      answer,
    })
  }

  record(sending: Sending): Sending {
    this.sendings.push(sending)
    this.now_ms += 2
    return sending
  }

  #lastEvents: Float64Array = new Float64Array(0)

  append(shard: ShardIndex, commands: readonly Command[]): Seq {
    const state = this.#state(shard)
    const { engine } = state
    const bytes = encodeBatch(
      commands,
      {
        shard,
        seq: (engine.seq + 1) as Seq,
        epoch: state.epoch as Epoch,
        timestamp: (START_US + this.now_ms * 1_000) as Timestamp,
        firstCommand: engine.nextCommand,
      },
      state.previousHash,
    )
    this.#lastEvents = engine.apply(bytes).slice()
    state.previousHash = hashOf(bytes)
    state.journal.push({ bytes, holder: state.holder, committedAt_ms: this.now_ms })
    return engine.seq
  }

  /** Another region takes the shard. */
  takeOver(shard: ShardIndex, holder: string): void {
    const state = this.#state(shard)
    state.epoch++
    state.holder = holder
    this.append(shard, [])
  }

  snapshot(shard: ShardIndex): SnapshotEntry {
    const { engine, snapshots } = this.#state(shard)
    const entry = { name: `${shard}-${engine.seq}`, seq: engine.seq, bytes: engine.snapshot() }
    snapshots.push(entry)
    return entry
  }

  engine(shard: ShardIndex): Engine {
    return this.#state(shard).engine
  }

  history(): History {
    return {
      sendings: this.sendings,
      shards: this.#shards.map((state) => ({
        shard: state.engine.shard,
        journal: state.journal,
        base: null,
        snapshots: state.snapshots,
      })),
      replicas: this.#shards.flatMap((state) =>
        ['us-east', 'eu-west'].map((region) => ({
          region,
          shard: state.engine.shard,
          seq: state.engine.seq,
          stateHash: Buffer.from(state.engine.stateHash()).toString('hex'),
          trialBalance: state.engine.trialBalance(),
          inFlight: state.engine.transfersInFlight(),
          fault: null,
        })),
      ),
      readings: [],
      ownAccounts: [ALICE, BOB],
      venuePaysIn: false,
      faultAt_ms: null,
      stoppedAt_ms: null,
    }
  }

  #state(shard: ShardIndex): ShardState {
    const state = this.#shards[shard]
    if (state === undefined) throw new RangeError(`no shard ${shard}`)
    return state
  }

  #envelope(account: number): { origin: number; correlation: number; account: AccountId } {
    return { origin: 0, correlation: 0, account: account as AccountId }
  }

  #instrument(): Command {
    return {
      ...this.#envelope(0),
      type: CommandType.define_instrument,
      instrument: BTC_USD,
      base: BTC,
      quote: USD,
      phase: Phase.continuous,
      baseUnitsPerLot: 1,
      quoteUnitsPerTickLot: 1,
      priceMin: 1 as Price,
      priceMax: 1_000_000 as Price,
      quantityMin: 1 as Quantity,
      quantityMax: 1_000_000 as Quantity,
      notionalMin: 0 as Amount,
      notionalMax: Number.MAX_SAFE_INTEGER as Amount,
      makerFee_ppm: 1_000,
      takerFee_ppm: 2_000,
      stressMove_ppm: 0,
      priceBand_ppm: 0,
      staticBand_ppm: 0,
      dynamicBand_ppm: 0,
      referencePrice: 100 as Price,
    }
  }
}

type Place = { shard: ShardIndex; seq: Seq; epoch: Epoch; timestamp: Timestamp; firstCommand: CommandNumber }

function encodeBatch(commands: readonly Command[], place: Place, previousHash: Uint8Array): Uint8Array {
  const bodyBytes = commands.reduce((sum, command) => sum + commandBytes(command), 0)
  const bytes = new Uint8Array(batchBytes(bodyBytes))
  const view = new DataView(bytes.buffer)
  let offset: number = BATCH.commands
  for (const command of commands) offset += encodeCommand(command, view, offset)
  writeBatchHeader(bytes, { ...place, commandCount: commands.length, hashedSeq: 0 }, bodyBytes, null, previousHash)
  seal(bytes)
  return bytes
}

function seal(bytes: Uint8Array): void {
  const end = bytes.length - HASH_BYTES
  bytes.set(createHash('sha256').update(bytes.subarray(0, end)).digest(), end)
}

/** Makes a journal's hashes right again after a test has changed bytes: the fault that no hash can show. */
export function rechain(entries: readonly JournalEntry[]): JournalEntry[] {
  let previous: Uint8Array = new Uint8Array(HASH_BYTES)
  return entries.map((entry) => {
    const bytes = entry.bytes.slice()
    bytes.set(previous, BATCH.previousHash)
    seal(bytes)
    previous = hashOf(bytes)
    return { ...entry, bytes }
  })
}

/** Where in the journal the batch with this seq is. */
export function indexOfSeq(entries: readonly JournalEntry[], seq: number): number {
  return entries.findIndex((entry) => readBatchHeader(entry.bytes).seq === seq)
}

function answerOf(events: Float64Array, seq: Seq): Answer {
  let answer: Answer = { outcome: 'acknowledged', order: 0, seq, cumQty: null, duplicate: false }
  let cumQty = 0
  forEachEvent(events, (type, at) => {
    if (events[at + EVENT.command] !== 0) return
    if (type === EventType.order_accepted)
      answer = { ...answer, order: events[at + ORDER_ACCEPTED.order] as OrderId } as Answer
    if (type === EventType.trade) cumQty = events[at + TRADE.takerCumQty] as number
    if (type === EventType.command_rejected) {
      answer = { outcome: 'rejected', code: events[at + COMMAND_REJECTED.code] as RejectCode }
    }
    if (type === EventType.command_duplicate) {
      const code = events[at + COMMAND_DUPLICATE.code] as RejectCode
      const order = events[at + COMMAND_DUPLICATE.order] as OrderId
      answer =
        code === 0
          ? { outcome: 'acknowledged', order, seq, cumQty: null, duplicate: true }
          : { outcome: 'rejected', code }
    }
  })
  if (answer.outcome === 'acknowledged' && answer.order !== 0 && !answer.duplicate) {
    return { ...answer, cumQty: cumQty as Quantity }
  }
  return answer
}

export { Side }
