// Networks: the fewest that lead every address to the same value, for a reader who takes the longest that fits.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { BITS, formatNetwork, parseNetwork } from '../src/addresses.ts'
import { aggregate, type Range, type Valued } from '../src/geo/aggregate.ts'
import { continentOf } from '../src/geo/countries.ts'
import { renderContinentMap } from '../src/index.ts'

/** As a balancer reads it. */
function lookUp<Value>(found: readonly Valued<Value>[], address: bigint): Value | undefined {
  const fitting = found.filter(({ network: { version, value, length } }) => {
    const rest = BigInt(BITS[version] - length)
    return address >> rest === value >> rest
  })
  return fitting.sort((one, other) => other.network.length - one.network.length)[0]?.value
}

/** Small numbers, so that ranges meet and nest in all ways. */
const ranges = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 2, maxLength: 24 }).chain((bounds) => {
  const sorted = bounds.sort((one, other) => one - other)
  const pairs = sorted.flatMap((first, index) =>
    index % 2 === 0 && index + 1 < sorted.length ? [[first, sorted[index + 1] as number] as const] : [],
  )
  return fc.tuple(
    ...pairs.map(([first, last]) =>
      fc.constantFrom('a', 'b', 'c').map((value) => ({ first: BigInt(first), last: BigInt(last), value })),
    ),
  )
})

it('leads every address of a range to its value', () => {
  fc.assert(
    fc.property(ranges, (list: readonly Range<string>[]) => {
      const found = aggregate(4, list)
      for (const { first, last, value } of list) {
        for (let address = first; address <= last; address += 1n) expect(lookUp(found, address)).toBe(value)
      }
    }),
  )
})

it('needs one network for what is the same everywhere, holes and all', () => {
  const list = [
    { first: 0x0100_0000n, last: 0x01ff_ffffn, value: 'a' },
    { first: 0x0300_0000n, last: 0x0300_0000n, value: 'a' },
  ]
  expect(aggregate(4, list)).toEqual([{ network: { version: 4, value: 0n, length: 0 }, value: 'a' }])
})

it('refuses ranges that overlap', () => {
  const list = [
    { first: 0n, last: 5n, value: 'a' },
    { first: 5n, last: 6n, value: 'b' },
  ]
  expect(() => aggregate(4, list)).toThrow(/range 1 .* is not behind/)
})

it('makes a map of a table of countries, private addresses nowhere', () => {
  const { text, networks, countriesUnknown } = renderContinentMap(
    {
      version: 4,
      text: '1.0.0.0,1.0.0.255,AU\n1.0.1.0,1.0.3.255,CN\n9.0.0.0,11.255.255.255,US\n99.0.0.0,99.0.0.255,ZZ\n',
    },
    'Of a test.',
  )
  const lines = text.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^# IPv4 network, continent .* Of a test\.$/)
  const found = lines.slice(1).map((line) => {
    const [network = '', value] = line.split(' ')
    return { network: parseNetwork(network) ?? expect.fail(line), value }
  })
  const at = (text: string) => lookUp(found, parseNetwork(`${text}/32`)?.value ?? expect.fail(text))
  expect(['1.0.0.9', '1.0.2.9', '10.1.2.3', '127.0.0.1', '192.168.1.1'].map(at)).toEqual(['OC', 'AS', '--', '--', '--'])
  expect(networks).toBe(found.length)
  expect(countriesUnknown).toEqual(['ZZ'])
})

it('leaves the smallest networks out of a map that would be too long', () => {
  const rows = Array.from(
    { length: 64 },
    (_, index) => `8.0.${index}.0,8.0.${index}.255,${index % 2 === 0 ? 'US' : 'DE'}`,
  )
  const text = [...rows, '9.0.0.0,9.255.255.255,JP'].join('\n')
  const whole = renderContinentMap({ version: 4, text }, '')
  const short = renderContinentMap({ version: 4, text }, '', 400)
  expect(whole.longestPrefix).toBe(32)
  expect(short.text.length).toBeLessThanOrEqual(400)
  expect(short.longestPrefix).toBeLessThan(24)
  expect(short.text).toContain('9.0.0.0/8 AS')
})

it.each([
  ['1.0.0.0,1.0.0.255', 1],
  ['1.0.0.0,1.0.0.255,AU\n1.0.1.0,1.0.1,CN', 2],
  ['2001:db8::,2001:db8::1,DE', 1],
])('refuses a table with a line that is none: %s', (text, line) => {
  expect(() => renderContinentMap({ version: 4, text }, '')).toThrow(
    `line ${line} of the table of IPv4 is not FIRST,LAST,COUNTRY`,
  )
})

it('knows every country once', () => {
  expect(['US', 'DE', 'JP', 'BR', 'ZA', 'NZ', 'AQ'].map(continentOf)).toEqual([
    'north-america',
    'europe',
    'asia',
    'south-america',
    'africa',
    'oceania',
    'antarctica',
  ])
  expect(continentOf('ZZ')).toBeNull()
})

it('writes networks in their shortest form', () => {
  expect(formatNetwork({ version: 6, value: 0x2001_0db8n << 96n, length: 32 })).toBe('2001:db8::/32')
})
