// The operator's endpoint: anybody on the operations network may look, commands need the key, and what is asked is bounded.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@wintrades/platform'
import { Metrics } from '@wintrades/platform/metrics'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OperatorServer } from '../../src/operator/http-server.ts'
import { Lines } from '../../src/operator/lines.ts'
import type { Reconciler } from '../../src/operator/reconciler.ts'

const KEY = 'a-key-of-enough-characters'
let directory = ''
let server: OperatorServer
let address = ''

const part: Reconciler = {
  name: 'kettle',
  run: async () => {},
  status: () => ({ temperature: 20 }),
  commands: {
    boil: async ({ cups }) => ({ ok: cups === 2, line: `${cups} cups` }),
    wait: async (_body, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      return { ok: false, line: 'not done in time' }
    },
  },
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-http-'))
  const keyFile = join(directory, 'key')
  writeFileSync(keyFile, `${KEY}\n`)
  const lines = new Lines()
  lines.add('kettle', 'it is cold')
  const logger = createLogger('test', { level: 'silent' })
  const metrics = new Metrics({ region: 'us-east' })
  server = new OperatorServer({
    host: '127.0.0.1',
    port: 0,
    keyFile,
    region: 'us-east',
    parts: [part],
    lines,
    metrics,
    logger,
  })
  address = `http://127.0.0.1:${await server.start()}`
})
afterEach(async () => {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

function post(path: string, body: string, key = KEY): Promise<Response> {
  return fetch(`${address}${path}`, { method: 'POST', headers: { 'x-api-key': key }, body })
}

it('shows what the parts see and what was said', async () => {
  const response = await fetch(`${address}/status`)
  expect(await response.json()).toMatchObject({
    region: 'us-east',
    parts: { kettle: { temperature: 20 } },
    lines: [{ part: 'kettle', text: 'it is cold' }],
  })
})

it('carries out a command for whoever has the key, and for nobody else', async () => {
  expect((await post('/kettle/boil', '{"cups":2}')).status).toBe(200)
  expect((await post('/kettle/boil', '{"cups":3}')).status).toBe(409)
  expect((await post('/kettle/boil', '{"cups":2}', 'a-key-of-enough-characterS')).status).toBe(401)
})

it('ends a command at its deadline', async () => {
  const response = await post('/kettle/wait', '{"timeout_seconds":1}')
  expect(await response.json()).toEqual({ ok: false, line: 'not done in time' })
})

it('refuses what it does not know, what is no object, and what is too long', async () => {
  expect((await post('/kettle/freeze', '{}')).status).toBe(404)
  expect((await post('/kettle/boil', '[]')).status).toBe(400)
  expect((await post('/kettle/boil', JSON.stringify({ cups: 'x'.repeat(5_000) }))).status).toBe(400)
})

it('says a line once, and keeps the last ones', () => {
  const lines = new Lines()
  expect(lines.add('a', 'x')).toBe(true)
  expect(lines.add('a', 'x')).toBe(false)
  for (let number = 0; number < 500; number += 1) lines.add('a', `${number}`)
  expect(lines.recent).toHaveLength(200)
  expect(lines.recent.at(-1)?.text).toBe('499')
})
