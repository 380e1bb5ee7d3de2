// A node of the lab's swarm: a Docker daemon of its own in the network of a region, with its own name, images and containers. It can be killed with all that
// runs on it, as a machine that loses its power, and started again with its disk.

import { spawn } from 'node:child_process'
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Docker } from '@wintrades/operations/deployment'
import { unmountBelow } from '../lab/disk.ts'
import { killNow, run } from '../lab/shell.ts'
import { until } from '../lab/until.ts'

const START_TIMEOUT_MS = 60_000
const KILL_TIMEOUT_MS = 30_000
const LOAD_TIMEOUT_MS = 600_000
/** What follows runs in namespaces of its own, as on another machine: $1 is the node's folder, $2 its name. */
const BOOT = `
hostname "$2"
mkdir -p /run/docker
mount -t tmpfs tmpfs /run/docker
mount --bind "$1/resolv.conf" /etc/resolv.conf
exec dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/dockerd.pid" --host "unix://$1/docker.sock" --log-level warn
`
/** Nobody answers there: a daemon that asked a real one for a registry would make every task wait. */
const RESOLVER = 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n'

export type LabNodeOptions = {
  /** Also its host name. */
  readonly region: string
  readonly address: string
  readonly directory: string
  /** What precedes a command that shall run in the region's network. */
  readonly enter: readonly string[]
}

export class LabNode {
  readonly region: string
  readonly address: string
  readonly enter: readonly string[]
  readonly docker: Docker
  /** Of commands that shall speak to this daemon. */
  readonly environment: { readonly DOCKER_HOST: string }
  readonly #directory: string

  constructor({ region, address, directory, enter }: LabNodeOptions) {
    this.region = region
    this.address = address
    this.enter = enter
    this.#directory = join(directory, region)
    this.environment = { DOCKER_HOST: `unix://${join(this.#directory, 'docker.sock')}` }
    this.docker = new Docker(this.environment)
  }

  /** Resolves when its daemon answers. */
  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    writeFileSync(join(this.#directory, 'resolv.conf'), RESOLVER)
    const log = join(this.#directory, 'dockerd.log')
    const output = openSync(log, 'a')
    const boot = ['unshare', '--mount', '--uts', '--', 'sh', '-ec', BOOT, 'boot', this.#directory, this.region]
    const [file, ...args] = [...this.enter, ...boot]
    const daemon = spawn(file as string, args, { stdio: ['ignore', output, output], detached: true })
    daemon.unref()
    const answers = async () => {
      if (daemon.exitCode !== null)
        throw new Error(readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n'))
      return await this.isRunning()
    }
    await until(`the Docker daemon of ${this.region} answers`, answers, { timeout_ms: START_TIMEOUT_MS, every_ms: 200 })
  }

  async isRunning(): Promise<boolean> {
    return await this.docker.run(['version', '--format', '{{.Server.Version}}'], { timeout_ms: 10_000 }).then(
      () => true,
      () => false,
    )
  }

  /** Images of this host's daemon, as `docker images` names them. */
  async load(images: readonly string[]): Promise<void> {
    const missing: string[] = []
    for (const image of images) if ((await this.docker.run(['images', '--quiet', image])) === '') missing.push(image)
    if (missing.length === 0) return
    const pipe = 'docker save "$@" | docker --host "$NODE" load --quiet'
    await run('env', [`NODE=${this.environment.DOCKER_HOST}`, 'sh', '-ec', pipe, 'load', ...missing], {
      timeout_ms: LOAD_TIMEOUT_MS,
    })
  }

  /** The daemon and every process of its containers at once; what they have written stays. */
  kill(): void {
    const deadline_ms = performance.now() + KILL_TIMEOUT_MS
    // A process that is forked meanwhile is found the next time, or ends with the first one of its container.
    for (let found = this.#processes(); found.length > 0; found = this.#processes()) {
      if (performance.now() > deadline_ms) throw new Error(`${found.length} processes of ${this.region} do not end`)
      for (const pid of found) killNow(pid)
    }
    // What a machine keeps in memory is gone with its power.
    unmountBelow(join(this.#directory, 'exec'))
    for (const name of ['exec', 'dockerd.pid', 'docker.sock'])
      rmSync(join(this.#directory, name), { recursive: true, force: true })
  }

  /** All that live in its mount namespace or in one of its containers, whose keeper names the folder. */
  #processes(): number[] {
    const parents = new Map<number, number>()
    const found = new Set<number>()
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (!Number.isInteger(pid) || pid === process.pid) continue
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        if (state === 'Z') continue
        parents.set(pid, Number(parent))
        if (isOfDaemon(command, this.#directory)) found.add(pid)
      } catch {
        // It has ended since.
      }
    }
    for (let isMore = true; isMore; ) {
      isMore = false
      for (const [pid, parent] of parents) {
        if (!found.has(parent) || found.has(pid)) continue
        found.add(pid)
        isMore = true
      }
    }
    return [...found]
  }
}

function isOfDaemon([program = '', ...args]: readonly string[], directory: string): boolean {
  return (
    /(dockerd|containerd|containerd-shim-runc-v2|docker-proxy)$/.test(program) &&
    args.some((word) => word.includes(directory))
  )
}
