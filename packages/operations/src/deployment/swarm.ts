// What the swarm says of itself: nodes with their labels, services, and how their tasks stand.

import { type Docker, DockerFault } from './docker.ts'

/** Tasks come and go while a stack is brought up. */
const READ_ATTEMPTS = 20

export type Node = {
  readonly id: string
  readonly hostname: string
  readonly isReady: boolean
  readonly isActive: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly memory_bytes: number
  readonly cpus: number
}

export type Task = {
  /** `running` only once its health check has passed. */
  readonly state: string
  readonly wanted: string
  readonly error: string | null
  readonly node: string
  readonly slot: number
  readonly image: string
  readonly createdAt: string
}

export type Service = {
  readonly name: string
  readonly image: string
  /** null: one on each node. */
  readonly replicas: number | null
  /** `updating`, `completed`, `paused`, `rollback_completed`, …; null: it was never changed. */
  readonly update: string | null
  readonly updateMessage: string
  readonly tasks: readonly Task[]
}

type RawNode = {
  readonly ID: string
  readonly Spec: { readonly Labels?: Record<string, string>; readonly Availability: string }
  readonly Description: {
    readonly Hostname: string
    readonly Resources: { readonly MemoryBytes?: number; readonly NanoCPUs?: number }
  }
  readonly Status: { readonly State: string }
}

type RawService = {
  readonly ID: string
  readonly Spec: {
    readonly Name: string
    readonly Mode: { readonly Replicated?: { readonly Replicas: number } }
    readonly TaskTemplate: { readonly ContainerSpec: { readonly Image: string } }
  }
  readonly UpdateStatus?: { readonly State?: string; readonly Message?: string }
}

type RawTask = {
  readonly ServiceID: string
  readonly NodeID?: string
  readonly Slot?: number
  readonly CreatedAt: string
  readonly DesiredState: string
  readonly Status: { readonly State: string; readonly Err?: string }
  readonly Spec: { readonly ContainerSpec?: { readonly Image: string } }
}

export type SwarmInfo = {
  readonly isActive: boolean
  readonly isManager: boolean
  readonly serverVersion: string
  readonly memory_bytes: number
}

export async function readInfo(docker: Docker): Promise<SwarmInfo> {
  const info = JSON.parse(await docker.run(['info', '--format', '{{json .}}'])) as {
    readonly ServerVersion: string
    readonly MemTotal: number
    readonly Swarm: { readonly LocalNodeState: string; readonly ControlAvailable: boolean }
  }
  return {
    isActive: info.Swarm.LocalNodeState === 'active',
    isManager: info.Swarm.ControlAvailable,
    serverVersion: info.ServerVersion,
    memory_bytes: info.MemTotal,
  }
}

export async function readNodes(docker: Docker): Promise<readonly Node[]> {
  const ids = (await docker.run(['node', 'ls', '--quiet'])).split('\n').filter((id) => id !== '')
  const nodes = await docker.inspect<RawNode>('node', ids)
  return nodes
    .map(({ ID, Spec, Description, Status }) => ({
      id: ID,
      hostname: Description.Hostname,
      isReady: Status.State === 'ready',
      isActive: Spec.Availability === 'active',
      labels: Spec.Labels ?? {},
      memory_bytes: Description.Resources.MemoryBytes ?? 0,
      cpus: (Description.Resources.NanoCPUs ?? 0) / 1e9,
    }))
    .sort((a, b) => (a.hostname < b.hostname ? -1 : 1))
}

/** Of one stack, by name; names without that of the stack. What goes while it is read is read again. */
export async function readServices(docker: Docker, stack: string): Promise<readonly Service[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryReadServices(docker, stack)
    } catch (error) {
      if (!(error instanceof DockerFault && /no such|not found/i.test(error.output))) throw error
      if (attempt === READ_ATTEMPTS)
        throw new Error(`the tasks of ${stack} change too fast to be read: try again`, { cause: error })
    }
  }
}

async function tryReadServices(docker: Docker, stack: string): Promise<readonly Service[]> {
  const ids = (await docker.run(['service', 'ls', '--quiet', '--filter', `label=com.docker.stack.namespace=${stack}`]))
    .split('\n')
    .filter((id) => id !== '')
  const services = await docker.inspect<RawService>('service', ids)
  const tasks = await readTasks(docker, ids)
  return services
    .map(({ ID, Spec, UpdateStatus }) => ({
      name: Spec.Name.slice(stack.length + 1),
      image: Spec.TaskTemplate.ContainerSpec.Image,
      replicas: Spec.Mode.Replicated?.Replicas ?? null,
      update: UpdateStatus?.State ?? null,
      updateMessage: UpdateStatus?.Message ?? '',
      tasks: tasks.filter((task) => task.ServiceID === ID).map(taskOf),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function readTasks(docker: Docker, services: readonly string[]): Promise<readonly RawTask[]> {
  if (services.length === 0) return []
  const ids = (await docker.run(['service', 'ps', '--quiet', '--no-trunc', ...services]))
    .split('\n')
    .filter((id) => id !== '')
  if (ids.length === 0) return []
  return JSON.parse(await docker.run(['inspect', '--type', 'task', ...ids])) as readonly RawTask[]
}

function taskOf(task: RawTask): Task {
  return {
    state: task.Status.State,
    wanted: task.DesiredState,
    error: task.Status.Err ?? null,
    node: task.NodeID ?? '',
    slot: task.Slot ?? 0,
    image: task.Spec.ContainerSpec?.Image ?? '',
    createdAt: task.CreatedAt,
  }
}
