// Whether a stack has become what it was asked to be: from what the swarm says of services and tasks, a verdict and a line a service. Pure.

import type { Service, Task } from './swarm.ts'

export type ServiceProgress = {
  readonly name: string
  readonly running: number
  readonly wanted: number
  readonly state: 'done' | 'going on' | 'failed'
  /** For a person: what it waits for, or why it failed. */
  readonly line: string
}

const ROLLED_BACK = new Set(['rollback_started', 'rollback_paused', 'rollback_completed', 'paused'])
const CHANGING = new Set(['updating', 'rollback_started'])

/** `nodes`: how many tasks a service has that runs one on each. */
export function progressOf(service: Service, nodes: number): ServiceProgress {
  const { name, update } = service
  const wanted = service.replicas ?? nodes
  // Tasks of the image before do not count: they are what is being replaced.
  const current = service.tasks.filter((task) => task.wanted === 'running' && isSameImage(task, service))
  const running = current.filter((task) => task.state === 'running').length
  const counts = `${running} of ${wanted}`
  if (update !== null && ROLLED_BACK.has(update)) {
    const why = lastError(service.tasks) ?? service.updateMessage
    return { name, running, wanted, state: 'failed', line: `was put back to what ran before: ${why}` }
  }
  if (running >= wanted && (update === null || !CHANGING.has(update)))
    return { name, running, wanted, state: 'done', line: `${counts} healthy` }
  const error = lastError(service.tasks)
  const waiting = current.find((task) => task.state !== 'running')
  const state = waiting === undefined ? '' : `, ${waiting.state}`
  return {
    name,
    running,
    wanted,
    state: 'going on',
    line: `${counts} healthy${state}${error === null ? '' : `; the last one ended: ${error}`}`,
  }
}

export function isDone(services: readonly ServiceProgress[]): boolean {
  return services.every(({ state }) => state === 'done')
}

function isSameImage(task: Task, service: Service): boolean {
  return task.image === '' || task.image === service.image
}

/** Of the task that was made last of those that failed. */
function lastError(tasks: readonly Task[]): string | null {
  const failed = tasks
    .filter((task) => task.error !== null && task.error !== '')
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  return failed[0]?.error ?? null
}
