// A snapshot of an engine with a million open orders, written and restored; and how fast a journal is replayed, its hashes checked.

import { createHash } from 'node:crypto'
import { BATCH, batchBytes, checkBatch, HASH_BYTES, hashOf, previousHashOf } from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import { BatchWriter, openMarket, restOrders, W1Commands } from './engine-ground.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { median } from './statistics.ts'
import { measured } from './thread-time.ts'
import { generateW1, W1 } from './workload-w1.ts'

const ORDERS = 1_000_000
const ACCOUNTS = 100_000
const ROUNDS = 5
const SECONDS_TARGET = 1
const REPLAY_TARGET = 3
const REPLAY_ACCOUNTS = 1_000
const REPLAY_BATCH_COMMANDS = 1_024

export async function run({ say }: BenchOptions): Promise<Figure[]> {
  return [...measureSnapshot(say), ...measureReplay(say)]
}

function measureSnapshot(say: (line: string) => void): Figure[] {
  const engine = new Engine(0 as never)
  restOrders(engine, ORDERS, ACCOUNTS)
  const hash = Buffer.from(engine.stateHash())
  const [written, restored] = [[] as number[], [] as number[]]
  const [writtenCpu, restoredCpu] = [[] as number[], [] as number[]]
  let bytes = 0
  for (let round = 0; round < ROUNDS; round++) {
    const write = measured(() => engine.snapshot())
    const read = measured(() => Engine.restore(write.result))
    if (!hash.equals(read.result.stateHash())) throw new Error('the restored engine has another state hash')
    bytes = write.result.length
    written.push(write.seconds)
    writtenCpu.push(write.cpu_seconds)
    restored.push(read.seconds)
    restoredCpu.push(read.cpu_seconds)
    say(`snapshot: written in ${write.seconds.toFixed(2)} s, restored in ${read.seconds.toFixed(2)} s`)
  }
  return [
    { name: 'snapshot.written', value: median(written), unit: 's', reference: SECONDS_TARGET },
    { name: 'snapshot.written_processor', value: median(writtenCpu), unit: 's', reference: SECONDS_TARGET },
    { name: 'snapshot.restored', value: median(restored), unit: 's', reference: SECONDS_TARGET },
    { name: 'snapshot.restored_processor', value: median(restoredCpu), unit: 's', reference: SECONDS_TARGET },
    { name: 'snapshot.size', value: bytes / 1e6, unit: 'MB', reference: null },
  ]
}

function measureReplay(say: (line: string) => void): Figure[] {
  const { opening, journal } = recordJournal()
  const [rates, cpuRates] = [[] as number[], [] as number[]]
  for (let round = 0; round < ROUNDS; round++) {
    const engine = new Engine(0 as never)
    for (const batch of opening) engine.apply(batch)
    const { seconds, cpu_seconds } = measured(() => replay(engine, journal, hashOf(opening.at(-1) as Uint8Array)))
    rates.push(W1.commands / seconds / 1e6)
    cpuRates.push(W1.commands / cpu_seconds / 1e6)
    say(`replay: ${rates.at(-1)?.toFixed(2)} M commands/s, ${cpuRates.at(-1)?.toFixed(2)} per processor second`)
  }
  const unit = 'M commands/s'
  const cpuUnit = 'M commands/processor second'
  return [
    { name: 'replay', value: median(rates), unit, reference: REPLAY_TARGET },
    { name: 'replay.processor', value: median(cpuRates), unit: cpuUnit, reference: REPLAY_TARGET },
  ]
}

function recordJournal(): { readonly opening: Uint8Array[]; readonly journal: Uint8Array } {
  const writer = new BatchWriter(true)
  const opening: Uint8Array[] = []
  openMarket(writer, { instruments: 1, accounts: REPLAY_ACCOUNTS }, (batch) => void opening.push(batch))
  const workload = new W1Commands(1, new Int32Array(generateW1().bytes.buffer), REPLAY_ACCOUNTS)
  const batches: Uint8Array[] = []
  for (let i = 0; i < W1.commands; i++) {
    workload.next(writer)
    if (writer.pending === REPLAY_BATCH_COMMANDS || i === W1.commands - 1) batches.push(writer.take())
  }
  return { opening, journal: Buffer.concat(batches) }
}

/** As a replica does when it starts: each batch's form and place in the chain of hashes are checked, then it is applied. */
function replay(engine: Engine, journal: Uint8Array, hashBefore: Uint8Array): void {
  const view = new DataView(journal.buffer, journal.byteOffset, journal.byteLength)
  let previous = Buffer.from(hashBefore)
  for (let at = 0; at < journal.length; ) {
    const batch = journal.subarray(at, at + batchBytes(view.getUint32(at + BATCH.bodyBytes, true)))
    checkBatch(batch)
    const digest = createHash('sha256')
      .update(batch.subarray(0, batch.length - HASH_BYTES))
      .digest()
    if (!digest.equals(hashOf(batch)) || !previous.equals(previousHashOf(batch))) throw new Error('the chain is broken')
    previous = digest
    engine.apply(batch)
    at += batch.length
  }
}
