// One server of the lab in its container: started, killed, stopped, frozen, wiped. Its data lies in a folder of the lab.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './shell.ts'

export type ContainerOptions = {
  readonly labNumber: number
  readonly name: string
  readonly image: string
  /** As `docker run --network` takes it. */
  readonly network: string
  /** Host folder → folder in the container; `:ro` at the end of the latter makes it read-only. */
  readonly volumes: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly command: readonly string[]
  /** More flags for `docker run`. */
  readonly flags?: readonly string[]
}

export class LabContainer {
  readonly id: string

  private constructor(id: string) {
    this.id = id
  }

  static async start(options: ContainerOptions): Promise<LabContainer> {
    const volumes = Object.entries(options.volumes).flatMap(([from, to]) => ['--volume', `${from}:${to}`])
    const environment = Object.entries(options.environment ?? {}).flatMap(([name, value]) => [
      '--env',
      `${name}=${value}`,
    ])
    const name = `wintrades-lab${options.labNumber}-${options.name}`
    const fixed = [
      '--detach',
      '--label',
      `wintrades.lab=${options.labNumber}`,
      '--name',
      name,
      '--network',
      options.network,
    ]
    const args = [
      'run',
      ...fixed,
      ...volumes,
      ...environment,
      ...(options.flags ?? []),
      options.image,
      ...options.command,
    ]
    return new LabContainer(await run('docker', args))
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await run('docker', ['kill', '--signal', 'KILL', this.id])
    await run('docker', ['wait', this.id])
  }

  /** In order: SIGTERM, and time to end. */
  async stop(): Promise<void> {
    await run('docker', ['stop', '--time', '60', this.id], { timeout_ms: 90_000 })
  }

  /** After `kill` or `stop`. */
  async start(): Promise<void> {
    await run('docker', ['start', this.id])
  }

  /** Frozen: its connections stay open and nothing answers. */
  async pause(): Promise<void> {
    await run('docker', ['pause', this.id])
  }

  async unpause(): Promise<void> {
    await run('docker', ['unpause', this.id])
  }

  async isRunning(): Promise<boolean> {
    return (await run('docker', ['inspect', '--format', '{{.State.Running}}', this.id])) === 'true'
  }

  /** What it wrote last. */
  async log(lines = 50): Promise<string> {
    return await run('sh', ['-c', `docker logs --tail ${lines} '${this.id}' 2>&1`])
  }

  /** Runs a program inside. */
  async exec(command: readonly string[]): Promise<string> {
    return await run('docker', ['exec', this.id, ...command])
  }

  async remove(): Promise<void> {
    await run('docker', ['rm', '--force', this.id])
  }
}

/** An empty folder of the lab. */
export function emptyFolder(...path: readonly string[]): string {
  const folder = join(...path)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}
