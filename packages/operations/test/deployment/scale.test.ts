// Numbers changed in a topology file, and which release runs and is gone back to.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import {
  currentRelease,
  findRelease,
  type KeptRelease,
  keepVariant,
  keptReleases,
  markCurrent,
  releaseBefore,
  renewSecrets,
} from '../../src/deployment/kept-releases.ts'
import { onlyServices } from '../../src/deployment/region-services.ts'
import { parseScale, scaleStack, scaleTopology } from '../../src/deployment/scale.ts'
import { StateDirectory } from '../../src/deployment/state-directory.ts'

const FILE = `# ours
regions:
  - name: us-east # home
    app: { replicas: 3 }
  - name: eu-west
    app:
      replicas: 3 # enough
`

test('a number is changed where it stands; comments stay', () => {
  const { text, changes } = scaleTopology(FILE, [parseScale('eu-west=5', ['us-east', 'eu-west'])])
  expect(changes).toEqual(['eu-west: 3 → 5'])
  expect(text).toBe(FILE.replace('replicas: 3 # enough', 'replicas: 5 # enough'))
})

test('what had its default is written down; what is so already is left alone', () => {
  const { text, changes } = scaleTopology(FILE, [
    { kind: 'cache', name: 'cache', count: 9 },
    { kind: 'region', name: 'us-east', count: 3 },
  ])
  expect(changes).toEqual(['cache: default → 9'])
  expect(text).toContain('cache:\n  nodes: 9')
})

test.each([
  ['eu-west', 'must be NAME=NUMBER'],
  ['eu-west=-1', 'must be NAME=NUMBER'],
  ['eu-west=many', 'must be NAME=NUMBER'],
  ['eu-west=1001', 'must be NAME=NUMBER'],
  ['mars=1', 'nothing called mars to scale: us-east, eu-west, cache, content'],
])('%s is refused', (word, message) => {
  expect(() => parseScale(word, ['us-east', 'eu-west'])).toThrow(message)
})

const kept = (id: string, isProven: boolean): KeptRelease => ({
  id,
  release: `r${id}`,
  at: id,
  environment: {},
  isProven,
})
const KEPT = [kept('4', false), kept('3', true), kept('2', false), kept('1', true)]

test('a rollback goes to the newest release before the present one that was healthy as a whole', () => {
  expect(releaseBefore(KEPT, kept('3', true))?.id).toBe('1')
  expect(releaseBefore(KEPT, kept('1', true))).toBeNull()
  expect(findRelease(KEPT, 'r2').id).toBe('2')
  expect(() => findRelease(KEPT, 'r9')).toThrow('release r9 is not kept here; kept are r4 (4)')
})

const STACK = `version: "3.8"
services:
  app_eu_west:
    configs:
      - source: markets
        mode: 0444
    deploy:
      replicas: 3
  redis_cluster:
    deploy:
      replicas: 6
`

test('of a stack file nothing but the number changes: modes of files stay octal', () => {
  const scaled = scaleStack(STACK, [{ kind: 'region', name: 'eu-west', count: 5 }])
  expect(scaled).toBe(STACK.replace('replicas: 3', 'replicas: 5'))
  expect(onlyServices(STACK, ['app_eu_west'])).toBe(STACK.slice(0, STACK.indexOf('  redis_cluster')))
})

test('after a rollback what runs is the older one; it is kept however many come after it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wintrades-kept-'))
  vi.stubEnv('WINTRADES_STATE', folder)
  try {
    const state = new StateDirectory('test')
    const base = kept('20260101T000000-base', false)
    mkdirSync(join(state.releases, base.id), { recursive: true })
    writeFileSync(join(state.releases, base.id, 'docker-compose.global.yml'), STACK)
    expect(currentRelease(state)).toBeNull()
    markCurrent(state, base)
    const scaled = keepVariant(state, base, (text) => `${text}# scaled\n`)
    markCurrent(state, scaled)
    expect(currentRelease(state)?.id).toBe(scaled.id)
    expect(releaseBefore(keptReleases(state), scaled)?.id).toBe(base.id)
    markCurrent(state, base)
    for (let i = 0; i < 6; i++) keepVariant(state, base, (text) => `${text}# ${i}\n`)
    expect(currentRelease(state)?.id).toBe(base.id)
    expect(keptReleases(state)).toHaveLength(5)
  } finally {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('secrets that were replaced are gone back to with no release', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wintrades-kept-'))
  vi.stubEnv('WINTRADES_STATE', folder)
  try {
    const state = new StateDirectory('test')
    for (const [id, environment] of [
      ['1', { WINTRADES_SECRET_JWT_SECRET: 'jwt_1', WINTRADES_RELEASE: 'r1' }],
      ['2', { WINTRADES_RELEASE: 'r2' }],
    ] as const) {
      mkdirSync(join(state.releases, id), { recursive: true })
      markCurrent(state, { ...kept(id, true), environment })
    }
    renewSecrets(state, { WINTRADES_SECRET_JWT_SECRET: 'jwt_2' })
    expect(keptReleases(state).map(({ environment }) => environment)).toEqual([
      { WINTRADES_RELEASE: 'r2' },
      { WINTRADES_SECRET_JWT_SECRET: 'jwt_2', WINTRADES_RELEASE: 'r1' },
    ])
    expect(currentRelease(state)?.id).toBe('2')
  } finally {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true, force: true })
  }
})
