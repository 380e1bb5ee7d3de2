// The certificate that clients see: brought, or made where there is none; checked each time.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verify } from 'unixcrypt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { balancerUsers } from '../../src/deployment/password-digest.ts'
import { ensurePublicCertificate, readPublicCertificate } from '../../src/deployment/public-certificate.ts'

const DOMAINS = ['trade.example.org', '127.0.0.1']
const DAY_MS = 86_400_000
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wintrades-ssl-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('where there is none, a self-signed one is made, once', async () => {
  expect(readPublicCertificate(DOMAINS, folder)).toBeNull()
  const both = await ensurePublicCertificate(DOMAINS, folder)
  expect(both).toMatch(/BEGIN CERTIFICATE[\s\S]*BEGIN PRIVATE KEY/)
  expect(readFileSync(join(folder, 'wintradesgo.pem'), 'utf8')).toBe(both)
  expect(await ensurePublicCertificate(DOMAINS, folder)).toBe(both)
  expect(readPublicCertificate(DOMAINS, folder)).toMatchObject({
    isSelfSigned: true,
    warnings: ['the certificate of clients is self-signed: browsers warn of it'],
  })
})

test('its end and names are warned of', async () => {
  await ensurePublicCertificate(DOMAINS, folder)
  const later = new Date(Date.now() + 380 * DAY_MS)
  const warnings = readPublicCertificate([...DOMAINS, 'other.example.org'], folder, later)?.warnings.join('\n')
  expect(warnings).toMatch(/expires on .* in 1\d days/)
  expect(warnings).toContain('is not for other.example.org')
})

test('one that has expired, has another key, or half of which is missing is refused with what to do', async () => {
  await ensurePublicCertificate(DOMAINS, folder)
  const expired = new Date(Date.now() + 400 * DAY_MS)
  expect(() => readPublicCertificate(DOMAINS, folder, expired)).toThrow(/has expired on .*bring a new one/)
  const other = mkdtempSync(join(tmpdir(), 'wintrades-ssl-'))
  await ensurePublicCertificate(DOMAINS, other)
  writeFileSync(join(folder, 'wintradesgo.key'), readFileSync(join(other, 'wintradesgo.key')))
  rmSync(other, { recursive: true })
  await expect(ensurePublicCertificate(DOMAINS, folder)).rejects.toThrow('is not the key of')
  rmSync(join(folder, 'wintradesgo.key'))
  await expect(ensurePublicCertificate(DOMAINS, folder)).rejects.toThrow(
    'wintradesgo.key is missing beside its other half',
  )
  writeFileSync(join(folder, 'wintradesgo.key'), 'nonsense')
  await expect(ensurePublicCertificate(DOMAINS, folder)).rejects.toThrow('is no private key in PEM form')
})

test("the balancer's list has a digest of the password, never the same twice", () => {
  const lists = [
    balancerUsers('operations', { person: 'the-password' }),
    balancerUsers('operations', { person: 'the-password' }),
  ]
  for (const list of lists) {
    expect(list).not.toContain('the-password')
    const digest = list.match(/user person password (\S+)/)?.[1] ?? ''
    expect(digest).toMatch(/^\$5\$/)
    expect(verify('the-password', digest)).toBe(true)
    expect(verify('another', digest)).toBe(false)
  }
  expect(lists[0]).not.toBe(lists[1])
})
