// A region more, and one less, in the files that name it: everything else stays as it was written.

import { readFileSync } from 'node:fs'
import { readMarkets } from '@wintrades/domain'
import { readTopology } from '@wintrades/topology'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { addRegion, type FileTexts, type NewRegion, removeRegion } from '../../src/deployment/region-files.ts'
import { inRepository } from '../../src/repository.ts'

const texts: FileTexts = {
  topology: readFileSync(inRepository('topology.example.yml'), 'utf8'),
  markets: readFileSync(inRepository('markets.yml'), 'utf8'),
}
const africa: NewRegion = {
  name: 'af-south',
  label: 'Africa South',
  continents: ['africa'],
  networks: ['2001:db8::/32'],
  next: ['eu-west', 'us-east', 'asia-pacific'],
  replicas: 2,
}

/** As a deploy reads them. */
function read({ topology, markets }: FileTexts) {
  const checked = readMarkets(parse(markets))
  if (!checked.ok) throw new Error(JSON.stringify(checked.faults))
  const result = readTopology(parse(topology), checked.markets.shards)
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  return { topology: result.topology, shards: checked.markets.shards }
}

test('a new region is in both files, last of every order', () => {
  const { topology, shards } = read(addRegion(texts, africa))
  expect(topology.regions.at(-1)).toMatchObject({
    name: 'af-south',
    label: 'Africa South',
    continents: ['africa'],
    networks: ['2001:db8::/32'],
    next: ['eu-west', 'us-east', 'asia-pacific'],
    app: { replicas: 2 },
  })
  expect(topology.regions.map(({ continents }) => continents.includes('africa'))).toEqual([false, false, false, true])
  for (const { next } of topology.regions.slice(0, 3)) expect(next.at(-1)).toBe('af-south')
  for (const { regions } of shards) expect(regions.at(-1)).toBe('af-south')
})

test('and nothing else is touched: all other lines stay as they are', () => {
  const added = addRegion(texts, africa)
  for (const key of ['topology', 'markets'] as const) {
    const before = texts[key].split('\n')
    const after = added[key].split('\n')
    const gone = before.filter((line) => !after.includes(line))
    expect(
      gone.every((line) => /^ +(next|continents): |^ +- \{ name: .*regions: /.test(line)),
      gone.join('\n'),
    ).toBe(true)
  }
})

test('added and removed, the files are what they were but for where its continents are', () => {
  const back = removeRegion(addRegion(texts, africa), 'af-south')
  expect(back.markets).toBe(texts.markets)
  expect(back.topology).toBe(texts.topology)
})

test('the first of its next regions inherits its continents', () => {
  const back = removeRegion(addRegion(texts, { ...africa, next: ['asia-pacific', 'us-east', 'eu-west'] }), 'af-south')
  expect(read(back).topology.regions.find(({ name }) => name === 'asia-pacific')?.continents).toContain('africa')
})

test('a file of other forms is understood: lists in lines, regions without continents, comments in between', () => {
  const shards = `shards:
  - name: us-east
    regions:
      - us-east
      - eu-west
assets: []
`
  const topology = `# ours
regions:
  - name: us-east # home
    next:
      - eu-west
    app: { replicas: 3 } # enough
  # the second
  - name: eu-west
    next: [us-east]
    app: { replicas: 3 }

# what follows
cache: { nodes: 6 }
`
  const added = addRegion(
    { topology, markets: shards },
    { ...africa, continents: [], networks: [], next: ['us-east', 'eu-west'] },
  )
  expect(parse(added.topology)).toEqual({
    regions: [
      { name: 'us-east', next: ['eu-west', 'af-south'], app: { replicas: 3 } },
      { name: 'eu-west', next: ['us-east', 'af-south'], app: { replicas: 3 } },
      { name: 'af-south', label: 'Africa South', continents: [], next: ['us-east', 'eu-west'], app: { replicas: 2 } },
    ],
    cache: { nodes: 6 },
  })
  for (const comment of ['# ours', '# home', '# enough', '# the second', '\n# what follows'])
    expect(added.topology).toContain(comment)
  expect(parse(added.markets).shards).toEqual([{ name: 'us-east', regions: ['us-east', 'eu-west', 'af-south'] }])
  expect(parse(removeRegion(added, 'af-south').topology)).toEqual(parse(topology))
})

test('what cannot be is refused', () => {
  expect(() => addRegion(texts, { ...africa, name: 'us-east' })).toThrow('there is a region us-east already')
  expect(() => addRegion(texts, { ...africa, replicas: 99 })).toThrow('0 to 32 app processes')
  expect(() => removeRegion(texts, 'mars')).toThrow('there is no region mars')
  expect(() => removeRegion(texts, 'eu-west')).toThrow(/home of the shard eu-west/)
})
