// Whole recordings through the real engine, without a platform in between. The files lie beside the repository where the project is
// developed; elsewhere these tests are skipped.

import { existsSync } from 'node:fs'
import { readRecording } from '@wintrades/marketdata'
import { describe, expect, test } from 'vitest'
import { fit, measure } from '../../src/replay/survey.ts'
import { Translator } from '../../src/replay/translate.ts'
import { inRepository } from '../../src/repository.ts'
import { EngineVenue } from './engine-venue.ts'

const DATA = inRepository('..', 'shared', 'data')
const BME = `${DATA}/l3/bme-ANA-2019-05-23-orders.csv.gz`
const BITSTAMP = `${DATA}/l3/bitstamp-BTCUSD-2015-05-01-orders.csv.xz`
const BINANCE = `${DATA}/l2/binance-spot-btcusdt_20240808.gz`
const TIMEOUT_MS = 60_000
const BATCH_OPERATIONS = 100

async function play(path: string, format: 'bme' | 'bitstamp' | 'binance', accounts: number) {
  const extent = await measure(path, format)
  const { limits, grid, need } = await fit(path, format, extent, { accounts, run: 'test' })
  const venue = new EngineVenue(limits, need)
  const translator = new Translator({ grid, accounts, run: 'test' })
  let batch: Parameters<EngineVenue['send']>[0] = []
  for await (const record of readRecording(path, format)) {
    if (record.kind === 'fault') continue
    batch = [...batch, ...translator.translate(record)]
    if (batch.length < BATCH_OPERATIONS) continue
    venue.send(batch)
    batch = []
  }
  if (batch.length > 0) venue.send(batch)
  venue.engine.checkInvariants()
  return { extent, need, venue, translator }
}

describe.skipIf(!existsSync(BME))(`recorded order flow${existsSync(BME) ? '' : ' (skipped: no data)'}`, () => {
  test('a day of Acciona gives the trades of an independent price-time matcher', { timeout: TIMEOUT_MS }, async () => {
    const { extent, need, venue } = await play(BME, 'bme', 4)
    expect(extent).toMatchObject({ actions: 27_056, faults: 0, priceScale: 2, quantityScale: 0 })
    expect(need).toMatchObject({ trades: 2_078, lots: 84_969, rounded: 0 })
    expect(venue).toMatchObject({ trades: 2_078, lots: 84_969 })
    // Cancels and modifications of orders that had been filled already; nothing else is refused.
    expect(venue.refused).toEqual({ ORDER_NOT_OPEN: 353 + 117 })
  })

  test('five hours of Bitstamp', { timeout: TIMEOUT_MS }, async () => {
    const { need, venue } = await play(BITSTAMP, 'bitstamp', 3)
    expect(venue.trades).toBe(need.trades)
    expect(venue.lots).toBe(need.lots)
    expect(venue.trades).toBeGreaterThan(250)
    expect(Object.keys(venue.refused).sort()).toEqual(['ORDER_NOT_OPEN', 'ORDER_UNKNOWN'])
  })

  test('six minutes of Binance, from the book and its trades', { timeout: TIMEOUT_MS }, async () => {
    const { need, venue } = await play(BINANCE, 'binance', 3)
    expect(venue.trades).toBe(need.trades)
    expect(venue.lots).toBe(need.lots)
    expect(venue.trades).toBeGreaterThan(8_000)
    // Rounding to the lot now and then leaves nothing of a level that the recording still has.
    expect(Object.keys(venue.refused)).toEqual(['ORDER_NOT_OPEN'])
    expect(venue.refused['ORDER_NOT_OPEN']).toBeLessThan(20)
  })
})
