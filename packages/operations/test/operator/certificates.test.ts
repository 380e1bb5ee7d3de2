// The private authority: what it makes is believed by a TLS client under the right names only, and is renewed in time.

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ensureCertificates, RENEW_DAYS, renewCertificates } from '../../src/operator/certificates/authority.ts'

const DAY_MS = 86_400_000
const SERVER = { name: 'mysql_master', hosts: ['mysql_master', '127.0.0.1'] }
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-ca-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const file = (...parts: string[]) => join(directory, ...parts)

/** What a client that believes only this authority says of the server under a name. */
async function greet(servername: string): Promise<string> {
  const server = createServer({
    key: readFileSync(file(SERVER.name, 'server.key')),
    cert: readFileSync(file(SERVER.name, 'server.pem')),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await new Promise((resolve) => {
      const { port } = server.address() as AddressInfo
      const socket = connect({ host: '127.0.0.1', port, servername, ca: readFileSync(file('ca.pem')) }, () => {
        resolve('welcome')
        socket.destroy()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  } finally {
    server.close()
  }
}

it('makes an authority and certificates that its clients believe, for the names asked for alone', async () => {
  const [report] = await ensureCertificates(directory, [SERVER])
  expect(report).toMatchObject({ name: 'mysql_master', action: 'made' })
  expect(await greet('mysql_master')).toBe('welcome')
  expect(await greet('mysql_slave_eu')).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
})

it.skipIf(process.platform === 'win32')('keeps keys from everybody else', async () => {
  await ensureCertificates(directory, [SERVER])
  for (const key of [file('ca.key'), file(SERVER.name, 'server.key')]) expect(statSync(key).mode & 0o777).toBe(0o600)
})

it('keeps what serves, renews what expires soon, and makes anew what has other names', async () => {
  await ensureCertificates(directory, [SERVER])
  const authority = readFileSync(file('ca.pem'), 'utf8')
  const first = readFileSync(file(SERVER.name, 'server.pem'), 'utf8')
  expect(await ensureCertificates(directory, [SERVER])).toMatchObject([{ action: 'kept' }])
  expect(readFileSync(file(SERVER.name, 'server.pem'), 'utf8')).toBe(first)
  const later = new Date(Date.now() + (397 - RENEW_DAYS + 1) * DAY_MS)
  expect(await ensureCertificates(directory, [SERVER], later)).toMatchObject([{ action: 'renewed' }])
  const moved = { ...SERVER, hosts: [...SERVER.hosts, 'db.example'] }
  expect(await ensureCertificates(directory, [moved])).toMatchObject([{ action: 'renewed' }])
  expect(readFileSync(file('ca.pem'), 'utf8')).toBe(authority)
})

it('makes a new one where that is wanted, with a new key, under the same authority', async () => {
  await ensureCertificates(directory, [SERVER])
  const [authority, key] = [readFileSync(file('ca.pem'), 'utf8'), readFileSync(file(SERVER.name, 'server.key'), 'utf8')]
  expect(await renewCertificates(directory, [SERVER])).toMatchObject([{ name: SERVER.name, action: 'renewed' }])
  expect(readFileSync(file('ca.pem'), 'utf8')).toBe(authority)
  expect(readFileSync(file(SERVER.name, 'server.key'), 'utf8')).not.toBe(key)
  expect(await greet('mysql_master')).toBe('welcome')
})

it('refuses half an authority instead of beginning another', async () => {
  await ensureCertificates(directory, [SERVER])
  rmSync(file('ca.key'))
  await expect(ensureCertificates(directory, [SERVER])).rejects.toThrow(/ca\.key is missing/)
  expect(existsSync(file('ca.key'))).toBe(false)
})
