// Links between processes under the private authority's certificates: who gets one, who does not, and what a renewal changes.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import type { RegionName } from '@wintrades/domain'
import { createLogger, type Logger } from '@wintrades/platform'
import { LinkTlsFault, type LinkTlsFiles, type Peer, TcpTransport } from '@wintrades/venue'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ensureCertificates } from '../../src/operator/certificates/authority.ts'

const US = 'us-east' as RegionName
const EU = 'eu-west' as RegionName
const HOST = '127.0.0.1'
const KEY = new Uint8Array(32).fill(7)

let directory: string
let transports: TcpTransport[]
let lines: string[]
let peers: readonly Peer[]

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-link-tls-'))
  transports = []
  lines = []
  peers = [
    { region: US, host: HOST, port: await freePort() },
    { region: EU, host: HOST, port: await freePort() },
  ]
})

afterEach(async () => {
  await Promise.all(transports.map((one) => one.close()))
  rmSync(directory, { recursive: true, force: true })
})

/** `ours` is the platform's authority; another one signs for nobody here. */
async function filesOf(name: string, hosts: readonly string[], authority = 'ours'): Promise<LinkTlsFiles> {
  await ensureCertificates(join(directory, authority), [{ name, hosts }])
  const file = (end: string) => join(directory, authority, name, end)
  return { certificateFile: file('server.pem'), keyFile: file('server.key'), caFile: file('ca.pem') }
}

const logger: Logger = createLogger('test', { level: 'info', write: (line) => void lines.push(line) })

class Node {
  readonly up = new Set<number>()
  readonly frames: string[] = []
  readonly transport: TcpTransport
  readonly #origin: number

  constructor(region: RegionName, origin: number, tls: LinkTlsFiles | null) {
    const own = peers.find((peer) => peer.region === region) as Peer
    this.#origin = origin
    this.transport = new TcpTransport({ region, origin, host: HOST, port: own.port, peers, key: KEY, tls, logger })
    transports.push(this.transport)
  }

  async start(): Promise<this> {
    await this.transport.start({
      up: ({ origin }) => void this.up.add(origin),
      down: ({ origin }) => void this.up.delete(origin),
      looked: () => {},
      received: (origin, frame) => void this.frames.push(`${origin}: ${frame.length}`),
    })
    return this
  }

  get origin(): number {
    return this.#origin
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const refusals = () => lines.filter((line) => /no link|was refused/.test(line)).join('\n')

test('both sides show a certificate of the authority: a link, and large frames go through', async () => {
  const us = await new Node(US, 1, await filesOf('app_us_east', [HOST])).start()
  const eu = await new Node(EU, 2, await filesOf('app_eu_west', [HOST])).start()
  await expect.poll(() => us.up.has(2) && eu.up.has(1), { timeout: 5_000 }).toBe(true)
  expect(us.transport.send(2, [new Uint8Array(1_000_000), new Uint8Array(5)])).toBe(true)
  await expect.poll(() => eu.frames, { timeout: 5_000 }).toEqual(['1: 1000005'])
  expect(refusals()).toBe('')
})

test('nothing older than TLS 1.3, nothing unencrypted, nobody without a certificate', async () => {
  const files = await filesOf('app_us_east', [HOST])
  await new Node(US, 1, files).start()
  const { port } = peers[0] as Peer
  const ended = (options: ConnectionOptions) =>
    new Promise<string>((resolve) => {
      const socket = tlsConnect({ ...options, host: HOST, port, rejectUnauthorized: false })
      let heard = ''
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1')
      })
      socket.on('error', (error) => resolve(`${(error as NodeJS.ErrnoException).code}${heard}`))
      socket.on('close', () => resolve(`closed${heard}`))
    })
  expect(await ended({ maxVersion: 'TLSv1.2' })).toMatch(/PROTOCOL_VERSION/)
  expect(await ended({})).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET|closed$/)
  const plain = await new Node(EU, 2, null).start()
  await expect.poll(() => lines.join('\n'), { timeout: 5_000 }).toMatch(/it is no process of WinTrades|wrong version/i)
  expect(plain.up.size).toBe(0)
})

test('a certificate of another authority, or of another service under the same one, opens no link', async () => {
  const us = await new Node(US, 1, await filesOf('app_us_east', [HOST])).start()
  const foreign = await new Node(EU, 2, await filesOf('app_eu_west', [HOST], 'theirs')).start()
  await expect.poll(() => refusals(), { timeout: 5_000 }).toMatch(/self-signed|unable to (get|verify)|unknown ca/i)
  expect(us.up.size + foreign.up.size).toBe(0)
  await foreign.transport.close()

  const database = await new Node(EU, 3, await filesOf('mysql_master', ['mysql_master'])).start()
  await expect.poll(() => refusals(), { timeout: 5_000 }).toContain('its certificate is not of 127.0.0.1')
  expect(us.up.size + database.up.size).toBe(0)
})

test('a certificate that does not fit is refused at the start, by file', async () => {
  const good = await filesOf('app_us_east', [HOST])
  const other = await filesOf('app_eu_west', [HOST])
  const foreign = await filesOf('app_us_east', [HOST], 'theirs')
  const start = (tls: LinkTlsFiles) => () => new Node(US, 1, tls)
  expect(start({ ...good, keyFile: other.keyFile })).toThrow(LinkTlsFault)
  expect(start({ ...good, keyFile: other.keyFile })).toThrow(/server\.key is not the key of .*server\.pem/)
  expect(start({ ...good, caFile: foreign.caFile })).toThrow(/was not signed by/)
  expect(start({ ...good, certificateFile: join(directory, 'none.pem') })).toThrow(/none\.pem cannot be read/)
  writeFileSync(join(directory, 'damaged.pem'), 'not a certificate')
  expect(start({ ...good, certificateFile: join(directory, 'damaged.pem') })).toThrow(/is no certificate in PEM form/)
})

test('new files are taken up without a restart', { timeout: 30_000 }, async () => {
  const wrong = await filesOf('app_us_east', ['elsewhere'])
  const files = { ...wrong, certificateFile: join(directory, 'link.pem'), keyFile: join(directory, 'link.key') }
  cpSync(wrong.certificateFile, files.certificateFile)
  cpSync(wrong.keyFile, files.keyFile)
  const us = await new Node(US, 1, files).start()
  const eu = await new Node(EU, 2, await filesOf('app_eu_west', [HOST])).start()
  await expect.poll(() => refusals(), { timeout: 5_000 }).toContain('its certificate is not of 127.0.0.1')
  const right = await filesOf('app_us_east_new', [HOST])
  cpSync(right.keyFile, files.keyFile)
  cpSync(right.certificateFile, files.certificateFile)
  await expect.poll(() => us.up.has(2) && eu.up.has(1), { timeout: 25_000 }).toBe(true)
})
