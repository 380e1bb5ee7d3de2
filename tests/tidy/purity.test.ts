// Determinism that types cannot check: the source of domain and engine uses no clock, no randomness, no locale, and no
// arithmetic whose result could differ between machines. (Node and DOM are kept out by their tsconfig.)

import { expect, test } from 'vitest'
import { CODE, findMatches, type SourceFile } from './repository.ts'

/** Source of the pure packages, with comments blanked so that they may speak of what is banned. */
const PURE: readonly SourceFile[] = CODE.filter((file) => /^packages\/(domain|engine)\/src\//.test(file.path)).map(
  ({ path, text }) => ({ path, text: blankComments(text) }),
)

const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bMath\.random\b/, 'randomness'],
  [/\bDate\b/, 'a clock'],
  [/\bperformance\b/, 'a clock'],
  [/\bIntl\b|\btoLocale\w*\b|\blocaleCompare\b/, 'the locale of the machine'],
  [
    /\bMath\.(sin|cos|tan|asin|acos|atan2?|exp|expm1|log|log2|log10|log1p|pow|cbrt|hypot|sinh|cosh|tanh)\b/,
    'a function whose last bit is up to the machine',
  ],
  [/\bparseFloat\b|\btoFixed\b|\btoPrecision\b|\btoExponential\b/, 'floating-point text'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask|Promise|async|await)\b/, 'scheduling'],
  [/\bWeakRef\b|\bFinalizationRegistry\b/, 'the garbage collector'],
  [/\bglobalThis\b|\beval\b|\bnew Function\b/, 'the world outside'],
  [/\bfor\s*\([^)]*\bin\b/, 'iteration over keys in an order that is easy to get wrong'],
]

function blankComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`])\/\/.*$/gm, '$1')
}

test('there is something to check', () => {
  expect(PURE.length).toBeGreaterThan(5)
})

test.each(BANNED.map(([pattern, what]) => ({ what, pattern })))(
  'domain and engine do not use $what',
  ({ pattern, what }) => {
    expect(findMatches(PURE, pattern, what)).toEqual([])
  },
)

test.each([
  ['const x = Math.random()', 0],
  ['const now = Date.now()', 1],
  ['a.localeCompare(b)', 3],
  ['const y = Math.pow(2, 3)', 4],
  ['for (const key in object) {', 9],
])('the check catches: %s', (line, index) => {
  expect(findMatches([{ path: 'planted.ts', text: line }], BANNED[index]?.[0] ?? /^$/, 'planted')).toHaveLength(1)
})
