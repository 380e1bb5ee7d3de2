// Brings transfers between shards to their end: the leader of the sending shard repeats the second step until this process's replica of
// the other shard has taken it, then clears the list. Exactly once by the transfers' numbers, so repeating is always safe.

import { type Command, CommandType, type ShardIndex, type TransferInFlight } from '@wintrades/domain'
import { encodeAll, OWN } from './encode.ts'
import type { Clock } from './ports.ts'
import type { ShardNode } from './shard-node.ts'

const REPEAT_MS = 1_000
const TRANSFERS_PER_TURN_MAX = 256

export class TransferDriver {
  readonly #nodes: readonly ShardNode[]
  readonly #clock: Clock
  /** Per pair of shards: up to which number was sent, and when. */
  readonly #sent = new Map<number, { through: number; at_us: number }>()
  readonly #settled = new Map<number, { through: number; at_us: number }>()

  constructor(nodes: readonly ShardNode[], clock: Clock) {
    this.#nodes = nodes
    this.#clock = clock
  }

  drive(): void {
    for (const from of this.#nodes) {
      if (!from.leading) continue
      const inFlight = from.replica.engine.transfersInFlight()
      if (inFlight.length === 0) continue
      for (const to of this.#nodes) {
        const transfers = inFlight.filter((one) => one.toShard === to.shard.index)
        if (transfers.length > 0) this.#drivePair(from, to, transfers)
      }
    }
  }

  #drivePair(from: ShardNode, to: ShardNode, transfers: readonly TransferInFlight[]): void {
    const fromShard = from.shard.index
    const received = to.replica.engine.transfersReceived(fromShard)
    const arrived = transfers.filter((one) => one.number <= received)
    const pair = fromShard * 16 + to.shard.index
    const last = arrived.at(-1)
    if (last !== undefined && this.#isDue(this.#settled, pair, last.number)) {
      this.#note(this.#settled, pair, last.number)
      this.#submit(from, [settled(to.shard.index, last.number)])
    }
    const waiting = transfers.filter((one) => one.number > received).slice(0, TRANSFERS_PER_TURN_MAX)
    const newest = waiting.at(-1)
    if (newest === undefined || !this.#isDue(this.#sent, pair, newest.number)) return
    this.#note(this.#sent, pair, newest.number)
    this.#submit(
      to,
      waiting.map((one) => arrival(fromShard, one)),
    )
  }

  #isDue(notes: Map<number, { through: number; at_us: number }>, pair: number, number: number): boolean {
    const note = notes.get(pair)
    return note === undefined || note.through < number || this.#clock.now_us() - note.at_us >= REPEAT_MS * 1_000
  }

  #note(notes: Map<number, { through: number; at_us: number }>, pair: number, number: number): void {
    notes.set(pair, { through: number, at_us: this.#clock.now_us() })
  }

  #submit(node: ShardNode, commands: readonly Command[]): void {
    const { records, count } = encodeAll(commands)
    node.submitOwn(records, count)
  }
}

function arrival(fromShard: ShardIndex, { account, asset, amount, number, transferId }: TransferInFlight): Command {
  return { ...OWN, type: CommandType.transfer_in, account, asset, amount, fromShard, number, transferId }
}

function settled(toShard: ShardIndex, number: number): Command {
  return { ...OWN, type: CommandType.transfer_settled, toShard, number }
}
