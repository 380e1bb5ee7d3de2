// The codec gives back what it was given, and takes no other bytes for a command or a batch.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BatchHeader, CommandNumber, Epoch, Seq, ShardIndex, Timestamp } from '../src/index.ts'
import {
  BATCH,
  CodecError,
  type Command,
  checkBatch,
  checkCommand,
  commandBytes,
  commandOfOrder,
  decodeCommand,
  encodeCommand,
  HEADER,
  isClientId,
  LIMITS,
  orderIdOf,
  readBatchHeader,
  readInteger,
  shardOfOrder,
  stateHashOf,
  writeBatchHeader,
  writeInteger,
} from '../src/index.ts'
import { arbitraryCommand } from './arbitrary-commands.ts'

function encoded(command: Command): Uint8Array {
  const bytes = new Uint8Array(commandBytes(command))
  expect(encodeCommand(command, new DataView(bytes.buffer), 0)).toBe(bytes.length)
  return bytes
}

function batchOf(commands: readonly Command[], stateHash: Uint8Array | null = null): Uint8Array {
  const bodyBytes = commands.reduce((sum, command) => sum + commandBytes(command), 0)
  const bytes = new Uint8Array(BATCH.commands + bodyBytes + 32)
  let offset: number = BATCH.commands
  for (const command of commands) offset += encodeCommand(command, new DataView(bytes.buffer), offset)
  writeBatchHeader(
    bytes,
    { ...header, commandCount: commands.length, hashedSeq: stateHash === null ? 0 : 9 },
    bodyBytes,
    stateHash,
    new Uint8Array(32).fill(7),
  )
  return bytes
}

const header: BatchHeader = {
  shard: 2 as ShardIndex,
  seq: 12 as Seq,
  epoch: 3 as Epoch,
  timestamp: 1_790_000_000_000_000 as Timestamp,
  firstCommand: 77 as CommandNumber,
  commandCount: 0,
  hashedSeq: 0,
}

describe('commands', () => {
  test('every command survives its bytes', () => {
    fc.assert(
      fc.property(arbitraryCommand, (command) => {
        const bytes = encoded(command)
        const view = new DataView(bytes.buffer)
        expect(checkCommand(view, 0, bytes.length)).toBe(bytes.length)
        expect(decodeCommand(view, 0)).toEqual(command)
      }),
      { numRuns: 2_000 },
    )
  })

  test('no command is longer than the limit', () => {
    fc.assert(fc.property(arbitraryCommand, (command) => commandBytes(command) <= LIMITS.command_bytes_max))
  })

  test('a command cut short anywhere is refused', () => {
    fc.assert(
      fc.property(arbitraryCommand, fc.nat(), (command, at) => {
        const bytes = encoded(command)
        expect(() => checkCommand(new DataView(bytes.buffer), 0, at % bytes.length)).toThrow(CodecError)
      }),
    )
  })

  test('arbitrary bytes either are a command that encodes to the same bytes, or are refused with a CodecError', () => {
    fc.assert(
      fc.property(arbitraryCommand, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (command, changes) => {
        const bytes = encoded(command)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        const view = new DataView(bytes.buffer)
        try {
          checkCommand(view, 0, bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
          return
        }
        expect(() => decodeCommand(view, 0)).not.toThrow()
      }),
      { numRuns: 5_000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const copy = bytes.slice()
        try {
          checkCommand(new DataView(copy.buffer), 0, copy.length)
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  test('a length beyond the limit or not a multiple of 8 is refused', () => {
    const bytes = new Uint8Array(512)
    const view = new DataView(bytes.buffer)
    view.setUint8(0, 1)
    for (const length of [0, 12, 264, 65_535]) {
      view.setUint16(HEADER.length, length, true)
      expect(() => checkCommand(view, 0, bytes.length)).toThrow(CodecError)
    }
  })

  test('client ids are 1 to 36 of the allowed characters', () => {
    expect(isClientId('a-Z_0.:/')).toBe(true)
    expect(isClientId('x'.repeat(36))).toBe(true)
    for (const text of ['', 'x'.repeat(37), 'a b', 'é', 'a\u0000', '€']) expect(isClientId(text)).toBe(false)
  })

  test('integers up to 2^53 − 1 are exact', () => {
    const view = new DataView(new ArrayBuffer(8))
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        writeInteger(view, 0, value)
        expect(readInteger(view, 0)).toBe(value)
        expect(view.getBigUint64(0, true)).toBe(BigInt(value))
      }),
    )
  })

  test('an order id tells its shard and its command', () => {
    fc.assert(
      fc.property(fc.nat(15), fc.integer({ min: 1, max: 2 ** 49 - 1 }), (shard, command) => {
        const id = orderIdOf(shard as ShardIndex, command as CommandNumber)
        expect(Number.isSafeInteger(id)).toBe(true)
        expect(shardOfOrder(id)).toBe(shard)
        expect(commandOfOrder(id)).toBe(command)
      }),
    )
  })
})

describe('batches', () => {
  test('a batch gives back its header and its commands', () => {
    fc.assert(
      fc.property(fc.array(arbitraryCommand, { maxLength: 20 }), (commands) => {
        const bytes = batchOf(commands)
        checkBatch(bytes)
        expect(readBatchHeader(bytes)).toEqual({ ...header, commandCount: commands.length })
        const view = new DataView(bytes.buffer)
        let offset: number = BATCH.commands
        for (const command of commands) {
          expect(decodeCommand(view, offset)).toEqual(command)
          offset += checkCommand(view, offset, bytes.length)
        }
      }),
    )
  })

  test('a state hash travels with the seq it was taken at', () => {
    expect(stateHashOf(batchOf([]))).toBeNull()
    const hash = new Uint8Array(16).fill(9)
    const bytes = batchOf([], hash)
    expect(stateHashOf(bytes)).toEqual(hash)
    expect(readBatchHeader(bytes).hashedSeq).toBe(9)
  })

  test('wrong magic, version, count or length is refused', () => {
    fc.assert(
      fc.property(fc.array(arbitraryCommand, { minLength: 1, maxLength: 5 }), (commands) => {
        for (const at of [BATCH.magic, BATCH.version, BATCH.commandCount, BATCH.bodyBytes]) {
          const bytes = batchOf(commands)
          bytes[at] = (bytes[at] ?? 0) ^ 1
          expect(() => checkBatch(bytes)).toThrow(CodecError)
        }
        const bytes = batchOf(commands)
        expect(() => checkBatch(bytes.subarray(0, bytes.length - 1))).toThrow(CodecError)
      }),
    )
  })
})
