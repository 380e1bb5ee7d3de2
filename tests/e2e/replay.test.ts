// `wintrades replay` as typed, on a private platform: the trades are those of an independent matcher, down to the share.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const LAUNCHER = fileURLToPath(new URL('../../wintrades', import.meta.url))
const FIXTURE = fileURLToPath(new URL('../../packages/marketdata/test/fixtures/bme-made-up.csv', import.meta.url))
const BME = fileURLToPath(new URL('../../../shared/data/l3/bme-ANA-2019-05-23-orders.csv.gz', import.meta.url))

type Figure = { readonly name: string; readonly value: number; readonly reference: number | null }

async function replay(...args: readonly string[]) {
  const child = spawn(LAUNCHER, ['replay', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...texts }
}

function figures(stdout: string): ReadonlyMap<string, Figure> {
  const list = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Figure)
  return new Map(list.map((figure) => [figure.name, figure]))
}

test('a small recording, in real time and in full view', async () => {
  const { code, stdout, stderr } = await replay(FIXTURE, '--private', '--accounts', '2', '--speed', '1')
  expect(code, stderr).toBe(0)
  expect(stdout).toContain('✔ 4 trades, volume 60: the same as an independent price-time matcher')
  expect(stdout).toMatch(/2 +ORDER_NOT_OPEN: a cancel or change of an order that had been filled already/)
  expect(stdout).toMatch(/1 +ORDER_UNKNOWN: a cancel or change of an order from before the recording began/)
})

test.skipIf(!existsSync(BME))(
  `a day of Acciona: 2,078 trades, 84,969 shares${existsSync(BME) ? '' : ' (skipped: no data)'}`,
  async () => {
    const { code, stdout, stderr } = await replay(BME, '--private', '--json')
    expect(code, stderr).toBe(0)
    const measured = figures(stdout)
    expect(measured.get('replay.trades')).toMatchObject({ value: 2_078, reference: 2_078 })
    expect(measured.get('replay.volume')).toMatchObject({ value: 84_969, reference: 84_969 })
    expect(measured.get('replay.rejects.ORDER_NOT_OPEN')).toMatchObject({ value: 353 + 117 })
    expect(measured.get('replay.unknown')).toMatchObject({ value: 0 })
  },
)

test('what is not a recording is refused before anything starts', async () => {
  const { code, stderr } = await replay(fileURLToPath(new URL('../../README.md', import.meta.url)), '--private')
  expect(code).toBe(1)
  expect(stderr).toContain('README.md begins like none of the known formats (bme, bitstamp, binance)')
})
