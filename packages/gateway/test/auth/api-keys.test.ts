// API keys: made, listed, deleted, and every way that a signed request can be wrong.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { AccountId } from '@wintrades/domain'
import { openSqlite } from '@wintrades/platform'
import { describe, expect, test } from 'vitest'
import { type SignedRequest, signatureOf } from '../../src/auth/api-keys.ts'
import type { Scope } from '../../src/auth/principal.ts'
import { accountsPath } from '../../src/auth/sqlite-accounts.ts'
import { codeOf, faultOf, isEmbedded, type Opened, opened, PASSWORD, START_MS } from './parts.ts'

type Key = { readonly keyId: string; readonly secret: string }

const BODY = '{"symbol":"BTC-USD","side":"BUY","note":"ünïcode"}'

/** Signed as docs and client have it. */
function signed(key: Key, more: Partial<SignedRequest> = {}): SignedRequest {
  const {
    timestamp = String(START_MS),
    method = 'POST',
    pathWithQuery = '/api/v1/orders?a=1&b=%20',
    rawBody = BODY,
  } = more
  const text = `${timestamp}\n${method}\n${pathWithQuery}\n${rawBody}`
  const signature = createHmac('sha256', key.secret).update(text).digest('hex')
  return { keyId: key.keyId, timestamp, method, pathWithQuery, rawBody, signature, address: '203.0.113.7', ...more }
}

async function withKey(
  auth: Opened,
  { scopes = ['read', 'trade'] as readonly Scope[], ipAllowList = [] as readonly string[] } = {},
) {
  const account = await auth.accounts.register('ada@example.com', PASSWORD)
  const key = await auth.apiKeys.create(account.accountId, { label: 'bot', scopes, ipAllowList })
  return { account, key }
}

describe('signatures', () => {
  test('are those that the client library makes', () => {
    const request = {
      timestamp: '1800000000000',
      method: 'POST',
      pathWithQuery: '/api/v1/orders?a=1&b=%20',
      rawBody: '{"note":"ünïcode"}',
    }
    // Made once with operations/src/client/signature.ts.
    const made = '585463d9fa608fca2db849ebf2e9d14dfe94a94faf3229706661d77e4a0c3b3f'
    expect(signatureOf('0123456789abcdef', request).toString('hex')).toBe(made)
    expect(signatureOf('0123456789abcdef', { ...request, rawBody: Buffer.from(request.rawBody) }).toString('hex')).toBe(
      made,
    )
  })

  test('say which account, key and scopes', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth)
    expect(await auth.apiKeys.verify(signed(key))).toEqual({
      kind: 'user',
      userId: account.userId,
      account: account.accountId,
      scopes: new Set(['read', 'trade']),
      apiKey: 1,
      limitKey: `key:${key.keyId}`,
    })
  })

  test('cover the body’s bytes, whichever way they are held', async () => {
    const auth = await opened()
    const { key } = await withKey(auth)
    const request = signed(key)
    expect(await codeOf(() => auth.apiKeys.verify({ ...request, rawBody: Buffer.from(BODY) }))).toBe('none')
  })

  test('in upper case are the same signatures', async () => {
    const auth = await opened()
    const { key } = await withKey(auth)
    const request = signed(key)
    expect(await codeOf(() => auth.apiKeys.verify({ ...request, signature: request.signature.toUpperCase() }))).toBe(
      'none',
    )
  })

  test('do not match when anything that they cover was changed', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth)
    const other = await auth.apiKeys.create(account.accountId, { label: 'other', scopes: ['read'] })
    const request = signed(key)
    const changes: Partial<SignedRequest>[] = [
      { method: 'DELETE' },
      { method: 'post' },
      { pathWithQuery: '/api/v1/orders?a=1&b=%21' },
      { pathWithQuery: '/api/v1/orders' },
      { rawBody: BODY.replace('BUY', 'SELL') },
      { rawBody: '' },
      { timestamp: String(START_MS + 1) },
      { keyId: other.keyId },
      { keyId: `wtk_${'A'.repeat(24)}` },
      { keyId: '' },
      { keyId: "wtk_' or 1=1 --" },
      { signature: '' },
      { signature: 'zz'.repeat(32) },
      { signature: request.signature.slice(2) },
      { signature: `${request.signature}00` },
      { signature: `0${request.signature.slice(1, 63)}` },
      { signature: signed({ ...key, secret: other.secret }).signature },
    ]
    for (const change of changes) {
      expect([change, await codeOf(() => auth.apiKeys.verify({ ...request, ...change }))]).toEqual([
        change,
        'SIGNATURE_INVALID',
      ])
    }
    expect(await codeOf(() => auth.apiKeys.verify(request))).toBe('none')
  })

  test('are good for five seconds either way', async () => {
    const auth = await opened()
    const { key } = await withKey(auth)
    const at = (offset_ms: number) =>
      codeOf(() => auth.apiKeys.verify(signed(key, { timestamp: String(START_MS + offset_ms) })))
    expect(await at(-5_000)).toBe('none')
    expect(await at(5_000)).toBe('none')
    expect(await at(-5_001)).toBe('TIMESTAMP_OUTSIDE_WINDOW')
    expect(await at(5_001)).toBe('TIMESTAMP_OUTSIDE_WINDOW')
  })

  test('are good for as long as was configured, a minute at most', async () => {
    const auth = await opened({ signatureWindow_ms: 60_000 })
    const { key } = await withKey(auth)
    const old = signed(key, { timestamp: String(START_MS - 60_000) })
    expect(await codeOf(() => auth.apiKeys.verify(old))).toBe('none')
    await expect(opened({ signatureWindow_ms: 60_001 })).rejects.toThrow('at most a minute')
  })

  test.each(['', '-1', '1e12', 'NaN', ' 1800000000000', '1800000000000.0', '0x1', '9'.repeat(17)])(
    'with the timestamp %j are none',
    async (timestamp) => {
      const auth = await opened()
      const { key } = await withKey(auth)
      expect(await codeOf(() => auth.apiKeys.verify(signed(key, { timestamp })))).toBe('SIGNATURE_INVALID')
    },
  )
})

describe('addresses', () => {
  test('are held against the key’s list, after the signature', async () => {
    const auth = await opened()
    const { key } = await withKey(auth, { ipAllowList: ['203.0.113.0/29', '2001:db8::/32'] })
    const from = (address: string) => codeOf(() => auth.apiKeys.verify(signed(key, { address })))
    expect(await from('203.0.113.7')).toBe('none')
    expect(await from('::ffff:203.0.113.7')).toBe('none')
    expect(await from('2001:db8:1::9')).toBe('none')
    expect(await from('203.0.113.8')).toBe('ADDRESS_NOT_ALLOWED')
    expect(await from('2001:db9::1')).toBe('ADDRESS_NOT_ALLOWED')
    expect(await from('')).toBe('ADDRESS_NOT_ALLOWED')
    const forged = signed(key, { address: '203.0.113.8', signature: '0'.repeat(64) })
    expect(await codeOf(() => auth.apiKeys.verify(forged))).toBe('SIGNATURE_INVALID')
  })
})

describe('keys', () => {
  test('show their secret once', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth, { scopes: ['trade', 'read'], ipAllowList: ['203.0.113.7'] })
    expect(key.secret).toMatch(/^[0-9a-f]{64}$/)
    expect(await auth.apiKeys.list(account.accountId)).toEqual([
      {
        keyId: key.keyId,
        apiKey: 1,
        label: 'bot',
        scopes: ['read', 'trade'],
        ipAllowList: ['203.0.113.7'],
        createdAt: new Date(START_MS).toISOString(),
      },
    ])
  })

  test('are numbered within the account, and a number is not given again', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth)
    const { accountId } = account
    const bob = await auth.accounts.register('bob@example.com', PASSWORD)
    const make = async (owner: AccountId) => (await auth.apiKeys.create(owner, { label: 'x', scopes: ['read'] })).apiKey
    expect(await make(accountId)).toBe(2)
    await auth.apiKeys.delete(accountId, key.keyId)
    expect(await make(accountId)).toBe(3)
    expect(await make(bob.accountId)).toBe(1)
  })

  test('are at most fifty', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth)
    const request = { label: 'x', scopes: ['read'] as const }
    for (let i = 1; i < 50; i++) await auth.apiKeys.create(account.accountId, request)
    expect(await codeOf(() => auth.apiKeys.create(account.accountId, request))).toBe('KEYS_TOO_MANY')
    await auth.apiKeys.delete(account.accountId, key.keyId)
    expect(await codeOf(() => auth.apiKeys.create(account.accountId, request))).toBe('none')
    expect(await auth.apiKeys.list(account.accountId)).toHaveLength(50)
  })

  test.each([
    ['label', { label: '' }],
    ['label', { label: '   ' }],
    ['label', { label: 'x'.repeat(65) }],
    ['label', { label: 'two\nlines' }],
    ['scopes', { scopes: [] }],
    ['scopes', { scopes: ['read', 'admin'] as unknown as Scope[] }],
    ['ipAllowList', { ipAllowList: ['example.com'] }],
    ['ipAllowList', { ipAllowList: ['10.0.0.0/33'] }],
    ['ipAllowList', { ipAllowList: Array<string>(33).fill('203.0.113.7') }],
  ])('with a wrong %s are refused: %j', async (field, change) => {
    const auth = await opened()
    const account = await auth.accounts.register('ada@example.com', PASSWORD)
    const request = { label: 'bot', scopes: ['read'] as Scope[], ...change }
    const fault = await faultOf(() => auth.apiKeys.create(account.accountId, request))
    expect(fault).toMatchObject({ code: 'REQUEST_MALFORMED', details: [{ path: field }] })
  })

  test('are deleted by their owner only', async () => {
    const auth = await opened()
    const { key } = await withKey(auth)
    const eve = await auth.accounts.register('eve@example.com', PASSWORD)
    expect(await codeOf(() => auth.apiKeys.delete(eve.accountId, key.keyId))).toBe('NOT_FOUND')
    expect(await codeOf(() => auth.apiKeys.verify(signed(key)))).toBe('none')
  })

  test('when deleted are refused here at once', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth)
    const principal = await auth.apiKeys.verify(signed(key))
    expect(await auth.apiKeys.isCurrent(principal)).toBe(true)
    await auth.apiKeys.delete(account.accountId, key.keyId)
    expect(await codeOf(() => auth.apiKeys.verify(signed(key)))).toBe('SIGNATURE_INVALID')
    expect(await auth.apiKeys.isCurrent(principal)).toBe(false)
    expect(await codeOf(() => auth.apiKeys.delete(account.accountId, key.keyId))).toBe('NOT_FOUND')
  })

  test('when deleted at another process are refused within five seconds', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory, clock: here.clock })
    const { account, key } = await withKey(here)
    const now = () => there.apiKeys.verify(signed(key, { timestamp: String(here.clock.ms) }))
    const principal = await now()
    await here.apiKeys.delete(account.accountId, key.keyId)
    here.clock.ms += 5_000
    expect(await codeOf(now)).toBe('SIGNATURE_INVALID')
    expect(await there.apiKeys.isCurrent(principal)).toBe(false)
  })

  test('are looked up again only now and then, and stay the same principal', async () => {
    const here = await opened()
    const { key } = await withKey(here)
    const now = () => here.apiKeys.verify(signed(key, { timestamp: String(here.clock.ms) }))
    const principal = await now()
    here.clock.ms += 3_999
    expect(await now()).toBe(principal)
    here.clock.ms += 60_000
    expect(await now()).toBe(principal)
  })

  test('made at one process can be used at another at once', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    const { key } = await withKey(here)
    expect(await codeOf(() => there.apiKeys.verify(signed(key)))).toBe('none')
  })
})

describe('stored secrets', () => {
  test.runIf(isEmbedded())('are encrypted, and their rows cannot be exchanged', async () => {
    const auth = await opened()
    const { account, key } = await withKey(auth)
    const other = await auth.apiKeys.create(account.accountId, { label: 'other', scopes: ['read'] })
    for (const file of [accountsPath(auth.directory), `${accountsPath(auth.directory)}-wal`]) {
      expect(readFileSync(file).includes(key.secret)).toBe(false)
    }
    const database = openSqlite(accountsPath(auth.directory))
    database
      .prepare(
        'update api_keys set secret_encrypted = (select secret_encrypted from api_keys where key_id = ?) where key_id = ?',
      )
      .run(other.keyId, key.keyId)
    database.close()
    const exchanged = signed({ keyId: key.keyId, secret: other.secret })
    await expect(auth.apiKeys.verify(exchanged)).rejects.toThrow(`API key ${key.keyId} cannot be decrypted`)
  })

  test('need the encryption key that they were stored with', async () => {
    const before = await opened()
    const { key } = await withKey(before)
    const after = await opened({ directory: before.directory, encryptionKey: new Uint8Array(32).fill(8) })
    await expect(after.apiKeys.verify(signed(key))).rejects.toThrow('ENCRYPTION_KEY is not the one')
  })
})
