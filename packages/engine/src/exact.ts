// Exact integer arithmetic on numbers: everything here is a safe integer and stays one. Products that would pass 2^53 are
// split; nothing is rounded except where a function's name says in which direction.

import { assert } from '@wintrades/domain'

export const MILLION = 1_000_000
export const SAFE_MAX = Number.MAX_SAFE_INTEGER

/**
 * ceil(notional × ppm / 10^6): a fee is rounded up to the next smallest unit. `notional` is at most 2^53 − 1, `ppm` at most 10^6.
 * For integers below 2^53, `a / b` never rounds across an integer, so floor and ceil of it are exact.
 */
export function shareCeil(notional: number, ppm: number): number {
  if (ppm === 0) return 0
  const product = notional * ppm
  if (product <= SAFE_MAX) return Math.ceil(product / MILLION)
  const whole = Math.floor(notional / MILLION)
  return whole * ppm + Math.ceil(((notional - whole * MILLION) * ppm) / MILLION)
}

/** floor(a × b / c) for 0 ≤ b ≤ c, exact for all safe integers. */
export function proportionFloor(a: number, b: number, c: number): number {
  const product = a * b
  if (product <= SAFE_MAX) return Math.floor(product / c)
  const whole = Math.floor(a / c)
  let rest = a - whole * c
  // rest × b / c by doubling: rest and c are below 2^53, so each step stays exact.
  let quotient = 0
  let remainder = 0
  let multiplier = b
  while (multiplier > 0) {
    if (multiplier % 2 === 1) {
      remainder += rest
      if (remainder >= c) {
        remainder -= c
        quotient += 1
      }
      multiplier -= 1
    }
    if (multiplier > 0) {
      multiplier /= 2
      // quotient counts whole c's; those that doubling `rest` brings belong to every later use of it.
      rest *= 2
      if (rest >= c) {
        rest -= c
        quotient += multiplier
      }
    }
  }
  return whole * b + quotient
}

/** Product of counts that the instrument's limits keep below 2^53. */
export function product(a: number, b: number): number {
  const value = a * b
  assert(value <= SAFE_MAX, 'a product stays below 2^53')
  return value
}

/** a × b for integers ≥ 0 and b ≤ 2^53 − 1; what passes 2^53 − 1 is 2^53 − 1. A product that fits is exact. */
export function timesClamped(a: number, b: number): number {
  return Math.min(a * b, SAFE_MAX)
}

/** a + b for safe integers of either sign; what passes ±(2^53 − 1) stays there. A sum that fits is exact. */
export function plusClamped(a: number, b: number): number {
  return Math.max(-SAFE_MAX, Math.min(a + b, SAFE_MAX))
}

/** floor(value × ppm / 10^6) for any 32-bit ppm; at most 2^53 − 1. */
export function shareFloorClamped(value: number, ppm: number): number {
  const whole = Math.floor(value / MILLION)
  return Math.min(whole * ppm + Math.floor(((value - whole * MILLION) * ppm) / MILLION), SAFE_MAX)
}

/** ceil(value × ppm / 10^6) for any 32-bit ppm; at most 2^53 − 1. */
export function shareCeilClamped(value: number, ppm: number): number {
  const whole = Math.floor(value / MILLION)
  return Math.min(whole * ppm + Math.ceil(((value - whole * MILLION) * ppm) / MILLION), SAFE_MAX)
}
