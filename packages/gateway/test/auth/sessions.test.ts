// Sessions and access tokens: what passes, what is forged, refresh tokens that work once, and keys that are rotated.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from 'jose'
import { describe, expect, test, vi } from 'vitest'
import { accountsPath } from '../../src/auth/sqlite-accounts.ts'
import {
  codeOf,
  DAY_MS,
  isEmbedded,
  MINUTE_MS,
  NEW_KEY,
  OLD_KEY,
  type Opened,
  opened,
  PASSWORD,
  START_MS,
  signingKey,
} from './parts.ts'

async function loggedIn(auth: Opened, email = 'ada@example.com') {
  const account = await auth.accounts.register(email, PASSWORD)
  return { account, tokens: await auth.sessions.open(account) }
}

describe('access tokens', () => {
  test('say whose session it is, with every scope', async () => {
    const auth = await opened()
    const { account, tokens } = await loggedIn(auth)
    expect(tokens).toMatchObject({ expiresIn: 600, accountId: account.accountId })
    expect(await auth.sessions.verify(tokens.accessToken)).toEqual({
      kind: 'user',
      userId: account.userId,
      account: account.accountId,
      scopes: new Set(['read', 'trade', 'transfer']),
      apiKey: 0,
      limitKey: `account:${account.accountId}`,
    })
  })

  test('name their key, issuer, audience and end', async () => {
    const auth = await opened()
    const { account, tokens } = await loggedIn(auth)
    expect(decodeProtectedHeader(tokens.accessToken)).toEqual({ alg: 'HS256', typ: 'JWT', kid: 'new' })
    const claims = decodeJwt(tokens.accessToken)
    expect(claims).toMatchObject({ iss: 'wintrades', aud: 'wintrades-api', sub: account.userId })
    expect(claims.exp).toBe(START_MS / 1_000 + 600)
  })

  test('are verified once: the same token yields the same principal', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    const first = await auth.sessions.verify(tokens.accessToken)
    expect(await auth.sessions.verify(tokens.accessToken)).toBe(first)
  })

  test('end after ten minutes, also when they were remembered', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    auth.clock.ms += 10 * MINUTE_MS - 1
    expect(await codeOf(() => auth.sessions.verify(tokens.accessToken))).toBe('none')
    auth.clock.ms += 1
    expect(await codeOf(() => auth.sessions.verify(tokens.accessToken))).toBe('TOKEN_INVALID')
    const elsewhere = await opened({ directory: auth.directory, clock: auth.clock })
    expect(await codeOf(() => elsewhere.sessions.verify(tokens.accessToken))).toBe('TOKEN_INVALID')
  })

  test('of any process are good at every process', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    const { account, tokens } = await loggedIn(here)
    expect((await there.sessions.verify(tokens.accessToken)).account).toBe(account.accountId)
  })

  test('with any character changed do not pass', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    const token = tokens.accessToken
    for (let i = 0; i < token.length; i += 1) {
      // The last character of a part may carry bits that mean nothing; the one before it does not.
      if (token[i] === '.' || token[i + 1] === '.' || i === token.length - 1) continue
      const forged = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1)
      expect([i, await codeOf(() => auth.sessions.verify(forged))]).toEqual([i, 'TOKEN_INVALID'])
    }
  })

  test('are nothing else', async () => {
    const auth = await opened()
    for (const text of ['', 'x', 'a.b.c', '..', 'x'.repeat(100_000), '{"alg":"none"}', 'é.é.é']) {
      expect(await codeOf(() => auth.sessions.verify(text))).toBe('TOKEN_INVALID')
    }
  })

  test('made by others do not pass: no algorithm, another key, issuer, audience, or without an end', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    const claims = decodeJwt(tokens.accessToken)
    const made = (payload: JWTPayload, header: { alg?: string; kid?: string } = {}, key = NEW_KEY.key) =>
      new SignJWT(payload).setProtectedHeader({ alg: 'HS256', kid: 'new', ...header }).sign(key)
    const { exp: _, ...endless } = claims
    const { sid: __, ...sessionless } = claims
    const unsigned = [{ alg: 'none', kid: 'new' }, claims].map((part) => encode(JSON.stringify(part))).join('.')
    const forged: Record<string, string> = {
      unsigned: `${unsigned}.`,
      unsignedWithSignature: `${unsigned}.${tokens.accessToken.split('.')[2]}`,
      otherKey: await made(claims, {}, signingKey('new', 'x').key),
      otherAlgorithm: await made(claims, { alg: 'HS512' }),
      unknownKid: await made(claims, { kid: 'other' }),
      noKid: handMade({ alg: 'HS256' }, claims, NEW_KEY.key),
      otherIssuer: await made({ ...claims, iss: 'elsewhere' }),
      otherAudience: await made({ ...claims, aud: 'elsewhere' }),
      endless: await made(endless),
      sessionless: await made(sessionless),
    }
    for (const [name, token] of Object.entries(forged)) {
      expect([name, await codeOf(() => auth.sessions.verify(token))]).toEqual([name, 'TOKEN_INVALID'])
    }
    // The same way of making one does pass when nothing is wrong with it.
    expect(await codeOf(async () => auth.sessions.verify(await made(claims)))).toBe('none')
  })

  test('of the former key are accepted while it is the second key, and no longer without it', async () => {
    const before = await opened({ jwtKeys: [OLD_KEY] })
    const { tokens } = await loggedIn(before)
    const rotated = await opened({ directory: before.directory, jwtKeys: [NEW_KEY, OLD_KEY] })
    expect(await codeOf(() => rotated.sessions.verify(tokens.accessToken))).toBe('none')
    const renewed = await rotated.sessions.refresh(tokens.refreshToken)
    expect(decodeProtectedHeader(renewed.accessToken).kid).toBe('new')
    const after = await opened({ directory: before.directory, jwtKeys: [NEW_KEY] })
    expect(await codeOf(() => after.sessions.verify(tokens.accessToken))).toBe('TOKEN_INVALID')
    expect(await codeOf(() => after.sessions.verify(renewed.accessToken))).toBe('none')
  })
})

describe('refresh tokens', () => {
  test('work once and yield the next, at any process', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    const { account, tokens } = await loggedIn(here)
    const second = await there.sessions.refresh(tokens.refreshToken)
    const third = await here.sessions.refresh(second.refreshToken)
    expect(new Set([tokens, second, third].map((one) => one.refreshToken)).size).toBe(3)
    expect((await here.sessions.verify(third.accessToken)).account).toBe(account.accountId)
  })

  test('used twice end the session of both who have one', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    const thiefs = await auth.sessions.refresh(tokens.refreshToken)
    expect(await codeOf(() => auth.sessions.refresh(tokens.refreshToken))).toBe('TOKEN_REUSED')
    expect(await codeOf(() => auth.sessions.refresh(thiefs.refreshToken))).toBe('TOKEN_INVALID')
    expect(await codeOf(() => auth.sessions.refresh(tokens.refreshToken))).toBe('TOKEN_INVALID')
  })

  test('from many rotations ago end the session too', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    let latest = tokens
    for (let i = 0; i < 20; i++) latest = await auth.sessions.refresh(latest.refreshToken)
    expect(await codeOf(() => auth.sessions.refresh(tokens.refreshToken))).toBe('TOKEN_REUSED')
    expect(await codeOf(() => auth.sessions.refresh(latest.refreshToken))).toBe('TOKEN_INVALID')
  })

  test('used at two processes at once: one gets the next, and the session ends', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    const { tokens } = await loggedIn(here)
    const codes = await Promise.all(
      [here, there].map((auth) => codeOf(() => auth.sessions.refresh(tokens.refreshToken))),
    )
    expect(codes.sort()).toEqual(['TOKEN_REUSED', 'none'])
  })

  test('a reuse leaves the user’s other sessions alone', async () => {
    const auth = await opened()
    const { account, tokens } = await loggedIn(auth)
    const other = await auth.sessions.open(account)
    await auth.sessions.refresh(tokens.refreshToken)
    await codeOf(() => auth.sessions.refresh(tokens.refreshToken))
    expect(await codeOf(() => auth.sessions.refresh(other.refreshToken))).toBe('none')
  })

  test('last thirty days from the last refresh', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    auth.clock.ms += 29 * DAY_MS
    const second = await auth.sessions.refresh(tokens.refreshToken)
    auth.clock.ms += 29 * DAY_MS
    const third = await auth.sessions.refresh(second.refreshToken)
    auth.clock.ms += 30 * DAY_MS
    expect(await codeOf(() => auth.sessions.refresh(third.refreshToken))).toBe('TOKEN_INVALID')
  })

  test('are not access tokens, nor the other way round; nor is anything else', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    const stranger = `${'A'.repeat(22)}.${'A'.repeat(43)}`
    for (const token of ['', 'x', tokens.accessToken, stranger, `${tokens.refreshToken}A`, 'x'.repeat(100_000)]) {
      expect(await codeOf(() => auth.sessions.refresh(token))).toBe('TOKEN_INVALID')
    }
    expect(await codeOf(() => auth.sessions.verify(tokens.refreshToken))).toBe('TOKEN_INVALID')
    expect(await codeOf(() => auth.sessions.refresh(tokens.refreshToken))).toBe('none')
  })

  test.runIf(isEmbedded())('are stored as hashes only', async () => {
    const auth = await opened()
    const { tokens } = await loggedIn(auth)
    const [, secret = ''] = tokens.refreshToken.split('.')
    for (const file of [accountsPath(auth.directory), `${accountsPath(auth.directory)}-wal`]) {
      expect(readFileSync(file).includes(secret)).toBe(false)
    }
  })
})

describe('log-out', () => {
  test('ends the session for good, with whichever of its refresh tokens', async () => {
    const auth = await opened()
    const { account, tokens } = await loggedIn(auth)
    const next = await auth.sessions.refresh(tokens.refreshToken)
    await auth.sessions.close(tokens.refreshToken)
    expect(await codeOf(() => auth.sessions.refresh(next.refreshToken))).toBe('TOKEN_INVALID')
    expect(await codeOf(() => auth.sessions.close(next.refreshToken))).toBe('none')
    expect(await codeOf(() => auth.sessions.close('nonsense'))).toBe('TOKEN_INVALID')
    expect(await codeOf(async () => auth.sessions.refresh((await auth.sessions.open(account)).refreshToken))).toBe(
      'none',
    )
  })

  test('at one process is seen by the streams of every other', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory, clock: here.clock })
    const { tokens } = await loggedIn(here)
    const principal = await there.sessions.verify(tokens.accessToken)
    here.clock.ms += 20 * MINUTE_MS
    expect(await there.sessions.isCurrent(principal)).toBe(true)
    await here.sessions.close(tokens.refreshToken)
    expect(await there.sessions.isCurrent(principal)).toBe(false)
  })
})

test('the access tokens of an ended session are refused at every process within seconds', async () => {
  const here = await opened()
  const there = await opened({ directory: here.directory, clock: here.clock })
  const { tokens } = await loggedIn(here)
  expect(await codeOf(() => there.sessions.verify(tokens.accessToken))).toBe('none')
  await here.sessions.close(tokens.refreshToken)
  here.clock.ms += 5_000
  // The request that asks does not wait for the answer.
  await codeOf(() => there.sessions.verify(tokens.accessToken))
  await vi.waitFor(async () =>
    expect(await codeOf(() => there.sessions.verify(tokens.accessToken))).toBe('TOKEN_INVALID'),
  )
})

test('an account has a hundred sessions; the next ends the one opened first', async () => {
  const auth = await opened()
  const { account, tokens } = await loggedIn(auth)
  const other = await loggedIn(auth, 'bob@example.com')
  const later: string[] = []
  for (let i = 0; i < 100; i++) {
    auth.clock.ms += 1
    later.push((await auth.sessions.open(account)).refreshToken)
  }
  expect(await codeOf(() => auth.sessions.refresh(tokens.refreshToken))).toBe('TOKEN_INVALID')
  expect(await codeOf(() => auth.sessions.refresh(later[0] ?? ''))).toBe('none')
  expect(await codeOf(() => auth.sessions.refresh(other.tokens.refreshToken))).toBe('none')
})

function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** For headers that the library would not sign. */
function handMade(header: object, payload: object, key: Uint8Array): string {
  const signed = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}
