// Decimal strings are exact in both directions, at any scale.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDecimal, parseDecimal } from '../src/decimal.ts'

test('what is formatted parses back to the same integer', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(12), fc.boolean(), (value, scale, trim) => {
      expect(parseDecimal(formatDecimal(value, scale, trim), scale)).toEqual({ ok: true, value })
    }),
  )
})

test('the value is the one BigInt arithmetic gives', () => {
  const digits = (max: number) => fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: max })
  fc.assert(
    fc.property(fc.nat(999_999_999), digits(8), fc.integer({ min: 0, max: 12 }), (whole, fraction, scale) => {
      const parsed = parseDecimal(`${whole}.${fraction}`, scale)
      const significant = fraction.replace(/0+$/, '')
      if (significant.length > scale) {
        expect(parsed).toEqual({ ok: false, fault: 'too_precise' })
        return
      }
      const exact = BigInt(whole) * 10n ** BigInt(scale) + BigInt(fraction.padEnd(scale, '0').slice(0, scale) || '0')
      if (exact > BigInt(Number.MAX_SAFE_INTEGER)) expect(parsed).toEqual({ ok: false, fault: 'out_of_range' })
      else expect(parsed).toEqual({ ok: true, value: Number(exact) })
    }),
  )
})

test.each([
  ['', 'malformed'],
  ['.5', 'malformed'],
  ['5.', 'malformed'],
  ['01', 'malformed'],
  ['-1', 'malformed'],
  ['+1', 'malformed'],
  ['1e3', 'malformed'],
  ['1,5', 'malformed'],
  [' 1', 'malformed'],
  ['NaN', 'malformed'],
  ['Infinity', 'malformed'],
  ['1'.repeat(41), 'malformed'],
  ['1.005', 'too_precise'],
  ['90071992547409.92', 'out_of_range'],
  ['9'.repeat(30), 'out_of_range'],
])('%j is refused as %s', (text, fault) => {
  expect(parseDecimal(text, 2)).toEqual({ ok: false, fault })
})

test('negative amounts are formatted, unsafe ones throw', () => {
  expect(formatDecimal(-5, 2)).toBe('-0.05')
  expect(formatDecimal(-150, 2, true)).toBe('-1.5')
  expect(() => formatDecimal(2 ** 53, 2)).toThrow(RangeError)
  expect(() => formatDecimal(0.5, 2)).toThrow(RangeError)
})
