// The contract of a journal, kept by each of them: what an append commits, what fences it, who gets the lease.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Epoch, RegionName, Seq } from '@wintrades/domain'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Journal } from '../../src/index.ts'
import { nextBatch } from './batches.ts'

const US = 'us-east' as RegionName
const EU = 'eu-west' as RegionName
/** Of every process of these tests. */
export const CONTRACT_ORIGIN = 5

/** `open`: a new journal, and how to connect to it. */
export type JournalKind = {
  readonly name: string
  open(directory: string): (() => Journal) | Promise<() => Journal>
}

export function journalContract({ name, open }: JournalKind): void {
  describe(name, () => {
    let directory: string
    let connect: () => Journal
    let journal: Journal
    const opened: Journal[] = []

    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'wintrades-journal-'))
      const make = await open(directory)
      connect = () => {
        const one = make()
        opened.push(one)
        return one
      }
      journal = connect()
    })

    afterEach(() => {
      for (const one of opened.splice(0)) one.close()
      rmSync(directory, { recursive: true, force: true })
    })

    const claim = (
      at: Journal,
      region: RegionName,
      seen: number,
      more: { early?: boolean; ttl_ms?: number; pinned?: boolean } = {},
    ) =>
      at.claim({
        region,
        origin: CONTRACT_ORIGIN,
        seen: seen as Epoch,
        early: false,
        ttl_ms: 60_000,
        pinned: false,
        ...more,
      })

    async function filled(count: number): Promise<Uint8Array[]> {
      await claim(journal, US, 0)
      const batches: Uint8Array[] = []
      for (let seq = 1; seq <= count; seq++) {
        const batch = nextBatch(batches.at(-1) ?? null, seq, 1)
        expect(await journal.append(1 as Epoch, batch)).toBe('committed')
        batches.push(batch)
      }
      return batches
    }

    test('what was appended is read back, by any connection, byte for byte', async () => {
      const batches = await filled(5)
      const rows = await connect().read(2 as Seq, 1_000_000)
      expect(rows.map((row) => row.seq)).toEqual([2, 3, 4, 5])
      for (const { seq, bytes } of rows) expect(Buffer.compare(bytes, batches[seq - 1] as Uint8Array)).toBe(0)
      expect((await journal.read(1 as Seq, 1)).length).toBe(1)
      expect(await journal.read(6 as Seq, 1_000)).toEqual([])
      expect(await journal.extent()).toEqual({ first: 1, last: 5 })
    })

    test('the same bytes again are committed; others at the same place are not', async () => {
      const batches = await filled(2)
      const last = batches[1] as Uint8Array
      expect(await journal.append(1 as Epoch, last)).toBe('committed')
      expect(await journal.append(1 as Epoch, nextBatch(batches[0] as Uint8Array, 2, 1, 1, 500))).toBe('conflict')
      expect((await journal.extent())?.last).toBe(2)
    })

    test('a batch must follow the last one, by seq and by hash', async () => {
      if (journal.appendsInFlight_max > 1) return
      const batches = await filled(2)
      const last = batches[1] as Uint8Array
      expect(await journal.append(1 as Epoch, nextBatch(last, 4, 1))).toBe('conflict')
      expect(await journal.append(1 as Epoch, nextBatch(batches[0] as Uint8Array, 3, 1))).toBe('conflict')
      expect(await journal.append(1 as Epoch, nextBatch(null, 1, 1, 1, 900))).toBe('conflict')
      expect(await journal.append(1 as Epoch, nextBatch(last, 3, 1))).toBe('committed')
    })

    test('with several under way, one is committed though the batch before it is not there yet; nobody reads behind the gap', async () => {
      if (journal.appendsInFlight_max === 1) return
      const batches = await filled(2)
      const third = nextBatch(batches[1] as Uint8Array, 3, 1)
      const fourth = nextBatch(third, 4, 1)
      expect(await journal.append(1 as Epoch, fourth)).toBe('committed')
      expect((await connect().read(1 as Seq, 1_000_000)).map((row) => row.seq)).toEqual([1, 2])
      expect(await connect().read(3 as Seq, 1_000_000)).toEqual([])
      expect(await journal.append(1 as Epoch, third)).toBe('committed')
      expect((await connect().read(1 as Seq, 1_000_000)).map((row) => row.seq)).toEqual([1, 2, 3, 4])
    })

    test('a claim removes what stands behind a gap, and nothing else', async () => {
      if (journal.appendsInFlight_max === 1) return
      const batches = await filled(2)
      const third = nextBatch(batches[1] as Uint8Array, 3, 1)
      const fourth = nextBatch(third, 4, 1)
      expect(await journal.append(1 as Epoch, fourth)).toBe('committed')
      expect(await claim(connect(), EU, 1, { early: true })).toBe(2)
      expect(await journal.extent()).toEqual({ first: 1, last: 2 })
      expect(await journal.append(1 as Epoch, third)).toBe('fenced')
      expect(await journal.append(1 as Epoch, fourth)).toBe('fenced')
      expect(await journal.append(2 as Epoch, nextBatch(batches[1] as Uint8Array, 3, 2))).toBe('committed')
    })

    test('a whole window under way at once is there once and in order', async () => {
      const batches = await filled(1)
      for (let seq = 2; seq <= journal.appendsInFlight_max; seq++)
        batches.push(nextBatch(batches.at(-1) ?? null, seq, 1))
      const others = batches.slice(1).reverse()
      const twice = [...others, ...others].map((batch) => journal.append(1 as Epoch, batch))
      expect(new Set(await Promise.all(twice))).toEqual(new Set(others.length === 0 ? [] : ['committed']))
      expect((await journal.read(1 as Seq, 10_000_000)).map((row) => row.seq)).toEqual(batches.map((_, i) => i + 1))
    })

    test('nobody appends without the lease, or before it', async () => {
      expect(await journal.append(0 as Epoch, nextBatch(null, 1, 0))).toBe('fenced')
      expect(await journal.append(1 as Epoch, nextBatch(null, 1, 1))).toBe('fenced')
      await claim(journal, US, 0)
      if (journal.appendsInFlight_max === 1) {
        expect(await journal.append(1 as Epoch, nextBatch(nextBatch(null, 1, 1), 2, 1))).toBe('conflict')
      }
      expect(await journal.extent()).toBeNull()
    })

    test('a newer epoch fences the older one for good', async () => {
      const batches = await filled(2)
      const last = batches[1] as Uint8Array
      expect(await claim(connect(), EU, 1, { early: true })).toBe(2)
      expect(await journal.append(1 as Epoch, nextBatch(last, 3, 1))).toBe('fenced')
      expect(await journal.renew(1 as Epoch, 1_000)).toBe(false)
      expect(await journal.release(1 as Epoch, null, false)).toBe(false)
      // What it had committed before is still known as committed.
      expect(await journal.append(1 as Epoch, last)).toBe('committed')
      expect(await journal.append(2 as Epoch, nextBatch(last, 3, 2))).toBe('committed')
    })

    test('of two that claim the same lease one gets it', async () => {
      const claims = await Promise.all([claim(journal, US, 0), claim(connect(), EU, 0)])
      expect(claims.filter((epoch) => epoch === 1).length).toBe(1)
      expect(claims.filter((epoch) => epoch === null).length).toBe(1)
    })

    test('a lease is held until it expires, is released, or its holder is known to be dead', async () => {
      await claim(journal, US, 0)
      expect(await claim(journal, EU, 1)).toBeNull()
      expect(await claim(journal, EU, 0, { early: true })).toBeNull()
      expect(await claim(journal, EU, 1, { early: true, ttl_ms: 0 })).toBe(2)
      expect((await journal.readLease()).remaining_ms).toBeLessThanOrEqual(0)
      expect(await claim(journal, US, 2)).toBe(3)
      const held = await journal.readLease()
      expect(held).toMatchObject({ epoch: 3, holder: US, origin: CONTRACT_ORIGIN, reservedFor: null, pinned: false })
      expect(held.remaining_ms).toBeGreaterThan(50_000)
    })

    test('a released lease says for whom; it appends nothing', async () => {
      await filled(1)
      expect(await journal.release(1 as Epoch, EU, true)).toBe(true)
      expect(await journal.readLease()).toMatchObject({
        epoch: 1,
        holder: null,
        reservedFor: EU,
        pinned: true,
        remaining_ms: 0,
      })
      expect(await journal.append(1 as Epoch, nextBatch(nextBatch(null, 1, 1), 2, 1))).toBe('fenced')
      expect(await journal.renew(1 as Epoch, 1_000)).toBe(false)
      expect(await claim(journal, EU, 1, { pinned: true })).toBe(2)
      expect((await journal.readLease()).pinned).toBe(true)
    })

    test('renewing moves the end', async () => {
      await claim(journal, US, 0, { ttl_ms: 10 })
      expect(await journal.renew(1 as Epoch, 60_000)).toBe(true)
      expect((await journal.readLease()).remaining_ms).toBeGreaterThan(50_000)
    })

    test('pruning takes from the beginning and always leaves the last', async () => {
      const batches = await filled(6)
      await journal.prune(3 as Seq)
      expect(await journal.extent()).toEqual({ first: 4, last: 6 })
      await journal.prune(100 as Seq)
      expect(await journal.extent()).toEqual({ first: 6, last: 6 })
      expect(await journal.append(1 as Epoch, nextBatch(batches[5] as Uint8Array, 7, 1))).toBe('committed')
      expect((await journal.read(1 as Seq, 1_000_000)).at(-1)?.seq ?? 7).toBe(7)
    })
  })
}
