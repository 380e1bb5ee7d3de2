// The maps of addresses: made whole from a data package that may be used, or not at all.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { updateGeoMaps } from '../../src/topology/geo-maps.ts'

let directory = ''
let data = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-geo-test-'))
  data = join(directory, 'package')
  mkdirSync(data)
  writeManifest('CC0-1.0')
  // Every second network is elsewhere, so that none can be merged away.
  writeTable(4, 1_500, (index) => `20.${index >> 8}.${index & 255}.0,20.${index >> 8}.${index & 255}.255`)
  writeTable(
    6,
    1_500,
    (index) => `2a00:${index.toString(16)}::,2a00:${index.toString(16)}:ffff:ffff:ffff:ffff:ffff:ffff`,
  )
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function writeManifest(license: string): void {
  writeFileSync(join(data, 'package.json'), JSON.stringify({ name: 'some-data', version: '1.2.3', license }))
}

function writeTable(ip: 4 | 6, rows: number, range: (index: number) => string): void {
  const lines = Array.from({ length: rows }, (_, index) => `${range(index)},${['US', 'DE', 'JP'][index % 3]}`)
  writeFileSync(join(data, `asn-country-ipv${ip}.csv`), `${lines.join('\n')}\n`)
}

function mapOf(ip: 4 | 6): string {
  return join(directory, `deployment/haproxy/maps/continents-${ip}.map`)
}

it('says what they are made from', async () => {
  const { source, maps } = await updateGeoMaps(directory, data)
  expect(source).toBe('Made by `wintrades geo update` from some-data 1.2.3 (CC0-1.0).')
  expect(readFileSync(mapOf(4), 'utf8')).toBe(maps[4].text)
  expect(maps[4].text.split('\n')[0]).toContain(source)
  expect(maps[6].text).toMatch(/^2a00:1::\/32 EU$/m)
})

it.each([
  [
    'a licence that is not open',
    () => writeManifest('CC-BY-SA-4.0'),
    /some-data 1\.2\.3 is licensed CC-BY-SA-4\.0, not CC0-1\.0/,
  ],
  [
    'a package without its files',
    () => rmSync(join(data, 'asn-country-ipv6.csv')),
    /asn-country-ipv6\.csv cannot be read \(ENOENT\)/,
  ],
  [
    'a table that is nearly empty',
    () => writeTable(6, 10, (index) => `2a00:${index}::,2a00:${index}::ffff`),
    /next to no networks of IPv6 \(\d+\): nothing was changed/,
  ],
  [
    'a table that is none',
    () => writeFileSync(join(data, 'asn-country-ipv4.csv'), '<html>'),
    /line 1 of the table of IPv4 is not FIRST,LAST,COUNTRY: <html>/,
  ],
])('refuses %s, and changes nothing', async (_what, spoil, message) => {
  spoil()
  await expect(updateGeoMaps(directory, data)).rejects.toThrow(message)
  expect([existsSync(mapOf(4)), existsSync(mapOf(6))]).toEqual([false, false])
})
