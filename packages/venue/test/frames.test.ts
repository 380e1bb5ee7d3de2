// Bytes from a link are read whole and well-formed, or refused; and commands in flight are kept and sent as they must be.

import { CodecError, type Epoch, HEADER, type Seq, type ShardIndex } from '@wintrades/domain'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeAll } from '../src/encode.ts'
import { Inbox } from '../src/inbox.ts'
import * as frames from '../src/links/frames.ts'
import { isAfter, Pending } from '../src/pending.ts'
import { depositCommand } from './support/batches.ts'

const SHARDS = 3

function whole(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}

function correlationsOf(records: Uint8Array): number[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  const found: number[] = []
  for (let at = 0; at < records.length; at += view.getUint16(at + HEADER.length, true)) {
    found.push(view.getUint32(at + HEADER.correlation, true))
  }
  return found
}

function commands(first: number, count: number, origin = 1): Uint8Array {
  return encodeAll(Array.from({ length: count }, (_, i) => depositCommand(first + i, origin))).records
}

test('every frame is read as it was made', () => {
  const records = commands(5, 3)
  expect(frames.readFrame(whole(frames.commandsFrame(1 as ShardIndex, 7 as Epoch, 3, records)), SHARDS)).toMatchObject({
    kind: frames.FrameKind.commands,
    shard: 1,
    epoch: 7,
    count: 3,
  })
  expect(frames.readFrame(whole(frames.leadingFrame(2 as ShardIndex, 9 as Epoch)), SHARDS)).toEqual({
    kind: frames.FrameKind.leading,
    shard: 2,
    epoch: 9,
  })
  const released = (to: number | null) =>
    frames.readFrame(whole(frames.releasedFrame(0 as ShardIndex, 4 as Epoch, to, 0xffff_fffe)), SHARDS)
  expect(released(2)).toMatchObject({ epoch: 4, region: 2, heir: 0xffff_fffe })
  expect(released(null)).toMatchObject({ region: null })
  const asked = frames.handOverFrame(1 as ShardIndex, 4 as Epoch, 2, true)
  expect(frames.readFrame(whole(asked), SHARDS)).toMatchObject({ shard: 1, epoch: 4, region: 2, pinned: true })
  const seqs = [3, 0, 2 ** 40] as Seq[]
  for (const isLeaving of [false, true]) {
    const read = frames.readFrame(whole(frames.progressFrame(seqs, isLeaving)), SHARDS)
    expect(read).toEqual({ kind: frames.FrameKind.progress, seqs, isLeaving })
  }
})

test('any bytes are a frame or a CodecError', () => {
  const sound = [
    whole(frames.commandsFrame(1 as ShardIndex, 7 as Epoch, 3, commands(5, 3))),
    whole(frames.leadingFrame(2 as ShardIndex, 9 as Epoch)),
    whole(frames.progressFrame([1, 2, 3] as Seq[], false)),
  ]
  const damaged = fc
    .tuple(fc.constantFrom(...sound), fc.nat(300), fc.nat(255), fc.nat(300))
    .map(([bytes, at, value, cut]) => {
      const copy = Uint8Array.from(bytes)
      copy[at % copy.length] = value
      return cut % 3 === 0 ? copy.subarray(0, cut % copy.length) : copy
    })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), damaged), (bytes) => {
      try {
        const frame = frames.readFrame(bytes, SHARDS)
        if (frame.kind === frames.FrameKind.commands) expect(correlationsOf(frame.records).length).toBe(frame.count)
      } catch (error) {
        expect(error).toBeInstanceOf(CodecError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('what is pending goes out once an epoch, in order, without what has its outcome; also around 2^32', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ conclude: fc.nat(6) }),
      fc.record({ epoch: fc.boolean() }),
    ),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(steps, fc.constantFrom(1, 2 ** 32 - 7), (list, start) => {
      const pending = new Pending()
      let next = start
      let open: number[] = []
      let unsent: number[] = []
      let epoch = 1
      for (const step of list) {
        if ('add' in step) {
          pending.add(commands(next, step.add), next, step.add)
          const added = Array.from({ length: step.add }, (_, i) => (next + i) >>> 0)
          open.push(...added)
          unsent.push(...added)
          next = (next + step.add) >>> 0
        } else if ('conclude' in step) {
          const through = open[step.conclude]
          if (through === undefined) continue
          pending.concludeThrough(through)
          open = open.filter((one) => isAfter(one, through))
          unsent = unsent.filter((one) => isAfter(one, through))
        } else {
          if (step.epoch) {
            epoch++
            unsent = [...open]
          }
          const sent: number[] = []
          pending.takeUnsent(epoch as Epoch, ({ records, count }) => {
            const found = correlationsOf(records)
            expect(found.length).toBe(count)
            sent.push(...found)
            return true
          })
          expect(sent).toEqual(unsent)
          unsent = []
        }
        expect(pending.size).toBe(open.length)
      }
    }),
  )
})

test('what cannot be sent now is sent later, from where it stopped', () => {
  const pending = new Pending()
  pending.add(commands(1, 2), 1, 2)
  pending.add(commands(3, 2), 3, 2)
  let room = 1
  const sent: number[] = []
  const send = ({ records }: { records: Uint8Array }) => {
    if (room-- <= 0) return false
    sent.push(...correlationsOf(records))
    return true
  }
  pending.takeUnsent(1 as Epoch, send)
  expect(sent).toEqual([1, 2])
  room = 9
  pending.takeUnsent(1 as Epoch, send)
  expect(sent).toEqual([1, 2, 3, 4])
  pending.forgetSent()
  pending.concludeThrough(1)
  pending.takeUnsent(1 as Epoch, send)
  expect(sent).toEqual([1, 2, 3, 4, 2, 3, 4])
})

test('an inbox takes each command of an origin once, in order, and fills batches without splitting a command', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          from: fc.integer({ min: 1, max: 60 }),
          count: fc.integer({ min: 1, max: 20 }),
          origin: fc.constantFrom(1, 2),
        }),
      ),
      (frameList) => {
        const inbox = new Inbox()
        const last = new Map<number, number>()
        const expected: string[] = []
        for (const { from, count, origin } of frameList) {
          // A sender repeats, but never leaves out.
          const first = Math.min(from, (last.get(origin) ?? 0) + 1)
          inbox.add(commands(first, count, origin), count)
          for (let one = first; one < first + count; one++) {
            if (one <= (last.get(origin) ?? 0)) continue
            last.set(origin, one)
            expected.push(`${origin}/${one}`)
          }
        }
        const taken: string[] = []
        while (inbox.count > 0) {
          const { bytes, bodyBytes, count } = inbox.take()
          const body = bytes.subarray(112, 112 + bodyBytes)
          const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
          let found = 0
          for (let at = 0; at < body.length; at += view.getUint16(at + HEADER.length, true), found++) {
            taken.push(`${view.getUint32(at + HEADER.origin, true)}/${view.getUint32(at + HEADER.correlation, true)}`)
          }
          expect(found).toBe(count)
        }
        expect(taken).toEqual(expected)
      },
    ),
  )
})

test('a batch has at most its number of commands', () => {
  const inbox = new Inbox()
  inbox.add(commands(1, 6_000), 6_000)
  inbox.add(commands(6_001, 6_000), 6_000)
  const counts: number[] = []
  while (inbox.count > 0) counts.push(inbox.take().count)
  expect(counts).toEqual([8_192, 3_808])
})
