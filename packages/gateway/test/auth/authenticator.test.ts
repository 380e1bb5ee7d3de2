// The authenticator: which credentials make which principal, over requests and streams, and what each principal may.

import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type RequestCredentials, requireAccount, requireOperator, requireScope } from '../../src/auth/authenticator.ts'
import { codeOf, OPERATOR_API_KEY, opened, PASSWORD, START_MS } from './parts.ts'

const REQUEST = { method: 'GET', pathWithQuery: '/api/v1/orders?limit=5', rawBody: '', address: '203.0.113.7' }
const TIMESTAMP = String(START_MS)

async function prepared() {
  const auth = await opened()
  const account = await auth.accounts.register('ada@example.com', PASSWORD)
  const session = await auth.sessions.open(account)
  const key = await auth.apiKeys.create(account.accountId, { label: 'bot', scopes: ['read'] })
  const sign = (method: string, path: string) =>
    createHmac('sha256', key.secret).update(`${TIMESTAMP}\n${method}\n${path}\n`).digest('hex')
  const xWt = { xWtKey: key.keyId, xWtTimestamp: TIMESTAMP, xWtSignature: sign('GET', REQUEST.pathWithQuery) }
  const request = (credentials: Partial<RequestCredentials>) =>
    auth.authenticator.request({ ...REQUEST, ...credentials })
  return { ...auth, account, session, key, sign, xWt, request }
}

describe('a request', () => {
  test('with a bearer token is the user’s', async () => {
    const { request, session, account } = await prepared()
    const principal = await request({ authorization: `Bearer ${session.accessToken}` })
    expect(requireAccount(principal)).toBe(account.accountId)
    expect(await request({ authorization: `bearer ${session.accessToken}` })).toBe(principal)
  })

  test('with a signature is the key’s', async () => {
    const { request, xWt, account } = await prepared()
    const principal = await request(xWt)
    expect(principal).toMatchObject({ kind: 'user', account: account.accountId, apiKey: 1 })
  })

  test('with the operator’s key is the operator’s', async () => {
    const { request } = await prepared()
    expect(await request({ xApiKey: OPERATOR_API_KEY })).toEqual({ kind: 'operator' })
  })

  test('without credentials, or with wrong ones, is refused', async () => {
    const { request, session, xWt } = await prepared()
    const code = (credentials: Partial<RequestCredentials>) => codeOf(() => request(credentials))
    expect(await code({})).toBe('AUTHENTICATION_REQUIRED')
    expect(await code({ authorization: '' })).toBe('TOKEN_INVALID')
    expect(await code({ authorization: 'Basic YWRhOmFkYQ==' })).toBe('TOKEN_INVALID')
    expect(await code({ authorization: session.accessToken })).toBe('TOKEN_INVALID')
    expect(await code({ authorization: `Bearer ${session.refreshToken}` })).toBe('TOKEN_INVALID')
    expect(await code({ ...xWt, xWtSignature: undefined })).toBe('SIGNATURE_INVALID')
    expect(await code({ ...xWt, xWtTimestamp: undefined })).toBe('SIGNATURE_INVALID')
    expect(await code({ ...xWt, method: 'DELETE' })).toBe('SIGNATURE_INVALID')
    expect(await code({ xApiKey: '' })).toBe('OPERATOR_ONLY')
    expect(await code({ xApiKey: `${OPERATOR_API_KEY}x` })).toBe('OPERATOR_ONLY')
  })

  test('with a wrong token is not saved by the operator’s key beside it', async () => {
    const { request } = await prepared()
    expect(await codeOf(() => request({ authorization: 'Bearer x', xApiKey: OPERATOR_API_KEY }))).toBe('TOKEN_INVALID')
  })
})

describe('a stream', () => {
  test('is opened with a token or a signature over its address', async () => {
    const { authenticator, session, account, key, sign } = await prepared()
    const { address } = REQUEST
    const byToken = await authenticator.stream({ token: session.accessToken }, address)
    const signature = sign('GET', '/ws')
    const byKey = await authenticator.stream({ key: key.keyId, timestamp: START_MS, signature }, address)
    const byText = await authenticator.stream({ key: key.keyId, timestamp: TIMESTAMP, signature }, address)
    expect([byToken, byKey].map(requireAccount)).toEqual([account.accountId, account.accountId])
    expect(byText).toBe(byKey)
  })

  test('is not opened with the signature of a request', async () => {
    const { authenticator, xWt } = await prepared()
    const credentials = { key: xWt.xWtKey, timestamp: xWt.xWtTimestamp, signature: xWt.xWtSignature }
    expect(await codeOf(() => authenticator.stream(credentials, REQUEST.address))).toBe('SIGNATURE_INVALID')
  })

  test('stands until its session is logged out, or its key deleted', async () => {
    const { authenticator, sessions, apiKeys, session, account, key, sign } = await prepared()
    const byToken = await authenticator.stream({ token: session.accessToken }, REQUEST.address)
    const credentials = { key: key.keyId, timestamp: START_MS, signature: sign('GET', '/ws') }
    const byKey = await authenticator.stream(credentials, REQUEST.address)
    const current = () => Promise.all([byToken, byKey].map((principal) => authenticator.isCurrent(principal)))
    expect(await current()).toEqual([true, true])
    await sessions.close(session.refreshToken)
    expect(await current()).toEqual([false, true])
    await apiKeys.delete(account.accountId, key.keyId)
    expect(await current()).toEqual([false, false])
    expect(await authenticator.isCurrent({ kind: 'operator' })).toBe(true)
  })
})

test('a principal may what its scopes say, the operator what is the operator’s', async () => {
  const { request, session, xWt, account } = await prepared()
  const user = await request({ authorization: `Bearer ${session.accessToken}` })
  const key = await request(xWt)
  const operator = await request({ xApiKey: OPERATOR_API_KEY })
  for (const scope of ['read', 'trade', 'transfer'] as const) {
    expect(requireScope(user, scope).account).toBe(account.accountId)
    expect(await codeOf(() => requireScope(key, scope))).toBe(scope === 'read' ? 'none' : 'SCOPE_MISSING')
    expect(await codeOf(() => requireScope(operator, scope))).toBe('AUTHENTICATION_REQUIRED')
  }
  expect(await codeOf(() => requireAccount(operator))).toBe('AUTHENTICATION_REQUIRED')
  expect(await codeOf(() => requireOperator(user))).toBe('OPERATOR_ONLY')
  expect(await codeOf(() => requireOperator(operator))).toBe('none')
})
