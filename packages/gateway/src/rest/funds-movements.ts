// Deposits, withdrawals and transfers out, each done once per transfer id: what a repeated one answers is what became of the first.
// Promises never to call a movement done that may have been something else's id.

import { type Amount, type Asset, CommandType, RejectCode, type Seq, type Shard } from '@wintrades/domain'
import type { FundsMovement, HistoryReader, Place } from '@wintrades/marketdata'
import type { Submission, Venue } from '@wintrades/venue'
import { ApiFault } from '../errors.ts'
import { Refusal, settle } from './funds-commands.ts'
import { isHistoryLate } from './history-faults.ts'

export type MovementCommand = Extract<
  Submission,
  { type: typeof CommandType.deposit | typeof CommandType.withdraw | typeof CommandType.transfer_out }
>

export type Movement = {
  readonly seq: Seq
  readonly asset: Asset
  readonly amount: Amount
  readonly status: 'in_flight' | 'settled'
  readonly duplicate: boolean
}

/** How long the record of a first one is waited for. */
const RECORD_TIMEOUT_MS = 2_000

export class FundsMovements {
  readonly #venue: Venue
  readonly #history: HistoryReader

  constructor(venue: Venue, history: HistoryReader) {
    this.#venue = venue
    this.#history = history
  }

  /** Throws Refusal, OVERLOADED, SHARD_UNAVAILABLE, OUTCOME_UNKNOWN; CLIENT_ID_INVALID when the id was that of something else. */
  async settle(shard: Shard, asset: Asset, command: MovementCommand): Promise<Movement> {
    const settled = await settle(this.#venue, shard.index, command)
    if (settled.code !== RejectCode.none) throw new Refusal(settled, asset)
    if (settled.duplicate) return await this.#original(shard, asset, command, settled.seq)
    const status = command.type === CommandType.transfer_out ? 'in_flight' : 'settled'
    return { seq: settled.seq, asset, amount: command.amount, status, duplicate: false }
  }

  async #original(shard: Shard, asset: Asset, command: MovementCommand, seq: Seq): Promise<Movement> {
    const find = async (atLeast: readonly Place[]) => {
      const options = { atLeast, timeout_ms: RECORD_TIMEOUT_MS }
      const movements = await this.#history.fundsByTransferId(command.account, command.transferId, options)
      return movements.find((one) => one.shard === shard.index && one.kind !== CommandType.transfer_in)
    }
    let first: FundsMovement | undefined
    try {
      // Most of the time history has it long since; else it has to be there with the batch that knew it.
      first = (await find([])) ?? (await find([{ shard: shard.index, seq }]))
    } catch (error) {
      if (!isHistoryLate(error)) throw error
      throw new ApiFault('OUTCOME_UNKNOWN')
    }
    // Orders and movements of an account share one space of ids.
    if (first === undefined) throw otherUse()
    if (first.kind !== command.type || first.asset !== command.asset) throw otherUse()
    return { seq, asset, amount: first.amount, status: await this.#status(shard, first), duplicate: true }
  }

  async #status(shard: Shard, { kind, otherShard, transferNumber }: FundsMovement): Promise<Movement['status']> {
    if (kind !== CommandType.transfer_out) return 'settled'
    const { inFlight } = (await this.#venue.trialBalance(shard.index)).value
    const onItsWay = inFlight.some((one) => one.toShard === otherShard && one.number === transferNumber)
    return onItsWay ? 'in_flight' : 'settled'
  }
}

function otherUse(): ApiFault {
  return new ApiFault('CLIENT_ID_INVALID', { message: 'The id was used for another movement, or for an order.' })
}
