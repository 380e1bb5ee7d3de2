// What a deployment keeps in a real swarm: secrets made once, each told to a person before it is kept; the lock; the authority that is never replaced unasked.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  breakLock,
  Docker,
  ensureSecrets,
  ensureSwarm,
  pruneSecrets,
  readInfo,
  readLock,
  readSecrets,
  requireDeployment,
  StateDirectory,
  withLock,
} from '@wintrades/operations/deployment'
import { secretsOf, type Topology, variableOf } from '@wintrades/topology'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureDocker } from './lab/docker.ts'

const EXAMPLE = join(import.meta.dirname, '..', '..', 'topology.example.yml')
const docker = new Docker()
const say = () => {}
let topology: Topology
let folder: string
let isOurSwarm = false
let endDocker = async () => {}

beforeAll(async () => {
  endDocker = await ensureDocker((line) => void process.stderr.write(`deployment: ${line}\n`))
  const info = await readInfo(docker)
  isOurSwarm = !info.isActive
  await ensureSwarm(docker, info, say)
  folder = mkdtempSync(join(tmpdir(), 'wintrades-deployment-'))
  process.env['WINTRADES_STATE'] = join(folder, 'state')
  process.env['WINTRADES_SSL'] = join(folder, 'ssl')
  topology = { ...requireDeployment(EXAMPLE), stack: `wintradestest${process.pid}` }
})

afterAll(async () => {
  if (topology !== undefined) {
    await pruneSecrets(docker, topology.stack, new Set())
    await breakLock(docker, topology.stack)
  }
  if (isOurSwarm) await docker.run(['swarm', 'leave', '--force'])
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  await endDocker()
})

test('secrets are made once, and what a person has to keep is told then', async () => {
  const state = new StateDirectory(topology.stack)
  const told: string[] = []
  const reveal = (purpose: string, value: string) => void told.push(`${purpose} ${value}`)
  const first = await ensureSecrets(docker, topology, state, { say, reveal })
  const wanted = secretsOf(topology).map(({ name }) => name)
  expect(first.made.toSorted()).toEqual(wanted.toSorted())
  expect(Object.keys(first.environment).toSorted()).toEqual(wanted.map(variableOf).toSorted())
  expect(told.map((line) => line.split(' ')[0])).toEqual(expect.arrayContaining(['ENCRYPTION_KEY:', 'key', 'password']))
  expect(told).toHaveLength(3)
  const second = await ensureSecrets(docker, topology, state, { say, reveal })
  expect(second).toMatchObject({ made: [], environment: first.environment })
  expect(told).toHaveLength(3)
})

test('one that is missing is made anew, the others stay', async () => {
  const state = new StateDirectory(topology.stack)
  const jwt = (await readSecrets(docker, topology.stack)).find(({ name }) => name.includes('jwt_secret'))
  await docker.run(['secret', 'rm', jwt?.id ?? ''])
  const { made, environment } = await ensureSecrets(docker, topology, state, { say, reveal: say })
  expect(made).toEqual(['jwt_secret'])
  expect(environment['WINTRADES_SECRET_JWT_SECRET']).not.toBe(jwt?.name)
})

test('without the key of the authority nothing is made, now or at the next try', async () => {
  const elsewhere = process.env['WINTRADES_STATE'] as string
  process.env['WINTRADES_STATE'] = join(folder, 'another-machine')
  try {
    const state = new StateDirectory(topology.stack)
    const before = await readSecrets(docker, topology.stack)
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const ensuring = ensureSecrets(docker, topology, state, { say, reveal: say })
      await expect(ensuring).rejects.toThrow(/an authority whose key is not in .*bring that directory here/)
    }
    expect(await readSecrets(docker, topology.stack)).toEqual(before)
  } finally {
    process.env['WINTRADES_STATE'] = elsewhere
  }
})

test('one deployment at a time: the other is told who is at it, and a lock left behind can be broken', async () => {
  const { stack } = topology
  await withLock(docker, stack, 'deploy production all', async () => {
    const other = withLock(docker, stack, 'deploy production eu-west', async () => 'never')
    await expect(other).rejects.toThrow(/is at it since .*: deploy production all\. Wait; .*--break-lock/)
    expect(await breakLock(docker, stack)).toMatchObject({ why: 'deploy production all' })
    expect(await withLock(docker, stack, 'another', async () => 'done')).toBe('done')
  })
  expect(await readLock(docker, stack)).toBeNull()
})
