// What encrypting links costs: the same frames over a plain link and over TLS, in turn, in processor time of the process, which sends and receives.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { RegionName } from '@wintrades/domain'
import { ensureCertificates } from '@wintrades/operations/certificates'
import { createLogger } from '@wintrades/platform'
import { type LinkTlsFiles, type Peer, TcpTransport } from '@wintrades/venue'
import type { BenchOptions, Figure } from './figure.ts'
import { median } from './statistics.ts'

const HOST = '127.0.0.1'
const REGIONS = ['us-east', 'eu-west'] as RegionName[] as [RegionName, RegionName]
const ROUNDS = 5
/** A batch under load, and one of a few orders. */
const SIZES = [65_536, 1_024]
const WINDOW_BYTES = 4 * 1024 * 1024
const START_TIMEOUT_MS = 10_000

export async function run({ say, seconds }: BenchOptions): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-links-'))
  try {
    await ensureCertificates(directory, [{ name: 'app', hosts: [HOST] }])
    const file = (name: string) => join(directory, 'app', name)
    const files = { certificateFile: file('server.pem'), keyFile: file('server.key'), caFile: file('ca.pem') }
    const [plain, encrypted] = [await Pair.open(null), await Pair.open(files)]
    const figures: Figure[] = []
    for (const bytes of SIZES) figures.push(await compare(plain, encrypted, bytes, seconds, say))
    await plain.close()
    await encrypted.close()
    return figures
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function compare(
  plain: Pair,
  encrypted: Pair,
  bytes: number,
  seconds: number,
  say: (line: string) => void,
): Promise<Figure> {
  const costs: { readonly plain_us: number; readonly encrypted_us: number }[] = []
  // Shorter than an idle link is left alone.
  const part_ms = Math.min(1_000, (seconds * 1_000) / (2 * SIZES.length * ROUNDS))
  for (let round = 0; round < ROUNDS; round++) {
    const plain_us = await plain.costOfFrame_us(bytes, part_ms)
    const encrypted_us = await encrypted.costOfFrame_us(bytes, part_ms)
    costs.push({ plain_us, encrypted_us })
    say(`${bytes} bytes: ${plain_us.toFixed(1)} µs a frame, encrypted ${encrypted_us.toFixed(1)} µs`)
  }
  return {
    name: `links.tls_${bytes}`,
    value: median(costs.map((one) => one.encrypted_us)),
    unit: 'µs of processor time a frame, both ends',
    reference: median(costs.map((one) => one.plain_us)),
  }
}

/** Two processes' ends of one link, in this process. */
class Pair {
  readonly #ends: readonly TcpTransport[]
  #linked = false
  #received = 0
  #onReceived: () => void = () => {}

  private constructor(peers: readonly Peer[], tls: LinkTlsFiles | null) {
    const logger = createLogger('bench', { level: 'warn' })
    const key = new Uint8Array(32)
    this.#ends = peers.map(
      ({ region, port }, i) => new TcpTransport({ region, origin: i + 1, host: HOST, port, peers, key, tls, logger }),
    )
  }

  static async open(tls: LinkTlsFiles | null): Promise<Pair> {
    const ports = [await freePort(), await freePort()]
    const pair = new Pair(
      REGIONS.map((region, i) => ({ region, host: HOST, port: ports[i] as number })),
      tls,
    )
    for (const [i, end] of pair.#ends.entries()) {
      await end.start({
        up: () => {
          if (i === 0) pair.#linked = true
        },
        down: () => {},
        looked: () => {},
        received: () => {
          pair.#received++
          pair.#onReceived()
        },
      })
    }
    const deadline_ms = performance.now() + START_TIMEOUT_MS
    while (!pair.#linked) {
      if (performance.now() > deadline_ms) throw new Error('no link on loopback')
      await pause(5)
    }
    return pair
  }

  async costOfFrame_us(bytes: number, part_ms: number): Promise<number> {
    const frame = [new Uint8Array(bytes)]
    const inFlight_max = Math.ceil(WINDOW_BYTES / bytes)
    const before = process.cpuUsage()
    const began = this.#received
    const until_ms = performance.now() + part_ms
    let sent = began
    await new Promise<void>((resolve) => {
      const fill = () => {
        const isOver = performance.now() > until_ms
        while (!isOver && sent - this.#received < inFlight_max) {
          this.#ends[0]?.send(2, frame)
          sent++
        }
        if (isOver && this.#received === sent) resolve()
      }
      // A quarter of the window at a time, as batches come in bursts.
      this.#onReceived = () => {
        if (sent - this.#received <= (inFlight_max * 3) / 4) fill()
      }
      fill()
    })
    const { user, system } = process.cpuUsage(before)
    return (user + system) / (this.#received - began)
  }

  async close(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end.close()))
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
