// GTID sets: MySQL's own text forms, and the arithmetic against plain sets of numbers.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contains,
  EMPTY,
  equals,
  formatGtidSet,
  type GtidSet,
  GtidSyntaxError,
  gtid,
  isEmpty,
  parseGtidSet,
  subtract,
  union,
} from '../../../src/operator/promotion/gtid-set.ts'

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const B = '9f58c169-d121-11e7-835b-ac162db9c048'

describe('the text', () => {
  it.each([
    ['', ''],
    [`${A}:5`, `${A}:5`],
    [`${A}:1-5:7:9-11`, `${A}:1-5:7:9-11`],
    [`${A}:1-3,\n${B}:4-8`, `${A}:1-3,${B}:4-8`],
    [`${B}:4,${A}:1`, `${A}:1,${B}:4`],
    [`${A}:7:1-3:4-5`, `${A}:1-5:7`],
    [`${A}:1-3,${A}:2-9`, `${A}:1-9`],
    [`${A.toUpperCase()}:1`, `${A}:1`],
    [`${A}:1-3:backup:1-5:_b:2`, `${A}:1-3:_b:2:backup:1-5`],
    [`${A}:Backup:1-5:7`, `${A}:backup:1-5:7`],
    [`${A}:backup:1,${A}:2`, `${A}:2:backup:1`],
  ])('%j is %j', (text, canonical) => {
    expect(formatGtidSet(parseGtidSet(text))).toBe(canonical)
  })

  it.each([
    'x',
    A,
    `${A}:`,
    `${A}:0`,
    `${A}:5-3`,
    `${A}:1-`,
    `${A}:-1`,
    `${A}:tag`,
    `${A}:tag:tag:1`,
    `${A}:1:tag`,
    `${A}:1.5`,
    `${A}:ANONYMOUS-TAG:1`,
    `${A}:9223372036854775807`,
    `${A}:${'t'.repeat(33)}:1`,
    `${A};1`,
  ])('%j is refused', (text) => {
    expect(() => parseGtidSet(text)).toThrow(GtidSyntaxError)
  })
})

describe('the arithmetic', () => {
  const numbers = fc.array(fc.tuple(fc.constantFrom(A, B, `${A}:tag`), fc.integer({ min: 1, max: 24 })), {
    maxLength: 40,
  })
  type Plain = ReadonlySet<string>
  const plainOf = (pairs: readonly (readonly [string, number])[]): Plain => new Set(pairs.map((pair) => pair.join(':')))
  const setOf = (pairs: readonly (readonly [string, number])[]): GtidSet =>
    pairs.reduce((set, [origin, number]) => union(set, gtid(origin, number)), EMPTY)
  const check = (set: GtidSet, plain: Plain) => {
    const members = [...set].flatMap(([origin, runs]) => {
      const all: string[] = []
      for (let at = 0; at < runs.length; at += 2) {
        for (let number = runs[at] as number; number <= (runs[at + 1] as number); number += 1) {
          all.push(`${origin}:${number}`)
        }
      }
      return all
    })
    expect(members.length).toBe(plain.size)
    expect(new Set(members)).toEqual(plain)
    expect(equals(parseGtidSet(formatGtidSet(set)), set)).toBe(true)
    expect(formatGtidSet(parseGtidSet(formatGtidSet(set)))).toBe(formatGtidSet(set))
  }

  it('union, subtract and contains do what sets do, and the text loses nothing', () => {
    fc.assert(
      fc.property(numbers, numbers, (left, right) => {
        const [a, b] = [setOf(left), setOf(right)]
        const [plainA, plainB] = [plainOf(left), plainOf(right)]
        check(a, plainA)
        check(union(a, b), new Set([...plainA, ...plainB]))
        check(subtract(a, b), new Set([...plainA].filter((member) => !plainB.has(member))))
        expect(contains(a, b)).toBe([...plainB].every((member) => plainA.has(member)))
        expect(contains(union(a, b), b)).toBe(true)
        expect(isEmpty(subtract(b, a))).toBe(contains(a, b))
        expect(formatGtidSet(union(a, b))).toBe(formatGtidSet(union(b, a)))
        expect(equals(a, b)).toBe(formatGtidSet(a) === formatGtidSet(b))
      }),
      { numRuns: 300 },
    )
  })
})
