// Addresses and networks: read and written exactly, in one form.

import { isIP } from 'node:net'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatNetwork, isAddress, overlap, parseNetwork } from '../src/addresses.ts'

it.each([
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['255.255.255.255/32', '255.255.255.255/32'],
  ['2001:0db8:0:0::/32', '2001:db8::/32'],
  ['2001:db8:0:1:0:0:0:0/64', '2001:db8:0:1::/64'],
  ['::/0', '::/0'],
  ['::1/128', '::1/128'],
  ['::ffff:192.0.2.0/120', '::ffff:c000:200/120'],
])('reads %s', (text, written) => {
  const network = parseNetwork(text)
  expect(network && formatNetwork(network)).toBe(written)
})

it.each([
  '10.0.0.1/8',
  '10.0.0.0/33',
  '10.0.0/8',
  '10.0.0.0',
  '01.0.0.0/8',
  '::/129',
  '1::2::/32',
  ':::/8',
  '1:2:3:4:5:6:7:8:9/16',
  'a/8',
])('refuses %s', (text) => expect(parseNetwork(text)).toBeNull())

it('knows an address as Node does', () => {
  const piece = fc.constantFrom('0', '1', 'ffff', '255', '256', '.', ':', '::', 'g', '10')
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (one) => {
      expect([one, isAddress(one)]).toEqual([one, isIP(one) > 0])
    }),
  )
})

it('tells networks that overlap', () => {
  const of = (text: string) => parseNetwork(text) ?? expect.fail(text)
  expect(overlap(of('10.0.0.0/8'), of('10.255.0.0/16'))).toBe(true)
  expect(overlap(of('10.0.0.0/9'), of('10.128.0.0/9'))).toBe(false)
  expect(overlap(of('::/0'), of('0.0.0.0/0'))).toBe(false)
})
