// topology.yml and markets.yml with a region more, or one less: edited where it stands, so that comments, order and form of everything else stay. Pure.

import { type Continent, REPLICAS_MAX } from '@wintrades/topology'
import { isMap, isSeq, type Pair, parseDocument, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml'

export type NewRegion = {
  readonly name: string
  readonly label: string
  readonly continents: readonly Continent[]
  readonly networks: readonly string[]
  /** Every other region, nearest first. */
  readonly next: readonly string[]
  readonly replicas: number
}

export type FileTexts = { readonly topology: string; readonly markets: string }

export const REPLICAS_DEFAULT = 3

/** Continents that it takes are others' no more; it is every other region's, and every shard's, last resort. */
export function addRegion(texts: FileTexts, region: NewRegion): FileTexts {
  if (region.replicas < 0 || region.replicas > REPLICAS_MAX)
    throw new Error(`a region has 0 to ${REPLICAS_MAX} app processes, not ${region.replicas}`)
  const topology = new YamlText(texts.topology)
  const regions = regionsOf(topology)
  if (regions.some(({ name }) => name === region.name)) throw new Error(`there is a region ${region.name} already`)
  for (const { map } of regions) {
    topology.setWords(map, 'next', [...wordsOf(map, 'next'), region.name])
    const continents = wordsOf(map, 'continents')
    const left = continents.filter((continent) => !(region.continents as readonly string[]).includes(continent))
    if (left.length < continents.length) topology.setWords(map, 'continents', left)
  }
  topology.append('regions', [
    `name: ${region.name}`,
    `label: ${JSON.stringify(region.label)}`,
    `continents: [${region.continents.join(', ')}]`,
    `next: [${region.next.join(', ')}]`,
    ...(region.networks.length === 0 ? [] : [`networks: [${region.networks.map((one) => `"${one}"`).join(', ')}]`]),
    'app:',
    `  replicas: ${region.replicas}`,
  ])
  const markets = new YamlText(texts.markets)
  for (const map of markets.items('shards')) markets.setWords(map, 'regions', [...wordsOf(map, 'regions'), region.name])
  return { topology: topology.edited, markets: markets.edited }
}

/** Its continents become those of the region that its clients went to first. */
export function removeRegion(texts: FileTexts, name: string): FileTexts {
  const topology = new YamlText(texts.topology)
  const markets = new YamlText(texts.markets)
  const regions = regionsOf(topology)
  const leaving = regions.find((region) => region.name === name)
  if (leaving === undefined)
    throw new Error(`there is no region ${name}; regions are ${regions.map((region) => region.name).join(', ')}`)
  const home = markets.items('shards').find((map) => wordsOf(map, 'regions')[0] === name)
  if (home !== undefined)
    throw new Error(
      `${name} is the home of the shard ${String(home.get('name'))} (markets.yml): its orders and ids are of that shard for good, so the region stays`,
    )
  const heir = wordsOf(leaving.map, 'next')[0]
  for (const { name: other, map } of regions) {
    if (other === name) continue
    topology.setWords(
      map,
      'next',
      wordsOf(map, 'next').filter((one) => one !== name),
    )
    const inherited = other === heir ? wordsOf(leaving.map, 'continents') : []
    if (inherited.length > 0) topology.setWords(map, 'continents', [...wordsOf(map, 'continents'), ...inherited])
  }
  topology.remove('regions', leaving.map)
  for (const map of markets.items('shards')) {
    const words = wordsOf(map, 'regions')
    if (words.includes(name))
      markets.setWords(
        map,
        'regions',
        words.filter((word) => word !== name),
      )
  }
  return { topology: topology.edited, markets: markets.edited }
}

function regionsOf(topology: YamlText): readonly { readonly name: string; readonly map: YAMLMap }[] {
  return topology.items('regions').map((map) => ({ name: String(map.get('name')), map }))
}

function wordsOf(map: YAMLMap, key: string): readonly string[] {
  const value = map.get(key)
  return isSeq(value) ? value.items.map((item) => String((item as Scalar).value)) : []
}

type Edit = { readonly from: number; readonly to: number; readonly text: string }

/** Edits by place in the text, made all at once. */
class YamlText {
  readonly #text: string
  readonly #document: ReturnType<typeof parseDocument>
  readonly #edits: Edit[] = []

  constructor(text: string) {
    this.#text = text
    this.#document = parseDocument(text)
  }

  get edited(): string {
    return this.#edits
      .toSorted((a, b) => b.from - a.from)
      .reduce((text, { from, to, text: by }) => text.slice(0, from) + by + text.slice(to), this.#text)
  }

  /** The maps of a list at the top. */
  items(key: string): readonly YAMLMap[] {
    return this.#list(key).items.filter(isMap)
  }

  /** A list of words, on one line. */
  setWords(map: YAMLMap, key: string, words: readonly string[]): void {
    const value = map.get(key, true) as unknown
    const text = `[${words.join(', ')}]`
    if (isSeq(value)) {
      const [from, end] = rangeOf(value)
      // A list in lines ends with the last of them.
      this.#edits.push({ from, to: from + this.#text.slice(from, end).trimEnd().length, text })
      return
    }
    const name = map.items.find((pair) => String((pair as Pair<Scalar>).key.value) === 'name') as Pair<Scalar, Scalar>
    const at = rangeOf(name.value as Scalar)[1]
    const separator = map.flow === true ? ', ' : `\n${' '.repeat(this.#columnOf(rangeOf(name.key)[0]))}`
    this.#edits.push({ from: at, to: at, text: `${separator}${key}: ${text}` })
  }

  /** One more item of a list at the top, of these lines. */
  append(key: string, lines: readonly string[]): void {
    const list = this.#list(key)
    const last = list.items.at(-1) as YAMLMap
    const at = this.#endOfLine(last)
    const indent = ' '.repeat(this.#columnOf(rangeOf(last)[0]) - 2)
    const text = lines.map((line, i) => `\n${indent}${i === 0 ? '- ' : '  '}${line}`).join('')
    this.#edits.push({ from: at, to: at, text })
  }

  remove(key: string, item: YAMLMap): void {
    if (!this.#list(key).items.includes(item)) throw new Error(`${key} has no such item`)
    const from = this.#text.lastIndexOf('\n', rangeOf(item)[0]) + 1
    const to = this.#endOfLine(item) + 1
    // What would have been edited inside of it goes with it.
    const inside = this.#edits.filter((edit) => edit.from >= from && edit.to <= to)
    for (const edit of inside) this.#edits.splice(this.#edits.indexOf(edit), 1)
    this.#edits.push({ from, to, text: '' })
  }

  #list(key: string): YAMLSeq {
    const list = this.#document.get(key)
    if (isSeq(list) && list.flow !== true && list.items.length > 0) return list
    throw new Error(`${key} must be a list of lines that begin with a dash`)
  }

  /** Of the line that its last word stands on; comments of what follows are not its own. */
  #endOfLine(node: YAMLMap): number {
    const [from, end] = rangeOf(node)
    const lastWord = from + this.#text.slice(from, end).trimEnd().length
    const at = this.#text.indexOf('\n', lastWord)
    return at < 0 ? this.#text.length : at
  }

  #columnOf(position: number): number {
    return position - (this.#text.lastIndexOf('\n', position - 1) + 1)
  }
}

function rangeOf(node: {
  readonly range?: readonly [number, number, number] | null
}): readonly [number, number, number] {
  if (node.range === null || node.range === undefined) throw new Error('a part of the file has no place in it')
  return node.range
}
