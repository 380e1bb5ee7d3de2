// The list of nodes follows its file: a change is read once, a faulty file is told and changes nothing.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { followNodes } from '../../../src/operator/redis/configuration.ts'

const node = (name: string) => ({ name, region: 'us-east', host: name, port: 6_379 })

test('a changed file is read, a faulty or absent one changes nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-nodes-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'operator.yml')
  writeFileSync(file, 'a')
  const said: string[] = []
  let answer: ReturnType<Parameters<typeof followNodes>[2]> = [node('redis-1'), node('redis-2')]
  const nodes = followNodes(
    file,
    [node('redis-1')],
    () => answer,
    (line) => said.push(line),
  )
  expect(nodes().length).toBe(1)
  writeFileSync(file, 'a changed one')
  expect([nodes().length, nodes().length, said.length]).toEqual([2, 2, 1])
  answer = { fault: 'line 3: nonsense' }
  writeFileSync(file, 'a changed one, and wrong')
  expect([nodes().length, said[1]]).toEqual([2, 'line 3: nonsense: the nodes listed before stand'])
  rmSync(file)
  expect(nodes().length).toBe(2)
})
