// A venue for tests: real engines behind real encoded batches, without journal, leases or links. What is submitted in one turn of the
// event loop becomes one batch per shard. Tests may hold batches back, or lose what was submitted.

import { readFileSync } from 'node:fs'
import {
  type AccountId,
  type Amount,
  BATCH,
  batchBytes,
  type Command,
  type CommandNumber,
  CommandType,
  checkBatch,
  commandBytes,
  type Epoch,
  EVENT,
  EVENT_SLOTS,
  encodeCommand,
  HASH_BYTES,
  type InstrumentId,
  type Markets,
  type OrderId,
  type RegionName,
  readMarkets,
  type Seq,
  type ShardIndex,
  shardOfOrder,
  type Timestamp,
  writeBatchHeader,
} from '@wintrades/domain'
import { ENGINE_VERSION, Engine } from '@wintrades/engine'
import type { CommandHandler, CommittedBatch, Submission, SubmitResult, Venue } from '@wintrades/venue'
import { parse } from 'yaml'

const read = readMarkets(parse(readFileSync(new URL('../../../../markets.yml', import.meta.url), 'utf8')))
if (!read.ok) throw new Error(JSON.stringify(read.faults))

/** The default markets. */
export const markets: Markets = read.markets

type Pending = { readonly command: Command; readonly handler: CommandHandler | null }
type TestShard = { readonly engine: Engine; timestamp: number; pending: Pending[] }

export type TestVenueParts = Pick<
  Venue,
  'region' | 'origin' | 'submit' | 'onBatch' | 'waitFor' | 'account' | 'order' | 'outcome' | 'book'
>

const START = 1_767_571_200_000_000
const ACCOUNTS = [1, 2, 3]

export class TestVenue implements TestVenueParts {
  readonly region = 'us-east' as RegionName
  readonly origin = 0xabcdef01
  /** What `submit` answers instead of taking a command. */
  refuse: Exclude<SubmitResult, 'submitted'> | null = null
  /** While set, nothing is committed. */
  held = false
  /** Commands seen, in order. */
  readonly submitted: Submission[] = []
  readonly #shards: readonly TestShard[]
  /** Everything that was ever committed, in order of time. */
  readonly batches: CommittedBatch[] = []
  readonly #listeners = new Set<(batch: CommittedBatch) => void>()
  #due = false
  #correlation = 0

  constructor() {
    this.#shards = markets.shards.map((shard) => ({ engine: new Engine(shard.index), timestamp: START, pending: [] }))
    for (const [index, shard] of this.#shards.entries()) {
      const envelope = { origin: 0, correlation: 0, account: 0 as AccountId }
      this.#commit(index as ShardIndex, [
        { type: CommandType.activate_version, ...envelope, version: ENGINE_VERSION },
        ...markets.assets.map(
          (asset): Command => ({ type: CommandType.define_asset, ...envelope, asset: asset.id, scale: asset.scale }),
        ),
        ...markets.instruments
          .filter((instrument) => instrument.shard === shard.engine.shard)
          .map((one): Command => ({ type: CommandType.define_instrument, ...envelope, ...one.definition })),
      ])
      const funds = ACCOUNTS.flatMap((account) =>
        markets.assets.map(
          (asset): Command => ({
            type: CommandType.deposit,
            ...envelope,
            account: account as AccountId,
            asset: asset.id,
            amount: 100_000_000_000_000 as Amount,
            transferId: `funds-${asset.code}`,
          }),
        ),
      )
      this.#commit(index as ShardIndex, funds)
    }
  }

  submit(shard: ShardIndex, command: Submission, handler: CommandHandler): SubmitResult {
    if (this.refuse !== null) return this.refuse
    this.submitted.push(command)
    this.#correlation += 1
    const whole = { ...command, origin: this.origin, correlation: this.#correlation } as Command
    this.#shard(shard).pending.push({ command: whole, handler })
    this.#wake()
    return 'submitted'
  }

  /** Commits what is waiting, now. */
  commit(): void {
    for (const [index, shard] of this.#shards.entries()) {
      const pending = shard.pending
      shard.pending = []
      if (pending.length > 0) this.#apply(index as ShardIndex, pending)
    }
  }

  /** Loses what is waiting: nobody will ever know. */
  lose(): void {
    for (const shard of this.#shards) {
      const pending = shard.pending
      shard.pending = []
      for (const { handler } of pending) handler?.unknown()
    }
  }

  onBatch(listener: (batch: CommittedBatch) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  waitFor(shard: ShardIndex, seq: Seq): Promise<boolean> {
    return Promise.resolve(this.engine(shard).seq >= seq)
  }

  async account(shard: ShardIndex, account: AccountId) {
    const { engine } = this.#shard(shard)
    return { shard, seq: engine.seq, value: engine.account(account) }
  }

  async order(order: OrderId) {
    const shard = shardOfOrder(order)
    const { engine } = this.#shard(shard)
    return { shard, seq: engine.seq, value: engine.order(order) }
  }

  async outcome(shard: ShardIndex, account: AccountId, clientId: string) {
    const { engine } = this.#shard(shard)
    const outcome = engine.outcome(account, clientId)
    const value = outcome === null ? null : { outcome, openOrder: engine.order(outcome.order) }
    return { shard, seq: engine.seq, value }
  }

  async book(instrument: InstrumentId, levelsMax: number) {
    const { shard } = markets.instruments.find((one) => one.id === instrument) as { shard: ShardIndex }
    const { engine } = this.#shard(shard)
    return { shard, seq: engine.seq, value: engine.book(instrument, levelsMax) }
  }

  /** Applies a command of the operator's, now. */
  operate(shard: ShardIndex, command: Submission): void {
    this.#commit(shard, [{ ...command, origin: 0, correlation: 0 } as Command])
  }

  /** Lets batch time pass; it shows with the next batch. */
  wait(time_us: number): void {
    for (const shard of this.#shards) shard.timestamp += time_us
  }

  engine(shard: ShardIndex): Engine {
    return this.#shard(shard).engine
  }

  #shard(index: ShardIndex): TestShard {
    const shard = this.#shards[index]
    if (shard === undefined) throw new RangeError(`shard ${index} is not in markets.yml`)
    return shard
  }

  #wake(): void {
    if (this.#due || this.held) return
    this.#due = true
    setImmediate(() => {
      this.#due = false
      if (!this.held) this.commit()
    })
  }

  #commit(shard: ShardIndex, commands: readonly Command[]): void {
    this.#apply(
      shard,
      commands.map((command) => ({ command, handler: null })),
    )
  }

  #apply(index: ShardIndex, pending: readonly Pending[]): void {
    const shard = this.#shard(index)
    const { engine } = shard
    shard.timestamp += 1_000
    const bytes = encodeBatch(
      pending.map((one) => one.command),
      {
        shard: index,
        seq: (engine.seq + 1) as Seq,
        epoch: 1 as Epoch,
        timestamp: shard.timestamp as Timestamp,
        firstCommand: engine.nextCommand,
        commandCount: pending.length,
        hashedSeq: 0,
      },
    )
    const firstCommand = engine.nextCommand as CommandNumber
    const events = engine.apply(bytes).slice()
    const batch: CommittedBatch = {
      shard: index,
      seq: engine.seq,
      epoch: 1 as Epoch,
      timestamp: engine.timestamp,
      firstCommand,
      commandCount: pending.length,
      bytes,
      events,
    }
    this.batches.push(batch)
    for (const listener of this.#listeners) listener(batch)
    let start = 0
    // What the passing of time did comes first.
    while (start < events.length && events[start + EVENT.command] === -1)
      start += EVENT_SLOTS[events[start] as number] as number
    for (const [command, { handler }] of pending.entries()) {
      let end = start
      while (end < events.length && events[end + EVENT.command] === command)
        end += EVENT_SLOTS[events[end] as number] as number
      handler?.committed(batch, command, start, end)
      start = end
    }
  }
}

function encodeBatch(commands: readonly Command[], header: Parameters<typeof writeBatchHeader>[1]): Uint8Array {
  const body = commands.reduce((sum, command) => sum + commandBytes(command), 0)
  const bytes = new Uint8Array(batchBytes(body))
  const view = new DataView(bytes.buffer)
  let offset: number = BATCH.commands
  for (const command of commands) offset += encodeCommand(command, view, offset)
  writeBatchHeader(bytes, header, body, null, new Uint8Array(HASH_BYTES))
  checkBatch(bytes)
  return bytes
}
