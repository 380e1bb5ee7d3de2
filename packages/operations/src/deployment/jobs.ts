// Programs that run once in the swarm and end, on a node that has what they need: made, waited for, their words read, and removed again whatever happens.

import { pause } from '../operator/reconciler.ts'
import { type BringUpContext, DeployFailed } from './bring-up.ts'
import type { Docker } from './docker.ts'

export type Job = {
  /** Of the service in the swarm. */
  readonly name: string
  /** For a person: what it does not do where it fails. */
  readonly purpose: string
  /** Of `docker service create`: mounts, secrets, environment, constraints. */
  readonly flags: readonly string[]
  readonly image: string
  readonly command: readonly string[]
}

const LOOK_MS = 2_000
const WORDS = 8

/** All at once; resolves with what each has written, in order. */
export async function runJobs(context: BringUpContext, jobs: readonly Job[]): Promise<readonly (readonly string[])[]> {
  const { docker, topology } = context
  try {
    for (const { name, flags, image, command } of jobs) {
      // Of one that was broken off.
      await remove(docker, name)
      await docker.run([
        ...['service', 'create', '--detach', '--quiet', '--name', name, '--mode', 'replicated-job'],
        ...['--restart-condition', 'none', '--no-resolve-image', '--with-registry-auth'],
        ...['--label', `com.docker.stack.namespace=${topology.stack}`],
        ...['--container-label', `com.docker.stack.namespace=${topology.stack}`],
        ...flags,
        image,
        ...command,
      ])
    }
    const words: (readonly string[])[] = []
    for (const job of jobs) words.push(await untilDone(context, job))
    return words
  } finally {
    for (const { name } of jobs) await remove(docker, name)
  }
}

/** And its container, which docker keeps when it has ended, with a hold on its volumes; that of another node stays there. */
async function remove(docker: Docker, name: string): Promise<void> {
  await docker.run(['service', 'rm', name]).catch(() => '')
  const filters = ['--filter', `label=com.docker.swarm.service.name=${name}`, '--filter', 'status=exited']
  const ids = (await docker.run(['ps', '--all', '--quiet', ...filters])).split('\n').filter((id) => id !== '')
  for (const id of ids) await docker.run(['rm', id]).catch(() => '')
}

type RawTask = { readonly Status: { readonly State: string; readonly Err?: string } }

async function untilDone(context: BringUpContext, { name, purpose }: Job): Promise<readonly string[]> {
  const { docker, timeout_ms, signal } = context
  const deadline_ms = performance.now() + timeout_ms
  for (;;) {
    signal.throwIfAborted()
    const ids = (await docker.run(['service', 'ps', '--quiet', '--no-trunc', name])).split('\n').filter(Boolean)
    const tasks =
      ids.length === 0 ? [] : (JSON.parse(await docker.run(['inspect', '--type', 'task', ...ids])) as RawTask[])
    if (tasks.some(({ Status }) => Status.State === 'complete')) return await wordsOf(docker, name)
    const failed = tasks.find(({ Status }) => ['failed', 'rejected', 'orphaned'].includes(Status.State))
    if (failed !== undefined) {
      const last = (await wordsOf(docker, name)).slice(-WORDS)
      throw new DeployFailed([`${purpose}: ${failed.Status.Err ?? 'it ended'}`, ...last].join('\n'))
    }
    if (performance.now() > deadline_ms) {
      const why = tasks.map(({ Status }) => `${Status.State} ${Status.Err ?? ''}`.trim()).join(', ')
      throw new DeployFailed(`${purpose} within ${Math.round(timeout_ms / 1_000)} s (${why || 'no task'})`)
    }
    await pause(LOOK_MS, signal)
  }
}

async function wordsOf(docker: Docker, name: string): Promise<readonly string[]> {
  const text = await docker.run(['service', 'logs', '--raw', name])
  return text.split('\n').filter((line) => line !== '')
}
