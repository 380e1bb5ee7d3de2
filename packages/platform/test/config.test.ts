// The environment as an operator writes it: what is accepted, and what each refusal says.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { configurationReference, loadConfig, VARIABLES } from '../src/index.ts'

function faultsOf(environment: Record<string, string>): readonly string[] {
  const result = loadConfig(environment)
  return result.ok ? [] : result.faults.map((fault) => fault.message)
}

test('an empty environment is a working paper platform', () => {
  const result = loadConfig({})
  expect(result).toMatchObject({ ok: true, notUsedYet: [] })
  if (!result.ok) return
  expect(result.config).toMatchObject({ region: 'us-east', tradingMode: 'paper', httpPort: 8000, timeZone: 'UTC' })
  expect(result.config.riskLimit_ppm).toBeNull()
})

test('every variable becomes a typed value', () => {
  const result = loadConfig({
    APP_ENV: 'production',
    REGION: 'eu-west',
    TIMEZONE: 'Europe/Berlin',
    RISK_LIMIT: '0.02',
    MAX_POSITION_SIZE: '250000.50',
    LINK_PEERS: 'us-east=127.0.0.1:8201,asia-pacific=[::1]:8203',
    ENCRYPTION_KEY: 'ab'.repeat(32),
    ML_CONFIDENCE_THRESHOLD: '1',
  })
  expect(result.ok).toBe(true)
  if (!result.ok) return
  expect(result.config).toMatchObject({
    environment: 'production',
    riskLimit_ppm: 20_000,
    maxPositionSize: '250000.50',
    modelConfidence_ppm: 1_000_000,
    encryptionKey: new Uint8Array(32).fill(0xab),
    linkPeers: [
      { region: 'us-east', host: '127.0.0.1', port: 8201 },
      { region: 'asia-pacific', host: '::1', port: 8203 },
    ],
  })
})

test('every fault is named at once, with the value and what to write', () => {
  expect(faultsOf({ TRADING_MODE: 'demo', HTTP_PORT: '80000', TIMEZONE: 'Mars/Olympus', RISK_LIMIT: '2' })).toEqual([
    'TIMEZONE must be a time zone of the IANA database such as UTC or Europe/Berlin; it is "Mars/Olympus"',
    'TRADING_MODE must be one of paper, live; it is "demo"',
    'RISK_LIMIT must be a decimal above 0 and at most 1 with up to six places, such as 0.02; it is "2"',
    'HTTP_PORT must be a whole number from 0 to 65535; it is "80000"',
  ])
})

test.each([
  ['MAX_POSITION_SIZE', '-1'],
  ['MAX_POSITION_SIZE', '0'],
  ['MAX_POSITION_SIZE', '1e6'],
  ['REGION', 'US East'],
  ['HTTP_PORT', '80.5'],
  ['CACHE_DRIVER', 'file'],
  ['ML_CONFIDENCE_THRESHOLD', '1.1'],
  ['LINK_PEERS', 'us-east=app:1,us-east=app:1'],
  ['DB_PORT', '0'],
  ['APP_ENV', 'Production'],
])('%s=%s is refused', (name, value) => {
  const faults = faultsOf({ [name]: value })
  expect(faults).toHaveLength(1)
  expect(faults[0]).toContain(`${name} must be`)
  expect(faults[0]).toContain(JSON.stringify(value))
})

test('a message about a secret never holds its value', () => {
  const faults = faultsOf({ JWT_SECRET: 'too-short-9931', ENCRYPTION_KEY: 'not-a-key-9931' })
  expect(faults).toHaveLength(2)
  expect(faults.join()).not.toContain('9931')
})

test('a secret may stand in a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-config-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'jwt')
  writeFileSync(file, `${'s'.repeat(40)}\n`)
  const result = loadConfig({ JWT_SECRET_FILE: file })
  expect(result.ok && result.config.jwtSecret).toBe('s'.repeat(40))
  expect(faultsOf({ JWT_SECRET_FILE: `${file}-missing` })[0]).toMatch(/JWT_SECRET_FILE must name a file .* \(ENOENT\)/)
  expect(faultsOf({ JWT_SECRET: 's'.repeat(40), JWT_SECRET_FILE: file })[0]).toContain('both set')
})

test('live trading in production brings its own secrets', () => {
  const faults = faultsOf({ APP_ENV: 'production', TRADING_MODE: 'live' })
  expect(faults.map((fault) => fault.split(' ')[0])).toEqual(['JWT_SECRET', 'ENCRYPTION_KEY', 'API_KEY'])
})

test('DB_HOST names every server; it asks for a password and the CA', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'wintrades-config-')), 'ca.pem')
  writeFileSync(file, '-----BEGIN CERTIFICATE-----\n')
  const given = { DB_HOST: 'mysql_master:3307, [::1]', DB_PASSWORD: 'p', DB_CA_FILE: file }
  const result = loadConfig(given)
  expect(result.ok && result.config.databaseHosts).toEqual([
    { host: 'mysql_master', port: 3307 },
    { host: '::1', port: null },
  ])
  expect(faultsOf({ ...given, DB_HOST: 'one,two:0' })[0]).toMatch(/DB_HOST must be a list host\[:port\]/)
  expect(faultsOf({ ...given, DB_HOST: 'one,one' })[0]).toMatch(/each once/)
  expect(faultsOf({ DB_HOST: 'one' })).toEqual([
    expect.stringMatching(/^DB_PASSWORD_FILE/),
    expect.stringMatching(/^DB_CA_FILE must name .*it is not given/),
  ])
  expect(faultsOf({ ...given, DB_CA_FILE: `${file}.missing` })[0]).toMatch(/cannot be read \(ENOENT\)/)
  expect(loadConfig({ DB_HOST: 'one', DB_PASSWORD: 'p', DB_TLS: 'off' }).ok).toBe(true)
})

test('a region may have several processes, each with links of its own', () => {
  const read = loadConfig({ LINK_PEERS: 'us-east=app_us_east:8201,us-east=127.0.0.1:8202' })
  expect(read.ok && read.config.linkPeers?.map(({ region, host }) => [region, host])).toEqual([
    ['us-east', 'app_us_east'],
    ['us-east', '127.0.0.1'],
  ])
})

test('what a stop may take has room for its draining', () => {
  expect(faultsOf({ DRAIN_MS: '5001' })).toEqual([expect.stringMatching(/^DRAIN_MS must be at most half of STOP_TIME/)])
  expect(loadConfig({ DRAIN_MS: '5001', STOP_TIMEOUT_MS: '20000' }).ok).toBe(true)
})

test('the files of encrypted links are given all, or not at all', () => {
  expect(faultsOf({ LINK_CERTIFICATE_FILE: 'link.pem', LINK_CA_FILE: 'ca.pem' })).toEqual([
    expect.stringMatching(/^LINK_CERTIFICATE_KEY_FILE is not given; give all of /),
  ])
})

test('what no part reads yet is checked, and named', () => {
  const result = loadConfig({ ML_MODEL_PATH: 'model', ML_CONFIDENCE_THRESHOLD: '0.5', LOG_LEVEL: 'warn' })
  expect(result.ok && result.notUsedYet.map((one) => one.variable)).toEqual([
    'ML_MODEL_PATH',
    'ML_CONFIDENCE_THRESHOLD',
  ])
})

test('every default passes its own check', () => {
  for (const variable of Object.values(VARIABLES)) {
    if (variable.default !== null)
      expect(variable.kind.parse(variable.default), variable.name).toMatchObject({ ok: true })
  }
})

test('docs/configuration.md is current (written by ./wintrades docs)', () => {
  const page = new URL('../../../docs/configuration.md', import.meta.url)
  expect(readFileSync(page, 'utf8')).toBe(configurationReference())
})

test('a list of servers, with and without ports', () => {
  const result = loadConfig({
    CACHE_DRIVER: 'redis',
    REDIS_HOST: 'redis-1, redis-2:7000,10.0.0.3:7001,[fd00::1]:7002,fd00::2',
  })
  expect(result.ok && result.config.redisHost).toEqual([
    { host: 'redis-1', port: null },
    { host: 'redis-2', port: 7000 },
    { host: '10.0.0.3', port: 7001 },
    { host: 'fd00::1', port: 7002 },
    { host: 'fd00::2', port: null },
  ])
})

test.each([
  '',
  'a,,b',
  'a,a',
  'a:0',
  'a:65536',
  'a b',
  '[::1',
  Array.from({ length: 65 }, (_, i) => `r${i}`).join(','),
])('CACHE_DRIVER=redis with REDIS_HOST=%j is refused, by name', (REDIS_HOST) => {
  const result = loadConfig({ CACHE_DRIVER: 'redis', REDIS_HOST })
  expect(result.ok ? [] : result.faults.map((fault) => fault.variable)).toEqual(['REDIS_HOST'])
})
