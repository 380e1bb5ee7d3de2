// Well-formed batches for tests that need no engine behind them.

import {
  type AccountId,
  type Amount,
  type AssetId,
  BATCH,
  batchBytes,
  type Command,
  type CommandNumber,
  CommandType,
  type Epoch,
  hashOf,
  type Seq,
  type ShardIndex,
  type Timestamp,
} from '@wintrades/domain'
import { NO_HASH, sealBatch } from '../../src/chain.ts'
import { encodeAll } from '../../src/encode.ts'

export function depositCommand(number: number, origin = 1): Command {
  return {
    type: CommandType.deposit,
    origin,
    correlation: number >>> 0,
    account: 7 as AccountId,
    asset: 1 as AssetId,
    amount: 1 as Amount,
    transferId: `d-${number}`,
  }
}

/** The batch after `previous` (null: the first), with `commands` deposits. */
export function nextBatch(previous: Uint8Array | null, seq: number, epoch: number, commands = 1, salt = 0): Uint8Array {
  const { records } = encodeAll(Array.from({ length: commands }, (_, i) => depositCommand(seq * 1_000 + i + salt)))
  const bytes = new Uint8Array(batchBytes(records.length))
  bytes.set(records, BATCH.commands)
  const header = {
    shard: 0 as ShardIndex,
    seq: seq as Seq,
    epoch: epoch as Epoch,
    timestamp: (1_000_000 + seq) as Timestamp,
    firstCommand: seq as CommandNumber,
    commandCount: commands,
    hashedSeq: 0,
  }
  sealBatch(bytes, header, records.length, null, previous === null ? NO_HASH : hashOf(previous))
  return bytes
}
