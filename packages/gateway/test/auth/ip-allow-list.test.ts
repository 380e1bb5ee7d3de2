// Lists of addresses: what matches what, across both ways to write IPv4, and which entries are refused.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IpAllowList } from '../../src/auth/ip-allow-list.ts'
import { codeOf } from './parts.ts'

test.each([
  ['203.0.113.7', '203.0.113.7', true],
  ['203.0.113.7', '203.0.113.6', false],
  ['203.0.113.7', '::ffff:203.0.113.7', true],
  ['203.0.113.7', '::ffff:cb00:7107', true],
  ['::ffff:203.0.113.7', '203.0.113.7', true],
  ['::ffff:10.0.0.0/104', '10.255.0.1', true],
  ['::ffff:10.0.0.0/104', '11.0.0.1', false],
  ['10.0.0.0/8', '10.200.3.4', true],
  ['10.0.0.0/8', '::ffff:10.200.3.4', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['0.0.0.0/0', '198.51.100.1', true],
  ['0.0.0.0/0', '2001:db8::1', false],
  ['::/0', '2001:db8::1', true],
  ['::/0', '198.51.100.1', false],
  ['2001:db8::/32', '2001:DB8:0:0::5', true],
  ['2001:db8::/32', '2001:db9::5', false],
  ['2001:db8::5', '2001:db8::5', true],
  ['10.0.0.0/8', 'not an address', false],
])('%s and %s: %s', (entry, address, allowed) => {
  expect(IpAllowList.parse([entry]).allows(address)).toBe(allowed)
})

test('an empty list allows every address', () => {
  expect(IpAllowList.parse([]).allows('198.51.100.1')).toBe(true)
  expect(IpAllowList.parse([]).allows('2001:db8::1')).toBe(true)
})

test.each([
  '',
  'example.com',
  '10',
  '10.1',
  '0x7f.0.0.1',
  '010.0.0.1.1',
  '10.0.0.256',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '10.0.0.0/08',
  '10.0.0.0/8 ',
  '2001:db8::/129',
  '::ffff:10.0.0.0/95',
  'fe80::1%eth0',
  '*',
  '1'.repeat(100),
])('%j is refused', async (entry) => {
  expect(await codeOf(() => IpAllowList.parse(['203.0.113.7', entry]))).toBe('REQUEST_MALFORMED')
})

test('a network holds exactly the addresses that share its first bits', () => {
  const address = fc.integer({ min: 0, max: 0xffff_ffff })
  const dotted = (bits: number) => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')
  fc.assert(
    fc.property(address, address, fc.integer({ min: 0, max: 32 }), (network, client, bits) => {
      const mask = bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0
      const inside = ((network ^ client) & mask) === 0
      const list = IpAllowList.parse([`${dotted(network)}/${bits}`])
      expect(list.allows(dotted(client))).toBe(inside)
      expect(list.allows(`::ffff:${dotted(client)}`)).toBe(inside)
    }),
  )
})
