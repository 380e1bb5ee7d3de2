// One deployment at a time, whoever makes it from wherever: the lock is a config of the swarm, whose names are unique. It says who holds it, since when and
// why; one that was left behind is broken by a person who has read that.

import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { type Docker, DockerFault } from './docker.ts'

export type Holder = { readonly id: string; readonly who: string; readonly at: string; readonly why: string }

type RawConfig = { readonly Spec: { readonly Labels?: Record<string, string> } }

export class Locked extends Error {
  override readonly name = 'Locked'
}

const LABEL = 'wintrades.lock'

export function whoAmI(): string {
  return `${userInfo().username}@${hostname()}`
}

/** Runs `work` while holding the lock of the stack. */
export async function withLock<Result>(
  docker: Docker,
  stack: string,
  why: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const name = `${stack}_lock`
  const holder: Holder = { id: randomUUID(), who: whoAmI(), at: new Date().toISOString(), why }
  try {
    await docker.run(['config', 'create', '--label', `${LABEL}=${JSON.stringify(holder)}`, name, '-'], {
      input: `${why}\n`,
    })
  } catch (error) {
    const other = await readLock(docker, stack)
    if (other === null) throw error
    throw new Locked(
      `${other.who} is at it since ${other.at}: ${other.why}. Wait; if that has ended without giving the lock back, wintrades deploy --break-lock`,
    )
  }
  try {
    return await work()
  } finally {
    // Broken by somebody meanwhile, it is another's now.
    if ((await readLock(docker, stack))?.id === holder.id) await docker.run(['config', 'rm', name])
  }
}

export async function readLock(docker: Docker, stack: string): Promise<Holder | null> {
  try {
    const [config] = await docker.inspect<RawConfig>('config', [`${stack}_lock`])
    const text = config?.Spec.Labels?.[LABEL]
    return text === undefined ? null : (JSON.parse(text) as Holder)
  } catch (error) {
    if (error instanceof DockerFault && /no such config|not found/i.test(error.output)) return null
    throw error
  }
}

export async function breakLock(docker: Docker, stack: string): Promise<Holder | null> {
  const holder = await readLock(docker, stack)
  if (holder !== null) await docker.run(['config', 'rm', `${stack}_lock`])
  return holder
}
