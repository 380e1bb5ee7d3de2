// Numbers of a topology file, and of a stack file, changed in place: comments and order stay, and nothing else changes with them. Pure.

import { appServiceOf } from '@wintrades/topology'
import { type Document, isMap, parseDocument } from 'yaml'
import { parseStackFile, stackFileText } from './region-services.ts'

export type Scale = { readonly kind: 'region' | 'cache' | 'content'; readonly name: string; readonly count: number }

const COUNT_MAX = 1_000

export function parseScale(word: string, regions: readonly string[]): Scale {
  const [name = '', number, ...rest] = word.split('=')
  const count = Number(number)
  if (number === undefined || rest.length > 0 || !Number.isInteger(count) || count < 0 || count > COUNT_MAX)
    throw new Error(`${word} must be NAME=NUMBER, such as eu-west=5`)
  if (regions.includes(name)) return { kind: 'region', name, count }
  if (name === 'cache' || name === 'content') return { kind: name, name, count }
  throw new Error(`there is nothing called ${name} to scale: ${[...regions, 'cache', 'content'].join(', ')}`)
}

export function scaleTopology(
  text: string,
  scales: readonly Scale[],
): { readonly text: string; readonly changes: readonly string[] } {
  const document = parseDocument(text)
  const changes = scales.flatMap((scale) => {
    const path = pathOf(document, scale)
    const before = document.getIn(path)
    if (before === scale.count) return []
    document.setIn(path, scale.count)
    return [`${scale.name}: ${before ?? 'default'} → ${scale.count}`]
  })
  return { text: changes.length === 0 ? text : document.toString({ lineWidth: 0 }), changes }
}

/** As deployed: the same release, the same configuration, other numbers. */
export function scaleStack(stackFile: string, scales: readonly Scale[]): string {
  const document = parseStackFile(stackFile)
  for (const scale of scales) document.setIn(['services', serviceOf(scale), 'deploy', 'replicas'], scale.count)
  return stackFileText(document)
}

export function serviceOf({ kind, name }: Scale): string {
  return kind === 'region' ? appServiceOf(name) : kind === 'cache' ? 'redis_cluster' : 'cdn_cache'
}

function pathOf(document: Document, { kind, name }: Scale): readonly (string | number)[] {
  if (kind === 'cache') return ['cache', 'nodes']
  if (kind === 'content') return ['content', 'replicas']
  const regions = document.get('regions') as { readonly items: readonly unknown[] }
  const index = regions.items.findIndex((item) => isMap(item) && item.get('name') === name)
  return ['regions', index, 'app', 'replicas']
}
