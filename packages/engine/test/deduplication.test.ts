// The table of remembered ids: what it answers while it grows and forgets, and what a single new id may cost.

import { expect, test } from 'vitest'
import { Deduplication } from '../src/deduplication.ts'
import { MOVES_PER_ENTRY } from '../src/id-index.ts'
import { Random } from './support/random.ts'

const HORIZON_US = 1_000
const CAPACITY = 8

function tableOf(entriesMax: number, isOpen: (commandNumber: number) => boolean = () => false): Deduplication {
  return new Deduplication(HORIZON_US, entriesMax, isOpen, CAPACITY)
}

function hash(table: Deduplication, id: number): void {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, id, true)
  table.hashText(view, 0, 8)
}

function remember(table: Deduplication, account: number, id: number, time: number): void {
  hash(table, id)
  table.remember(account, id, id % 7, id % 2 === 0, time)
}

function find(table: Deduplication, account: number, id: number): number {
  hash(table, id)
  return table.find(account)
}

test('an id is found with its outcome at every size of the table, and only for its account', () => {
  const table = tableOf(1_000_000)
  for (let id = 1; id <= 3_000; id++) {
    remember(table, id % 5, id, 0)
    for (const known of [1, Math.ceil(id / 3), Math.ceil(id / 2), id]) {
      const entry = find(table, known % 5, known)
      expect([table.numberOf(entry), table.codeOf(entry), table.isOrder(entry)]).toEqual([
        known,
        known % 7,
        known % 2 === 0,
      ])
      expect(find(table, (known % 5) + 1, known)).toBe(-1)
    }
    expect(find(table, (id + 1) % 5, id + 1)).toBe(-1)
  }
})

test('no single id moves more than a few others, however many there are', () => {
  const table = tableOf(1_000_000)
  let most = 0
  for (let id = 1; id <= 200_000; id++) {
    const before = table.index.moved
    remember(table, 1, id, 0)
    most = Math.max(most, table.index.moved - before)
  }
  expect(table.size).toBe(200_000)
  // All were moved, again and again, as the table doubled.
  expect(table.index.moved).toBeGreaterThan(200_000)
  // Whole runs move, so it may be a few more.
  expect(most).toBeLessThan(MOVES_PER_ENTRY * 4)
})

test('it agrees with a map while ids come, expire, are too many, and stay because their order is open', () => {
  const random = new Random(11)
  for (const entriesMax of [40, 5_000]) {
    const open = new Set<number>()
    const table = tableOf(entriesMax, (commandNumber) => open.has(commandNumber))
    let time = 0
    let expected: { id: number; time: number }[] = []
    for (let id = 1; id <= 6_000; id++) {
      // Bursts make it grow, pauses make it shrink while it grows.
      time += random.chance(1) ? 600 : random.between(0, 2)
      if (id % 14 === 0 && random.chance(30)) open.add(id)
      if (random.chance(2)) open.clear()
      for (let i = 0; i < 2 && expected.length > 0; i++) {
        const [oldest] = expected as [{ id: number; time: number }]
        if (oldest.time + HORIZON_US >= time && expected.length < entriesMax) break
        expected = expected.slice(1)
        if (open.has(oldest.id)) expected.push({ id: oldest.id, time })
      }
      remember(table, 1, id, time)
      expected.push({ id, time })
      const seen: number[] = []
      table.forEach((_data, _at, at_time) => void seen.push(at_time))
      expect(seen).toEqual(expected.map((one) => one.time))
      const probe = random.between(1, id)
      const entry = find(table, 1, probe)
      expect(entry === -1 ? 0 : table.numberOf(entry)).toBe(expected.some((one) => one.id === probe) ? probe : 0)
    }
  }
})

test('the sum of the entries does not depend on how the table came to hold them', () => {
  const grown = tableOf(1_000_000)
  for (let id = 1; id <= 700; id++) remember(grown, 3, id, id)
  const restored = tableOf(1_000_000)
  restored.reserve(grown.size)
  grown.forEach((data, at, time) => {
    restored.restore(
      data[at] as number,
      data.subarray(at + 1, at + 5),
      data[at + 6] as number,
      data[at + 7] as number,
      time,
    )
  })
  expect([...restored.sum]).toEqual([...grown.sum])
  expect(restored.size).toBe(grown.size)
  expect(restored.index.moved).toBe(0)
  remember(restored, 3, 701, 701)
  remember(grown, 3, 701, 701)
  expect([...restored.sum]).toEqual([...grown.sum])
})
