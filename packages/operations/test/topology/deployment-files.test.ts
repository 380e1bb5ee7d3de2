// The files of a deployment that stand in the repository are what the topology says, and what is in them is understood by those who read them.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatFileFault, VARIABLES } from '@wintrades/platform'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readOperatorFile } from '../../src/operator/configuration.ts'
import { inRepository } from '../../src/repository.ts'
import { compareDeployment, writeDeployment } from '../../src/topology/deployment-files.ts'
import { requireDeployment, topologyFile } from '../../src/topology/read-files.ts'

const TOPOLOGY = requireDeployment(topologyFile())
const REPOSITORY = inRepository()
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-deployment-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function statesIn(folder: string): Record<string, string> {
  return Object.fromEntries(compareDeployment(TOPOLOGY, folder).map(({ path, state }) => [path, state]))
}

it('stands in the repository as it is rendered: otherwise run `wintrades render`', () => {
  const states = statesIn(REPOSITORY)
  expect(Object.entries(states).filter(([, state]) => state !== 'current')).toEqual([])
  expect(Object.keys(states)).toContain('docker-compose.global.yml')
})

it('writes what is missing or different, and removes what is of a server that is gone', () => {
  writeDeployment(compareDeployment(TOPOLOGY, directory), directory)
  writeFileSync(join(directory, 'deployment/mysql/mysql_gone.cnf'), '')
  writeFileSync(join(directory, 'deployment/mysql/entrypoint.sh'), '')
  writeFileSync(join(directory, 'deployment/redis/redis.conf'), 'port 1')
  const changed = Object.entries(statesIn(directory)).filter(([, state]) => state !== 'current')
  expect(changed).toEqual([
    ['deployment/redis/redis.conf', 'different'],
    ['deployment/mysql/mysql_gone.cnf', 'left over'],
  ])
  writeDeployment(compareDeployment(TOPOLOGY, directory), directory)
  expect(Object.values(statesIn(directory)).filter((state) => state !== 'current')).toEqual([])
  expect(readFileSync(join(directory, 'deployment/mysql/entrypoint.sh'), 'utf8')).toBe('')
})

it('gives the operators files that they understand', () => {
  for (const { name } of TOPOLOGY.regions) {
    const result = readOperatorFile(inRepository('deployment', 'operator', `${name}.yml`))
    expect(result.ok ? [] : result.faults.map(formatFileFault)).toEqual([])
    expect(result.ok && (result.configuration.backup !== null) === (TOPOLOGY.backups?.region === name)).toBe(true)
  }
})

it('sets only variables that there are, to values that they take', () => {
  const stack = parse(readFileSync(inRepository('docker-compose.global.yml'), 'utf8'))
  const known = new Map(Object.values(VARIABLES).map((variable) => [variable.name as string, variable]))
  const own = Object.entries<{ image: string; environment?: Record<string, string> }>(stack.services).filter(
    ([, { image }]) => image.startsWith('wintrades/'),
  )
  expect(own).toHaveLength(2 * TOPOLOGY.regions.length)
  for (const [service, { environment = {} }] of own) {
    for (const [name, value] of Object.entries(environment)) {
      if (OTHERS.has(name)) continue
      const secretOf = known.get(name.replace(/_FILE$/, ''))
      const variable = known.get(name) ?? (secretOf?.secret === true ? undefined : secretOf)
      if (variable === undefined) expect([service, name, secretOf?.secret]).toEqual([service, name, true])
      else
        expect([service, name, variable.kind.parse(value)]).toEqual([
          service,
          name,
          expect.objectContaining({ ok: true }),
        ])
    }
  }
})

/** Node's and the C library's own. */
const OTHERS = new Set(['UV_THREADPOOL_SIZE', 'GLIBC_TUNABLES'])
