// operator.yml: the annotated example is valid, and whatever is wrong is told with its line and what to write.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatFileFault } from '@wintrades/platform'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readOperatorFile } from '../../src/operator/configuration.ts'
import { inRepository } from '../../src/repository.ts'

const EXAMPLE = readFileSync(inRepository('operator.example.yml'), 'utf8')
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-operator-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** The faults of the example after a change, without the file's name. */
function faultsOf(from: string | RegExp, to: string): readonly string[] {
  const text = EXAMPLE.replace(from, to)
  expect(text).not.toBe(EXAMPLE)
  const file = join(directory, 'operator.yml')
  writeFileSync(file, text)
  const result = readOperatorFile(file)
  return result.ok ? [] : result.faults.map((fault) => formatFileFault(fault).replace(`${file}:`, ''))
}

it('accepts the example, and everything in it that is commented out', () => {
  expect(readOperatorFile(inRepository('operator.example.yml'))).toMatchObject({ ok: true })
  expect(faultsOf(/^( *)# (?=[a-z_]+:( \S+| "[^"]+")?$|- at:| {2}region:)/gm, '$1')).toEqual([])
})

it('names an unknown key, its line, and the keys there are', () => {
  const line = EXAMPLE.split('\n').findIndex((text) => text.includes('  port: 8300')) + 1
  expect(faultsOf('  port: 8300', '  prot: 8300')).toEqual([
    `${line}: http.prot is not known here; known are host, port, key_file`,
  ])
})

it('wants three voters in three regions', () => {
  expect(faultsOf(/role: reader/, 'role: voter').join()).toMatch(
    /must have exactly 3 voters.*voters in different regions/s,
  )
})

it('refuses a server twice, and one that is incomplete', () => {
  expect(faultsOf('host: mysql_slave_eu', 'host: mysql_master')).toEqual([
    expect.stringContaining('must have each host and port once; mysql_master:3306 is there twice'),
  ])
  expect(faultsOf('      host: mysql_slave_ap\n', '')).toEqual([
    expect.stringContaining('database.servers[2].host must be a host name or address; it is missing'),
  ])
})

it('refuses a schedule that leads to a region without a voter', () => {
  const withSchedule = '  follow_the_sun:\n    - at: "25:00"\n      region: mars\n  # follow_the_sun:'
  const faults = faultsOf('  # follow_the_sun:', withSchedule)
  expect(faults.join()).toMatch(/at must be a time in UTC.*region must be a region with a voter; mars has none/s)
})

it('wants Redis nodes, each once', () => {
  expect(faultsOf('host: redis-2', 'host: redis-1')).toEqual([
    expect.stringContaining('must have each host and port once; redis-1:6379 is there twice'),
  ])
  expect(faultsOf('- name: redis-3', '- name: redis-2').join()).toContain('each name once')
  expect(faultsOf('# replicas_per_master: 1', 'replicas_per_master: 9').join()).toContain('from 0 to 5')
})
