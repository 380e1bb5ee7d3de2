// When a service has become what it was asked to be, and when it never will.

import { expect, test } from 'vitest'
import { isDone, progressOf } from '../../src/deployment/convergence.ts'
import { onlyServices, servicesOfRegion } from '../../src/deployment/region-services.ts'
import { currentSecrets } from '../../src/deployment/secrets.ts'
import type { Service, Task } from '../../src/deployment/swarm.ts'

const IMAGE = 'wintrades/app:2'

function task(change: Partial<Task> = {}): Task {
  return {
    state: 'running',
    wanted: 'running',
    error: null,
    node: 'n',
    slot: 1,
    image: IMAGE,
    createdAt: '2026-01-01T00:00:00Z',
    ...change,
  }
}

function service(change: Partial<Service> = {}): Service {
  return {
    name: 'app_us_east',
    image: IMAGE,
    replicas: 3,
    update: null,
    updateMessage: '',
    tasks: [task(), task(), task()],
    ...change,
  }
}

test('every task healthy is done', () => {
  expect(progressOf(service(), 1)).toMatchObject({ state: 'done', line: '3 of 3 healthy' })
  expect(isDone([progressOf(service(), 1)])).toBe(true)
})

test('a task that is starting is waited for, and said', () => {
  const starting = service({ tasks: [task(), task(), task({ state: 'starting' })] })
  expect(progressOf(starting, 1)).toMatchObject({ state: 'going on', line: '2 of 3 healthy, starting' })
})

test('tasks of the image before do not count', () => {
  const old = service({
    tasks: [task(), task({ image: 'wintrades/app:1' }), task({ image: 'wintrades/app:1' })],
    update: 'updating',
  })
  expect(progressOf(old, 1)).toMatchObject({ running: 1, state: 'going on' })
})

test('an update that has all its tasks but is not over yet goes on', () => {
  expect(progressOf(service({ update: 'updating' }), 1).state).toBe('going on')
  expect(progressOf(service({ update: 'completed' }), 1).state).toBe('done')
})

test('what was rolled back has failed, with the newest reason', () => {
  const failed = service({
    update: 'rollback_completed',
    tasks: [
      task({ wanted: 'shutdown', error: 'task: non-zero exit (1)', createdAt: '2026-01-01T00:00:01Z' }),
      task({ wanted: 'shutdown', error: 'task: non-zero exit (2)', createdAt: '2026-01-01T00:00:02Z' }),
    ],
  })
  expect(progressOf(failed, 1)).toMatchObject({
    state: 'failed',
    line: 'was put back to what ran before: task: non-zero exit (2)',
  })
})

test('a service that runs one on each node needs as many as there are', () => {
  expect(progressOf(service({ replicas: null, tasks: [task()] }), 2)).toMatchObject({ wanted: 2, state: 'going on' })
  expect(progressOf(service({ replicas: null, tasks: [task()] }), 1).state).toBe('done')
})

test('of secrets with one name the newest is current', () => {
  const stored = (name: string, createdAt: string) => ({
    id: name,
    name,
    createdAt,
    labels: { 'wintrades.secret': 'jwt_secret' },
  })
  const current = currentSecrets([stored('b', '2026-01-02T00:00:00Z'), stored('a', '2026-01-01T00:00:00Z')])
  expect(current.get('jwt_secret')?.name).toBe('b')
})

test('of a stack file only the services of one region are kept', () => {
  const file = `
services:
  app_us_east: { deploy: { placement: { constraints: ["node.labels.wintrades.region.us-east == true"] } } }
  app_eu_west: { deploy: { placement: { constraints: ["node.labels.wintrades.region.eu-west == true"] } } }
  redis_cluster: {}
networks: { data: {} }
`
  const kept = onlyServices(file, servicesOfRegion('eu-west'))
  expect(kept).toContain('app_eu_west')
  expect(kept).not.toContain('app_us_east')
  expect(kept).toContain('networks')
})
