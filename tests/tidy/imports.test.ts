// Import directions: every package imports only what the table in docs/ARCHITECTURE.md allows, only through the other
// package's entry, and without cycles inside a package.

import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { CODE, FILES, type SourceFile } from './repository.ts'

const EVERYTHING = ['domain', 'engine', 'venue', 'gateway', 'marketdata', 'platform', 'topology', 'operations']

/** Who may import whom. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  engine: ['domain'],
  platform: [],
  topology: [],
  venue: ['domain', 'engine', 'platform'],
  marketdata: ['domain', 'platform'],
  gateway: ['domain', 'venue', 'marketdata', 'platform'],
  operations: EVERYTHING,
}

/** What tests may import besides: the real thing whose output their package works on. */
const ALLOWED_IN_TESTS: Readonly<Record<string, readonly string[]>> = {
  marketdata: ['engine'],
  gateway: ['engine'],
}

/** Packages that import nothing but each other: no npm package, no Node. */
const PURE = ['domain', 'engine', 'topology']

type Import = { readonly file: SourceFile; readonly specifier: string; readonly typeOnly: boolean }

const IMPORT =
  /^\s*(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+\.ts)['"]/gm

const IMPORTS: readonly Import[] = CODE.flatMap((file) =>
  [...file.text.matchAll(IMPORT)].map((match) => ({
    file,
    specifier: match[2] ?? match[3] ?? match[4] ?? '',
    typeOnly: match[1] !== undefined,
  })),
)

function packageOf(path: string): string | null {
  return /^packages\/([^/]+)\//.exec(path)?.[1] ?? null
}

function isTest(path: string): boolean {
  return /^packages\/[^/]+\/test\//.test(path)
}

test('the check sees the imports there are', () => {
  expect(
    IMPORTS.some((one) => one.file.path.startsWith('packages/venue/') && one.specifier === '@wintrades/domain'),
  ).toBe(true)
})

test('every package is in the table', () => {
  const packages = new Set(CODE.map((file) => packageOf(file.path)).filter((name) => name !== null))
  expect([...packages].filter((name) => !(name in ALLOWED))).toEqual([])
})

test('packages import only what the table allows', () => {
  const faults = IMPORTS.filter(({ file, specifier }) => {
    const from = packageOf(file.path)
    const to = /^@wintrades\/([^/]+)/.exec(specifier)?.[1]
    if (from === null || to === undefined || to === from || (ALLOWED[from] ?? []).includes(to)) return false
    return !(isTest(file.path) && (ALLOWED_IN_TESTS[from] ?? []).includes(to))
  })
  expect(faults.map(describeImport)).toEqual([])
})

test('packages import each other only through their entries, never by a path; tests may import tests', () => {
  const faults = IMPORTS.filter(({ file, specifier }) => {
    if (/^@wintrades\/[^/]+\/./.test(specifier)) return !exportedPaths(specifier).includes(specifier)
    if (!specifier.startsWith('.')) return false
    const target = posix.join(posix.dirname(file.path), specifier)
    // The same tests run on other databases in other tiers.
    if (file.path.startsWith('tests/') && isTest(target)) return false
    return packageOf(file.path) !== packageOf(target) && packageOf(target) !== null
  })
  expect(faults.map(describeImport)).toEqual([])
})

test('pure packages import nothing from outside', () => {
  const faults = IMPORTS.filter(({ file, specifier }) => {
    const from = packageOf(file.path)
    if (from === null || !PURE.includes(from) || isTest(file.path)) return false
    return !specifier.startsWith('.') && !specifier.startsWith('@wintrades/')
  })
  expect(faults.map(describeImport)).toEqual([])
})

test('what a package imports is among its dependencies', () => {
  const faults = IMPORTS.filter(({ file, specifier }) => {
    const owner = /^((?:packages|services)\/[^/]+)\/src\//.exec(file.path)?.[1]
    if (owner === undefined || specifier.startsWith('.') || specifier.startsWith('node:')) return false
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/')
    return !dependenciesOf(owner).includes(name)
  })
  expect(faults.map(describeImport)).toEqual([])
})

test('no cycles inside a package, types aside', () => {
  const graph = new Map<string, string[]>()
  for (const { file, specifier, typeOnly } of IMPORTS) {
    if (typeOnly || !specifier.startsWith('.')) continue
    const target = posix.join(posix.dirname(file.path), specifier)
    graph.set(file.path, [...(graph.get(file.path) ?? []), target])
  }
  expect(findCycles(graph)).toEqual([])
})

function describeImport({ file, specifier }: Import): string {
  return `${file.path} imports ${specifier}`
}

function manifestOf(owner: string): { name?: string; dependencies?: object; exports?: object } {
  const manifest = FILES.find((file) => file.path === `${owner}/package.json`)
  return manifest === undefined ? {} : JSON.parse(manifest.text)
}

function dependenciesOf(owner: string): readonly string[] {
  const manifest = manifestOf(owner)
  return [...Object.keys(manifest.dependencies ?? {}), manifest.name ?? '']
}

function exportedPaths(specifier: string): readonly string[] {
  const [scope, name] = specifier.split('/')
  return Object.keys(manifestOf(`packages/${name}`).exports ?? {}).map((path) => posix.join(`${scope}/${name}`, path))
}

function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (node: string, trail: readonly string[]): void => {
    if (trail.includes(node)) {
      cycles.push([...trail.slice(trail.indexOf(node)), node].join(' → '))
      return
    }
    if (done.has(node)) return
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node])
    done.add(node)
  }
  for (const node of graph.keys()) visit(node, [])
  return cycles
}
