// Which images other nodes can have, and what is said where they cannot.

import { expect, it } from 'vitest'
import { hasRegistry, missingElsewhere, neededImages } from '../../src/deployment/release.ts'
import { inRepository } from '../../src/repository.ts'
import { requireDeployment } from '../../src/topology/read-files.ts'

const topology = requireDeployment(inRepository('topology.example.yml'), inRepository('markets.yml'))

it('knows the host of a registry by its looks, as docker does', () => {
  const names = [
    'registry.example/wintrades/app',
    'localhost/app',
    '10.0.0.1:5000/app',
    'wintrades/app',
    'app',
    'app:1.0',
  ]
  expect(names.filter(hasRegistry)).toEqual(names.slice(0, 3))
})

it('says what other nodes lack, and what to do', () => {
  expect(missingElsewhere(topology, 'r1', 1)).toBeNull()
  expect(missingElsewhere(topology, 'r1', 3)).toMatch(
    /^wintrades\/app:r1 and wintrades\/operator:r1 are in no registry: .*images in topology\.yml/,
  )
  const images = { ...topology.images, app: 'registry.example/app', operator: 'registry.example/operator' }
  expect(missingElsewhere({ ...topology, images }, 'r1', 3)).toBeNull()
})

it('needs the servers of the topology, and its own of the release', () => {
  const needed = neededImages(topology, 'r1').map(({ name, how }) => `${name} ${how}`)
  expect(needed).toContain('mysql pulled')
  expect(needed.slice(-2)).toEqual(['app built', 'operator built'])
  expect(neededImages({ ...topology, monitoring: null }, 'r1').map(({ name }) => name)).not.toContain('prometheus')
})
