// What is written as YAML is read as the same by a reader of either version of it.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { formatYaml, Verbatim, type Yaml } from '../src/yaml.ts'

const { tree } = fc.letrec<{ tree: Yaml; leaf: Yaml }>((tie) => ({
  leaf: fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      'yes',
      'no',
      'on',
      'null',
      '~',
      '0x1f',
      '1e3',
      'e0',
      'E+1',
      '0755',
      '12:30',
      '1_000',
      '-',
      '- a',
      'a: b',
      'a #b',
      '',
      ' a',
      'a ',
      '=',
      '<<',
      '.5',
      '.inf',
      '2026-01-01',
    ),
    fc.integer(),
    fc.boolean(),
  ),
  tree: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('on', 'y', '1', 'a b', 'e0', '_1', 'e1_0')),
      tie('tree'),
      {
        maxKeys: 4,
      },
    ),
  ),
}))

it.each(['1.1', '1.2'] as const)('is read as what it was, by YAML %s', (version) => {
  fc.assert(
    fc.property(tree, (value) => {
      expect(parse(formatYaml(value), { version, merge: false, maxAliasCount: 0 })).toEqual(value)
    }),
  )
})

it('is written as a person would', () => {
  expect(
    formatYaml({
      name: 'a',
      left: undefined,
      list: ['x', { a: 1, b: ['c'] }, []],
      none: {},
      mode: new Verbatim('0400'),
    }),
  ).toBe('name: a\nlist:\n  - x\n  - a: 1\n    b:\n      - c\n  - []\nnone: {}\nmode: 0400\n')
})
