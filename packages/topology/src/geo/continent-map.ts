// The map from networks to continents that the load balancer reads, from a table of countries: `first,last,COUNTRY` a line, as openly licensed data sets
// have it.

import { type Address, BITS, formatNetwork, parseAddress } from '../addresses.ts'
import type { Continent } from '../model.ts'
import { aggregate, type Range } from './aggregate.ts'
import { continentOf } from './countries.ts'

/** As they stand in the map: short, for a config of the swarm holds 500 KB. */
export const CONTINENT_CODES: Readonly<Record<Continent, string>> = {
  africa: 'AF',
  antarctica: 'AN',
  asia: 'AS',
  europe: 'EU',
  'north-america': 'NA',
  oceania: 'OC',
  'south-america': 'SA',
}

/** Where a client of these networks is, its address does not say. */
const NOWHERE = '--'

export const CONTINENT_MAP_BYTES_MAX = 500_000

export type ContinentMap = {
  readonly text: string
  readonly networks: number
  /** Smaller networks were left out, for the map would have been too long: they count as what is around them. */
  readonly longestPrefix: number
  readonly countriesUnknown: readonly string[]
}

export type CountryTable = { readonly version: Address['version']; readonly text: string }

const ROWS_MAX = 5_000_000
/** Private, shared, local, documentation: nobody's on the Internet (RFC 6890). */
const NOBODYS = {
  4: [
    '0.0.0.0-0.255.255.255',
    '10.0.0.0-10.255.255.255',
    '100.64.0.0-100.127.255.255',
    '127.0.0.0-127.255.255.255',
    '169.254.0.0-169.254.255.255',
    '172.16.0.0-172.31.255.255',
    '192.168.0.0-192.168.255.255',
    '224.0.0.0-255.255.255.255',
  ],
  6: ['::-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
} as const

/** `source`: what it is made from, for the head of the file. Throws with the line when the table is not what it should be. */
export function renderContinentMap(
  { version, text: table }: CountryTable,
  source: string,
  bytes_max = CONTINENT_MAP_BYTES_MAX,
): ContinentMap {
  const unknown = new Set<string>()
  const ranges = withNobodys(version, readTable(version, table, unknown))
  const head = `# IPv${version} network, continent of its clients; the longest that fits counts. ${source}\n`
  const lines = aggregate(version, ranges).map(({ network, value }) => ({
    length: network.length,
    text: `${formatNetwork(network)} ${value}\n`,
  }))
  for (let longestPrefix: number = BITS[version]; ; longestPrefix -= 1) {
    const kept = lines.filter(({ length }) => length <= longestPrefix).map(({ text }) => text)
    const text = head + kept.join('')
    if (text.length <= bytes_max)
      return { text, networks: kept.length, longestPrefix, countriesUnknown: [...unknown].sort() }
  }
}

function readTable(version: Address['version'], text: string, unknown: Set<string>): readonly Range<string>[] {
  const rows = text.split('\n')
  if (rows.length > ROWS_MAX) throw new Error(`the table of IPv${version} has more than ${ROWS_MAX} lines`)
  const ranges = rows.flatMap((row, index): Range<string>[] => {
    if (row === '') return []
    const [first = '', last = '', country = ''] = row.trim().split(',')
    const [from, to] = [parseAddress(first), parseAddress(last)]
    if (from?.version !== version || to?.version !== version || !/^[A-Z]{2}$/.test(country))
      throw new Error(`line ${index + 1} of the table of IPv${version} is not FIRST,LAST,COUNTRY: ${row.slice(0, 80)}`)
    const continent = continentOf(country)
    if (continent === null) unknown.add(country)
    return continent === null ? [] : [{ first: from.value, last: to.value, value: CONTINENT_CODES[continent] }]
  })
  return ranges.sort((one, other) => (one.first < other.first ? -1 : 1))
}

/** What is nobody's goes before what a table may say of it. */
function withNobodys(version: Address['version'], ranges: readonly Range<string>[]): readonly Range<string>[] {
  const nobodys = NOBODYS[version].map((text): Range<string> => {
    const [first = 0n, last = 0n] = text.split('-').map((address) => parseAddress(address)?.value)
    return { first, last, value: NOWHERE }
  })
  const others = ranges.filter(({ first, last }) => !nobodys.some((one) => first <= one.last && last >= one.first))
  return [...nobodys, ...others].sort((one, other) => (one.first < other.first ? -1 : 1))
}
