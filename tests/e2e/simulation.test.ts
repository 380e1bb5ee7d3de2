// The simulated market on a real platform: every instrument has two sides and trades, accounts outlive a restart, a lost region does not
// end it, and nothing is left in the books when it stops.

import { readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Platform, startPlatform } from '@wintrades/operations'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { call } from './client.ts'

let dataDirectory: string
let platform: Platform

beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'wintrades-e2e-simulation-'))
  platform = await startPlatform({ dataDirectory, simulation: true })
})

afterAll(async () => {
  await platform.stop()
  await rm(dataDirectory, { recursive: true, force: true })
})

type Depth = { readonly bids: readonly unknown[]; readonly asks: readonly unknown[] }

async function symbols(): Promise<readonly string[]> {
  const answer = await call<{ items: { symbol: string }[] }>(platform.baseUrl, 'GET', '/api/v1/instruments')
  return answer.body.items.map((one) => one.symbol)
}

/** The instruments of which both sides of the book have levels. */
async function quoted(): Promise<readonly string[]> {
  const found: string[] = []
  for (const symbol of await symbols()) {
    const { body } = await call<Depth>(platform.baseUrl, 'GET', `/api/v1/market/${symbol}/depth`)
    if (body.bids.length > 0 && body.asks.length > 0) found.push(symbol)
  }
  return found
}

test('every instrument has buyers and sellers, and trades', async () => {
  await expect
    .poll(async () => (await quoted()).length, { timeout: 30_000, interval: 500 })
    .toBe((await symbols()).length)
  const trades = async () => {
    const answer = await call<{ items: { tradeCount: number }[] }>(platform.baseUrl, 'GET', '/api/v1/market/tickers')
    return answer.body.items.reduce((sum, ticker) => sum + ticker.tradeCount, 0)
  }
  await expect.poll(trades, { timeout: 60_000, interval: 500 }).toBeGreaterThan(5)
})

test('a lost region does not end it', async () => {
  platform.kill('us-east', 'SIGKILL')
  await platform.waitUntilReady('us-east', 30_000)
  await expect.poll(async () => await quoted(), { timeout: 30_000, interval: 500 }).toContain('BTC-USD')
  expect(platform.processes().find((one) => one.name === 'simulation')).toMatchObject({ restarts: 0 })
})

test('it stops without leaving an order, and goes on with the same accounts', async () => {
  const file = join(dataDirectory, 'simulation.json')
  const accounts = readFileSync(file, 'utf8')
  if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
  await platform.stop()
  expect(readFileSync(join(dataDirectory, 'logs', 'simulation.log'), 'utf8')).toContain('"clean":true')
  platform = await startPlatform({ dataDirectory })
  // What the killed region's connections had left is cancelled by the leader once it misses that process for two seconds.
  await expect.poll(quoted, { timeout: 15_000 }).toEqual([])
  await platform.stop()
  platform = await startPlatform({ dataDirectory, simulation: true })
  await expect.poll(async () => (await quoted()).length, { timeout: 30_000, interval: 500 }).toBeGreaterThan(0)
  expect(readFileSync(file, 'utf8')).toBe(accounts)
})
