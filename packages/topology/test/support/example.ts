// The topology that comes with the platform, and what is rendered from it with given files.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { readTopology, renderDeployment, type Topology } from '../../src/index.ts'

/** Shards as markets.yml has them. */
function shardsOf(first: string) {
  const regions = [first, 'eu-west', 'asia-pacific']
  return regions.map((name) => ({ name, regions }))
}

export const EXAMPLE_TEXT = readFileSync(
  fileURLToPath(new URL('../../../../topology.example.yml', import.meta.url)),
  'utf8',
)

/** The example, with `change` made to it while it is still plain data. `first`: the region that us-east was renamed to. */
export function exampleTopology(change: (raw: object) => void = () => {}, first = 'us-east'): Topology {
  const raw = parse(EXAMPLE_TEXT)
  change(raw)
  const result = readTopology(raw, shardsOf(first))
  if (!result.ok) throw new Error(result.faults.map(({ path, message }) => `${path} ${message}`).join('\n'))
  return result.topology
}

export function renderExample(topology = exampleTopology(), read = (path: string) => `<${path}>`) {
  return renderDeployment(topology, { read, digest: digestOf })
}

/** Short and different for different texts; not safe against those who want a collision. */
function digestOf(text: string): string {
  let hash = 7n
  for (const byte of new TextEncoder().encode(text)) hash = (hash * 1_000_003n + BigInt(byte)) & 0xffff_ffff_ffffn
  return hash.toString(16).padStart(12, '0')
}
