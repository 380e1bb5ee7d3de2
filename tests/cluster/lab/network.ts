// The lab's wide-area network: each region is a network namespace (held by a container that does nothing else), joined with the others and
// with this host by a switch in a namespace of its own. Every address can be reached under the same name from every region and from here.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { killNow, run, runNow } from './shell.ts'
import { until } from './until.ts'

/** One-way delays, milliseconds, by pair of regions such as `us-east/eu-west`; `host` is where the test itself runs. */
export type Delays = Readonly<Record<string, number>>

type RegionNetwork = {
  readonly container: string
  /** Of the container that holds the namespace. */
  readonly pid: number
  readonly address: string
  /** Its port at the switch. */
  readonly port: string
}

export type NetworkOptions = {
  readonly number: number
  readonly directory: string
  readonly image: string
  readonly regions: readonly string[]
  readonly delays: Delays | null
}

/** This host's port at the switch, and its name among the delays. */
const HOST_PORT = 'host'
const LABEL = 'wintrades.lab'

export class LabNetwork {
  readonly #options: NetworkOptions
  readonly #regions = new Map<string, RegionNetwork>()
  readonly #cut = new Set<string>()
  #switch: ChildProcess | null = null

  private constructor(options: NetworkOptions) {
    this.#options = options
  }

  static async start(options: NetworkOptions): Promise<LabNetwork> {
    const network = new LabNetwork(options)
    clearSlot(options.number)
    try {
      await network.#start()
    } catch (error) {
      network.closeNow()
      throw error
    }
    return network
  }

  /** One that another process has started and left. */
  static async attach(options: NetworkOptions): Promise<LabNetwork> {
    const network = new LabNetwork(options)
    for (const [index, region] of options.regions.entries()) await network.#find(region, index + 1)
    return network
  }

  addressOf(region: string): string {
    return this.#region(region).address
  }

  /** Of the process that holds its namespace. */
  holderOf(region: string): number {
    return this.#region(region).pid
  }

  get addresses(): readonly string[] {
    return [...this.#regions.values()].map(({ address }) => address)
  }

  /** As `docker run --network` takes it. */
  dockerNetworkOf(region: string): string {
    return `container:${this.#region(region).container}`
  }

  /** What precedes a command that shall run in the network of the region. */
  enter(region: string): readonly string[] {
    return ['nsenter', `--net=/proc/${this.#region(region).pid}/ns/net`, '--']
  }

  /** Nothing passes between this region and the others any more, in either direction; within it, and from this host, everything does. */
  async cut(region: string): Promise<void> {
    if (this.#cut.has(region)) return
    this.#cut.add(region)
    await this.#filter(region, '--insert')
  }

  async heal(region: string): Promise<void> {
    if (!this.#cut.delete(region)) return
    await this.#filter(region, '--delete')
  }

  /** Its cable is drawn: nobody reaches it, this host neither. */
  async unplug(region: string): Promise<void> {
    await this.#link(region, 'down')
  }

  async plug(region: string): Promise<void> {
    await this.#link(region, 'up')
  }

  async isUnplugged(region: string): Promise<boolean> {
    const { port } = this.#region(region)
    const text = await run('ip', ['-n', wanNamespace(this.#options.number), '-json', 'link', 'show', port])
    const [link] = JSON.parse(text) as [{ readonly flags: readonly string[] }]
    return !link.flags.includes('UP')
  }

  /** Only for a network that was started with delays. */
  setDelays(delays: Delays): void {
    if (this.#options.delays === null) throw new Error('this lab has a switch without delays')
    this.#writeDelays(delays)
  }

  closeNow(): void {
    if (this.#switch !== null) this.#switch.kill('SIGKILL')
    else if (existsSync(this.#switchFile)) killNow(Number(readFileSync(this.#switchFile, 'utf8')))
    clearSlot(this.#options.number)
  }

  async #start(): Promise<void> {
    const { number, regions, delays } = this.#options
    const wan = wanNamespace(number)
    await run('ip', ['netns', 'add', wan])
    await run('ip', ['-n', wan, 'link', 'set', 'lo', 'up'])
    await this.#joinHost(wan)
    for (const [index, region] of regions.entries()) await this.#joinRegion(wan, region, index + 1)
    const ports = [HOST_PORT, ...[...this.#regions.values()].map(({ port }) => port)]
    if (delays === null) await joinByBridge(wan, ports)
    else await this.#joinBySwitch(wan, ports, delays)
  }

  async #joinHost(wan: string): Promise<void> {
    const name = hostInterface(this.#options.number)
    await run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', HOST_PORT, 'netns', wan])
    await run('ip', ['address', 'add', this.#networkAddress(0), 'dev', name])
    await run('ip', ['link', 'set', name, 'up'])
    await run('ip', ['-n', wan, 'link', 'set', HOST_PORT, 'up'])
  }

  async #joinRegion(wan: string, region: string, index: number): Promise<void> {
    const { number, image } = this.#options
    const container = this.#containerOf(region)
    const flags = ['--detach', '--init', '--network', 'none', '--label', `${LABEL}=${number}`, '--name', container]
    // A connection that was idle must not begin slowly: batches would wait for round trips.
    const sysctls = [
      '--sysctl',
      'net.ipv4.tcp_slow_start_after_idle=0',
      '--sysctl',
      'net.ipv4.tcp_congestion_control=reno',
    ]
    await run('docker', ['run', ...flags, ...sysctls, image, 'sleep', 'infinity'])
    const { pid, port } = await this.#find(region, index)
    const inside = ['nsenter', `--net=/proc/${pid}/ns/net`, '--', 'ip'] as const
    await run('ip', ['-n', wan, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'wan', 'netns', String(pid)])
    await run(inside[0], [...inside.slice(1), 'address', 'add', this.#networkAddress(index), 'dev', 'wan'])
    await run(inside[0], [...inside.slice(1), 'link', 'set', 'wan', 'up'])
    await run('ip', ['-n', wan, 'link', 'set', port, 'up'])
  }

  async #find(region: string, index: number): Promise<RegionNetwork> {
    const container = this.#containerOf(region)
    const pid = Number(await run('docker', ['inspect', '--format', '{{.State.Pid}}', container]))
    const address = this.#networkAddress(index).replace(/\/.*/, '')
    const found = { container, pid, address, port: `port${index}` }
    this.#regions.set(region, found)
    return found
  }

  #containerOf(region: string): string {
    return `wintrades-lab${this.#options.number}-${region}`
  }

  async #link(region: string, state: 'up' | 'down'): Promise<void> {
    await run('ip', ['-n', wanNamespace(this.#options.number), 'link', 'set', this.#region(region).port, state])
  }

  async #joinBySwitch(wan: string, ports: readonly string[], delays: Delays): Promise<void> {
    const script = (name: string) => join(import.meta.dirname, name)
    await run('ip', ['netns', 'exec', wan, 'python3', script('offload-off.py'), ...ports])
    await run('python3', [script('offload-off.py'), hostInterface(this.#options.number)])
    for (const region of this.#regions.keys()) {
      const [file, ...args] = this.enter(region)
      await run(file as string, [...args, 'python3', script('offload-off.py'), 'wan'])
    }
    this.#writeDelays(delays)
    const args = [
      `--net=/run/netns/${wan}`,
      '--',
      'python3',
      script('delay-switch.py'),
      ...ports,
      '--',
      this.#controlFile,
    ]
    // It outlives the command that started it, whose output somebody may read to its end.
    const log = openSync(join(this.#options.directory, 'switch.log'), 'a')
    const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', log], detached: true })
    closeSync(log)
    this.#switch = child
    writeFileSync(this.#switchFile, String(child.pid))
    let ready = false
    child.stdout?.once('data', () => {
      ready = true
    })
    await until('the switch is ready', () => {
      if (child.exitCode !== null) {
        const said = readFileSync(join(this.#options.directory, 'switch.log'), 'utf8').trimEnd()
        throw new Error(`it ended with code ${child.exitCode}: ${said}`)
      }
      return ready
    })
    child.stdout?.destroy()
    child.unref()
  }

  /** Who else has this lab ends the switch by its process id. */
  get #switchFile(): string {
    return join(this.#options.directory, 'switch.pid')
  }

  get #controlFile(): string {
    return join(this.#options.directory, 'delays')
  }

  #writeDelays(delays: Delays): void {
    const words = Object.entries(delays).map(([pair, delay_ms]) => {
      const [one, other] = pair.split('/')
      return `${this.#portOf(one ?? '')}-${this.#portOf(other ?? '')}=${delay_ms}`
    })
    writeFileSync(this.#controlFile, `${words.join('\n')}\n`)
  }

  #portOf(name: string): string {
    return name === HOST_PORT ? HOST_PORT : this.#region(name).port
  }

  async #filter(region: string, change: '--insert' | '--delete'): Promise<void> {
    const { address } = this.#region(region)
    for (const [name, other] of this.#regions) {
      if (name === region || this.#cut.has(name)) continue
      await this.#drop(region, other.address, change)
      await this.#drop(name, address, change)
    }
  }

  async #drop(region: string, from: string, change: string): Promise<void> {
    const [file, ...args] = this.enter(region)
    await run(file as string, [...args, 'iptables', '--wait', change, 'INPUT', '--source', from, '--jump', 'DROP'])
  }

  #networkAddress(index: number): string {
    return `10.${77 + this.#options.number}.${index}.1/16`
  }

  #region(name: string): RegionNetwork {
    const region = this.#regions.get(name)
    if (region === undefined) throw new RangeError(`the lab has no region ${name}`)
    return region
  }
}

async function joinByBridge(wan: string, ports: readonly string[]): Promise<void> {
  await run('ip', ['-n', wan, 'link', 'add', 'bridge0', 'type', 'bridge'])
  await run('ip', ['-n', wan, 'link', 'set', 'bridge0', 'up'])
  for (const port of ports) await run('ip', ['-n', wan, 'link', 'set', port, 'master', 'bridge0'])
}

/** Removes whatever a lab of this number has or had. */
function clearSlot(number: number): void {
  runNow('sh', [
    '-c',
    `docker ps --all --quiet --filter label=${LABEL}=${number} | xargs --no-run-if-empty docker rm --force --volumes`,
  ])
  runNow('ip', ['link', 'delete', hostInterface(number)])
  runNow('ip', ['netns', 'delete', wanNamespace(number)])
}

function wanNamespace(number: number): string {
  return `wintrades-lab${number}`
}

function hostInterface(number: number): string {
  return `wtlab${number}`
}
