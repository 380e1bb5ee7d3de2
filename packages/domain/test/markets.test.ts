// `markets.yml` is checked whole: every fault is named with its path, and the engine's integers are derived exactly.

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { formatPrice, formatQuantity, parsePrice, parseQuantity, readMarkets } from '../src/markets.ts'

const standard = () => parse(readFileSync(new URL('../../../markets.yml', import.meta.url), 'utf8'))

function faultsOf(change: (raw: ReturnType<typeof standard>) => void): string[] {
  const raw = standard()
  change(raw)
  const result = readMarkets(raw)
  return result.ok ? [] : result.faults.map((fault) => `${fault.path}: ${fault.message}`)
}

describe('the default markets', () => {
  const result = readMarkets(standard())
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  const { markets } = result

  test('cover three regions, equities and crypto, in four currencies', () => {
    expect(markets.shards.map((shard) => shard.name)).toEqual(['us-east', 'eu-west', 'asia-pacific'])
    for (const shard of markets.shards) {
      expect(new Set(markets.instruments.filter((one) => one.shard === shard.index).map((one) => one.kind))).toEqual(
        new Set(['crypto', 'equity']),
      )
    }
    expect(new Set(markets.instruments.map((one) => one.quote.code))).toEqual(new Set(['USD', 'EUR', 'JPY', 'SGD']))
  })

  test('keep price × quantity a safe integer', () => {
    for (const { definition } of markets.instruments) {
      expect(definition.priceMax * definition.quantityMax * definition.quoteUnitsPerTickLot).toBeLessThanOrEqual(
        Number.MAX_SAFE_INTEGER,
      )
    }
  })

  test('derive ticks and lots exactly', () => {
    const bitcoin = markets.instruments.find((one) => one.symbol === 'BTC-USD')
    expect(bitcoin?.definition).toMatchObject({
      baseUnitsPerLot: 10_000,
      quoteUnitsPerTickLot: 1,
      priceMax: 100_000_000,
      takerFee_ppm: 1_000,
    })
  })

  test('prices and quantities go to text and back', () => {
    for (const instrument of markets.instruments) {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: instrument.definition.priceMax }), (ticks) => {
          expect(parsePrice(instrument, formatPrice(instrument, ticks as never))).toEqual({ ok: true, value: ticks })
        }),
        { numRuns: 50 },
      )
      fc.assert(
        fc.property(fc.integer({ min: 1, max: instrument.definition.quantityMax }), (lots) => {
          expect(parseQuantity(instrument, formatQuantity(instrument, lots as never))).toEqual({
            ok: true,
            value: lots,
          })
        }),
        { numRuns: 50 },
      )
    }
  })

  test('a price between two ticks is refused', () => {
    const sony = markets.instruments.find((one) => one.symbol === 'SONY-JPY')
    if (sony === undefined) throw new Error('SONY-JPY is listed')
    expect(parsePrice(sony, '12500.5')).toEqual({ ok: true, value: 25_001 })
    expect(parsePrice(sony, '12500.3')).toEqual({ ok: false, fault: 'not_a_multiple' })
    expect(parsePrice(sony, '12500.25')).toEqual({ ok: false, fault: 'too_precise' })
  })
})

describe('faults', () => {
  test.each<[string, (raw: ReturnType<typeof standard>) => void, string]>([
    ['an unknown key', (raw) => (raw.instruments[0].tick = '1'), 'instruments[0].tick: is not a known key'],
    [
      'a number where a decimal in quotes belongs',
      (raw) => (raw.instruments[1].tick_size = 0.01),
      'instruments[1].tick_size: must be a decimal in quotes',
    ],
    [
      'a missing asset',
      (raw) => (raw.instruments[0].symbol = 'XRP-USD'),
      'instruments[0].symbol: asset XRP is not listed',
    ],
    ['an unknown shard', (raw) => (raw.instruments[0].shard = 'mars'), 'instruments[0].shard: must be one of us-east'],
    [
      'a lot finer than the asset',
      (raw) => (raw.instruments[2].lot_size = '0.5'),
      'instruments[2].lot_size: must be a multiple of the smallest unit of AAPL',
    ],
    [
      'a product beyond 2^53',
      (raw) => (raw.instruments[0].quantity_max = '100000'),
      'instruments[0].quantity_max: price_max × quantity_max must stay below',
    ],
    ['an id used twice', (raw) => (raw.assets[1].id = 1), 'assets[1].id: 1 is used twice'],
    [
      'a home that is not first',
      (raw) => raw.shards[0].regions.reverse(),
      'shards[0].regions: must start with the home region us-east',
    ],
    ['an empty list', (raw) => (raw.assets = []), 'assets: must be a list of 1 to'],
    [
      'a fee above 100 %',
      (raw) => (raw.instruments[0].taker_fee = '1.5'),
      'instruments[0].taker_fee: must be a decimal',
    ],
  ])('%s', (_name, change, expected) => {
    expect(faultsOf(change).some((fault) => fault.startsWith(expected))).toBe(true)
  })

  test('all faults are reported at once', () => {
    const faults = faultsOf((raw) => {
      raw.shards[0].name = 'US EAST'
      raw.assets[0].scale = 99
      raw.instruments[0].tick_size = '0'
    })
    expect(faults.length).toBeGreaterThanOrEqual(3)
  })

  test('nothing that YAML can hold makes it throw', () => {
    fc.assert(
      fc.property(fc.anything(), (raw) => typeof readMarkets(raw).ok === 'boolean'),
      { numRuns: 500 },
    )
    const raw = standard()
    fc.assert(
      fc.property(
        fc.constantFrom('shards', 'assets', 'instruments'),
        fc.nat(),
        fc.nat(),
        fc.anything(),
        (list, at, key, value) => {
          const changed = structuredClone(raw)
          const item = changed[list][at % changed[list].length]
          const keys = Object.keys(item)
          item[keys[key % keys.length] as string] = value
          expect(typeof readMarkets(changed).ok).toBe('boolean')
        },
      ),
      { numRuns: 500 },
    )
  })
})
