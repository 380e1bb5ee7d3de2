// Tidiness as a test: headers, no leftovers, no paths of one machine, documents whose links lead somewhere.

import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, test } from 'vitest'
import { CODE, FILES, findMatches, ROOT } from './repository.ts'

// Spelled in pieces, so that this file does not find itself.
const LEFTOVER = new RegExp(
  `\\b(${['TO', 'FIX', 'XX', 'HA'].map((start, i) => start + ['DO', 'ME', 'X', 'CK'][i]).join('|')})\\b`,
)
const ONLY = new RegExp(`\\b(test|it|describe)\\.${'on'}ly\\(`)
const MACHINE_PATH = new RegExp(
  `(^|[\\s"'\`(=:])/(${['ho', 'ro', 'wo', 'Us'].map((start, i) => start + ['me', 'ot', 'rk', 'ers'][i]).join('|')})/\\w`,
)
const REGISTRY = new RegExp(`registry\\.${'npm'}js|"resolved": "http`)

test('every source file opens with what it is', () => {
  const without = CODE.filter((file) => !/^(#!.*\n)?(\/\/ \S|\/\*\*)/.test(file.text)).map((file) => file.path)
  expect(without).toEqual([])
})

test('nothing is left to do in the code', () => {
  expect(findMatches(CODE, LEFTOVER, 'a leftover')).toEqual([])
})

test('no test runs alone', () => {
  expect(findMatches(CODE, ONLY, 'keeps the other tests from running')).toEqual([])
})

test('no error is swallowed', () => {
  const empty = CODE.filter((file) =>
    /catch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\(\w*\)\s*=>\s*\{\s*\}\)/.test(file.text),
  )
  expect(empty.map((file) => file.path)).toEqual([])
})

test('no path of one machine, no registry', () => {
  const files = FILES.filter((file) => !file.path.startsWith('tests/tidy/'))
  expect(findMatches(files, MACHINE_PATH, 'a path of one machine')).toEqual([])
  expect(findMatches(files, REGISTRY, 'the host of a registry')).toEqual([])
})

test('file names are kebab-case', () => {
  const names = CODE.map((file) => file.path).filter((path) => !/^[a-z0-9/.-]+$/.test(path))
  expect(names).toEqual([])
})

test('links in documents lead somewhere', () => {
  const faults = FILES.filter((file) => file.path.endsWith('.md')).flatMap((file) =>
    [...withoutCode(file.text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(file.path, link))
      .map((link) => `${file.path} links to ${link}`),
  )
  expect(faults).toEqual([])
})

function withoutCode(markdown: string): string {
  return markdown.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '')
}

function leadsSomewhere(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? from : posix.join(posix.dirname(from), path)
  if (!existsSync(join(ROOT, target))) return false
  if (anchor === undefined || !target.endsWith('.md')) return true
  const text = FILES.find((file) => file.path === target)?.text ?? ''
  return [...text.matchAll(/^#+ (.*)$/gm)].some((heading) => anchorOf(heading[1] ?? '') === anchor)
}

/** As GitHub makes it from a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replace(/ /g, '-')
}
