// The whole platform on one machine: the processes of three regions, a front door and, if wanted, a simulated market. Used by
// `wintrades up` and, on free ports with a data directory of their own, by drills, benches and tests.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readMarkets } from '@wintrades/domain'
import {
  type Config,
  type Environment,
  formatFileFault,
  loadConfig,
  loadSecrets,
  readYamlFile,
} from '@wintrades/platform'
import { inRepository } from '../repository.ts'
import { lockDataDirectory } from './data-lock.ts'
import { activateNewestVersion } from './engine-version.ts'
import { LogFile } from './log-file.ts'
import { ManagedProcess, type ProcessEvent, type ProcessPlan } from './managed-process.ts'
import { choosePort, isFree } from './ports.ts'
import { type ProcessStatus, writeStatus } from './status-file.ts'

export type PlatformOptions = {
  readonly dataDirectory: string
  /** Port of the front door; 0 (the default) takes free ports for everything. */
  readonly port?: number
  /** Of each region, or by region; 1 by default. The further ones are called `us-east-2` and so on. */
  readonly processesPerRegion?: number | Readonly<Record<string, number>>
  /** Whether ordinary accounts make and take a market; off by default. */
  readonly simulation?: boolean
  /** Where region processes run, if not all of them in this host's network. */
  readonly placement?: Placement
  /** Added to, and before, the environment of this process. */
  readonly environment?: Environment
  readonly onEvent?: (event: PlatformEvent) => void
  readonly readyTimeout_ms?: number
  /** Ends the start-up early; what has been started is stopped again. */
  readonly signal?: AbortSignal
}

/** Region processes in networks of their own, such as namespaces with delays between them. */
export type Placement = {
  /** Where the region's process listens; can be reached from here and from the other regions. */
  readonly addressOf: (region: string) => string
  /** What precedes a command that shall run in the network of the region. */
  readonly enter: (region: string) => readonly string[]
  /** Added to, and before, the environment of the region's process. */
  readonly environmentOf?: (region: string) => Environment
}

/** One line of the platform's story. */
export type PlatformEvent = { readonly process: string; readonly message: string; readonly fault: boolean }

export interface Platform {
  /** Of the front door, without a slash at its end. */
  readonly baseUrl: string
  readonly dataDirectory: string
  readonly config: Config
  readonly startedAt: Date
  processes(): readonly ProcessStatus[]
  /** As an accident would; the process is started again. */
  kill(name: string, signal?: NodeJS.Signals): void
  /** Resolves when the process answers as ready. */
  waitUntilReady(name: string, timeout_ms: number): Promise<void>
  stop(): Promise<void>
}

/** Configuration that cannot be used; every fault has a line of its own. */
export class ConfigurationFault extends Error {
  override readonly name = 'ConfigurationFault'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(['the configuration has faults:', ...faults.map((fault) => `  ${fault}`)].join('\n'))
    this.faults = faults
  }
}

const READY_TIMEOUT_MS = 60_000
const READY_POLL_MS = 40
const PORT_WAIT_MS = 3_000
/** A process that dies this often before the platform was ever ready will not recover by itself. */
const START_ATTEMPTS_MAX = 3
const LOG_LINES_SHOWN = 12
const LOCAL = '127.0.0.1'
const FRONT_DOOR = 'front-door'
const SIMULATION = 'simulation'

/** Starts everything and resolves when every region and the front door are ready. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const dataDirectory = resolve(options.dataDirectory)
  // Names are looked up in Node's thread pool: a slow answer for one server must not hold up the others.
  const threads = process.env['UV_THREADPOOL_SIZE'] ?? '64'
  const environment = {
    ...process.env,
    UV_THREADPOOL_SIZE: threads,
    ...options.environment,
    DATA_DIRECTORY: dataDirectory,
  }
  const { config, regions } = readConfiguration(environment)
  const unlock = lockDataDirectory(dataDirectory)
  let supervisor: Supervisor | null = null
  try {
    const { operatorApiKey } = loadSecrets(config)
    const plans = await planProcesses(config, environment, regions, options)
    supervisor = new Supervisor(config, dataDirectory, plans, options.onEvent ?? (() => {}), unlock)
    supervisor.startAll()
    await supervisor.untilReady(options.readyTimeout_ms ?? READY_TIMEOUT_MS, options.signal)
    await supervisor.activateNewestVersion(operatorApiKey)
    return supervisor
  } catch (error) {
    if (supervisor === null) unlock()
    else await supervisor.stop()
    throw error
  }
}

/** Every fault of the environment and of markets.yml, or the configuration and its regions, home regions first. */
function readConfiguration(environment: Environment): { config: Config; regions: readonly string[] } {
  const marketsFile = resolve(environment['MARKETS_FILE'] || inRepository('markets.yml'))
  const read = loadConfig({ ...environment, MARKETS_FILE: marketsFile })
  if (!read.ok) throw new ConfigurationFault(read.faults.map((fault) => fault.message))
  const markets = readYamlFile(marketsFile, readMarkets)
  if (!markets.ok) throw new ConfigurationFault(markets.faults.map(formatFileFault))
  const homes = markets.markets.shards.map((shard) => shard.name)
  const regions = new Set([...homes, ...markets.markets.shards.flatMap((shard) => shard.regions)])
  return { config: read.config, regions: [...regions] }
}

async function planProcesses(
  config: Config,
  environment: Environment,
  regions: readonly string[],
  options: PlatformOptions,
): Promise<{ readonly all: readonly ProcessPlan[]; readonly host: string; readonly port: number }> {
  const { placement } = options
  const base = options.port ?? 0
  const taken = new Set<number>()
  const port =
    base === 0 ? await choosePort(config.httpHost, null, taken) : await claimPort(config.httpHost, base, taken)
  const places: { name: string; region: string; host: string; httpPort: number; linkPort: number }[] = []
  const { processesPerRegion = 1 } = options
  const countOf = (region: string) =>
    typeof processesPerRegion === 'number' ? processesPerRegion : (processesPerRegion[region] ?? 1)
  // First ones first, so that their ports are the same whatever comes besides them.
  for (let number = 1; number <= Math.max(...regions.map(countOf)); number++) {
    for (const region of regions.filter((one) => countOf(one) >= number)) {
      const index = places.length
      const host = placement?.addressOf(region) ?? LOCAL
      const httpPort = await choosePort(LOCAL, base === 0 ? null : base + 1 + index, taken)
      const linkPort = await choosePort(LOCAL, base === 0 ? null : base + 101 + index, taken)
      places.push({ name: number === 1 ? region : `${region}-${number}`, region, host, httpPort, linkPort })
    }
  }
  const shared = { ...environment, MARKETS_FILE: config.marketsFile }
  const LINK_PEERS = places.map((place) => `${place.region}=${place.host}:${place.linkPort}`).join(',')
  const regionPlans = places.map(({ name, region, host, httpPort, linkPort }): ProcessPlan => {
    const own = {
      REGION: region,
      HTTP_HOST: host,
      HTTP_PORT: String(httpPort),
      LINK_HOST: host,
      LINK_PORT: String(linkPort),
    }
    return {
      name,
      region,
      entry: inRepository('services', 'app', 'src', 'main.ts'),
      environment: { ...shared, ...placement?.environmentOf?.(region), ...own, LINK_PEERS },
      ...(placement === undefined ? {} : { enter: placement.enter(region) }),
      host,
      httpPort,
      linkPort,
      readyPath: '/health/ready',
    }
  })
  const REGION_ADDRESSES = places.map((place) => `${place.region}=${place.host}:${place.httpPort}`).join(',')
  const frontDoor: ProcessPlan = {
    name: FRONT_DOOR,
    entry: inRepository('services', 'front-door', 'src', 'main.ts'),
    environment: { ...shared, HTTP_PORT: String(port), REGION_ADDRESSES },
    host: LOCAL,
    httpPort: port,
    linkPort: null,
    readyPath: '/front-door/status',
  }
  const simulation: ProcessPlan = {
    name: SIMULATION,
    entry: inRepository('packages', 'operations', 'src', 'simulation', 'main.ts'),
    environment: { ...shared, FRONT_DOOR_URL: `http://${LOCAL}:${port}` },
    host: LOCAL,
    httpPort: null,
    linkPort: null,
    readyPath: null,
  }
  const all = [...regionPlans, frontDoor, ...(options.simulation === true ? [simulation] : [])]
  return { all, host: config.httpHost, port }
}

/** The wanted port, once it is free: a platform that was just killed may hold it for a moment longer. */
async function claimPort(host: string, port: number, taken: Set<number>): Promise<number> {
  const deadline_ms = performance.now() + PORT_WAIT_MS
  while (!(await isFree(host, port))) {
    if (performance.now() > deadline_ms) {
      throw new Error(`port ${port} is in use by another program; choose another with --port`)
    }
    await delay(READY_POLL_MS)
  }
  taken.add(port)
  return port
}

class Supervisor implements Platform {
  readonly baseUrl: string
  readonly dataDirectory: string
  readonly config: Config
  readonly startedAt = new Date()
  readonly #frontDoor: { readonly host: string; readonly port: number }
  readonly #processes: readonly ManagedProcess[]
  readonly #log: LogFile
  readonly #logs: LogFile[] = []
  readonly #onEvent: (event: PlatformEvent) => void
  readonly #unlock: () => void
  #beenReady = false
  #stopping: Promise<void> | null = null

  constructor(
    config: Config,
    dataDirectory: string,
    plans: { readonly all: readonly ProcessPlan[]; readonly host: string; readonly port: number },
    onEvent: (event: PlatformEvent) => void,
    unlock: () => void,
  ) {
    this.config = config
    this.dataDirectory = dataDirectory
    this.baseUrl = `http://${reachable(plans.host)}:${plans.port}`
    this.#frontDoor = { host: plans.host, port: plans.port }
    this.#onEvent = onEvent
    this.#unlock = unlock
    this.#log = this.#openLog('supervisor')
    this.#processes = plans.all.map(
      (plan) => new ManagedProcess(plan, this.#openLog(plan.name), (event) => this.#heard(plan.name, event)),
    )
  }

  /** The simulated market starts once there is something to trade on. */
  startAll(): void {
    for (const one of this.#processes) if (one.plan.name !== SIMULATION) one.start()
  }

  async untilReady(timeout_ms: number, signal: AbortSignal | undefined): Promise<void> {
    const waited = this.#processes.filter((one) => one.plan.name !== SIMULATION)
    await Promise.all(waited.map((one) => this.waitUntilReady(one.plan.name, timeout_ms, signal)))
    await this.#until(() => this.#frontDoorSeesAll(), timeout_ms, 'the front door sees every region', signal)
    this.#beenReady = true
    this.#processes.find((one) => one.plan.name === SIMULATION)?.start()
  }

  async activateNewestVersion(operatorKey: string): Promise<void> {
    const region = this.#processes.find((one) => one.plan.region !== undefined)
    if (region?.plan.httpPort == null) return
    const version = await activateNewestVersion(`http://${region.plan.host}:${region.plan.httpPort}`, operatorKey)
    if (version !== null)
      this.#onEvent({ process: 'supervisor', message: `engine version ${version} is in force`, fault: false })
  }

  processes(): readonly ProcessStatus[] {
    return this.#processes.map((one) => one.status)
  }

  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#find(name).kill(signal)
  }

  async waitUntilReady(name: string, timeout_ms: number, signal?: AbortSignal): Promise<void> {
    await this.#until(async () => this.#find(name).status.state === 'ready', timeout_ms, `${name} is ready`, signal)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async #stopAll(): Promise<void> {
    const timeout_ms = this.config.stopTimeout_ms + 1_000
    const named = (name: string) => this.#processes.filter((one) => one.plan.name === name)
    // Clients first, then the door, then the regions, together: each hands over or releases what it leads.
    for (const one of [...named(SIMULATION), ...named(FRONT_DOOR)]) await one.stop(timeout_ms)
    const regions = this.#processes.filter((one) => one.plan.region !== undefined)
    await Promise.all(regions.map((one) => one.stop(timeout_ms)))
    for (const log of this.#logs) log.close()
    this.#unlock()
  }

  #find(name: string): ManagedProcess {
    const found = this.#processes.find((one) => one.plan.name === name)
    if (found !== undefined) return found
    throw new Error(
      `there is no process ${name}; processes are ${this.#processes.map((one) => one.plan.name).join(', ')}`,
    )
  }

  #describeDeath(name: string): string {
    const path = resolve(this.dataDirectory, 'logs', `${name}.log`)
    const end = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n')
    return `${name} died ${START_ATTEMPTS_MAX} times before it was ready. The end of ${path}:\n${end}`
  }

  #openLog(name: string): LogFile {
    const log = new LogFile(resolve(this.dataDirectory, 'logs'), name)
    this.#logs.push(log)
    return log
  }

  #heard(name: string, event: ProcessEvent): void {
    const fault = event.kind === 'died' || event.kind === 'killed'
    const line = {
      time: new Date().toISOString(),
      level: fault ? 'warn' : 'info',
      component: 'supervisor',
      process: name,
    }
    this.#log.write(`${JSON.stringify({ ...line, message: event.kind, ...event })}\n`)
    const { pid, startedAt } = { pid: process.pid, startedAt: this.startedAt.toISOString() }
    writeStatus(this.dataDirectory, { pid, startedAt, frontDoor: this.#frontDoor, processes: this.processes() })
    this.#onEvent({ process: name, message: describeEvent(event), fault })
    if (event.kind === 'started') void this.#watch(this.#find(name), event.pid)
  }

  /** Asks a started process until it is ready, or gone. */
  async #watch(one: ManagedProcess, pid: number): Promise<void> {
    const { host, httpPort, readyPath } = one.plan
    const starting = () => one.status.pid === pid && one.status.state === 'starting'
    while (starting() && httpPort !== null && readyPath !== null) {
      if ((await get(`http://${host}:${httpPort}${readyPath}`))?.status === 200) break
      await delay(READY_POLL_MS)
    }
    if (starting()) one.markReady()
  }

  async #frontDoorSeesAll(): Promise<boolean> {
    const answer = await get(`${this.baseUrl}/front-door/status`)
    const body = answer?.body as { regions?: readonly { healthy: boolean }[] } | undefined
    return body?.regions?.every((region) => region.healthy) ?? false
  }

  async #until(
    condition: () => Promise<boolean>,
    timeout_ms: number,
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const deadline_ms = performance.now() + timeout_ms
    while (!(await condition())) {
      if (signal?.aborted === true || this.#stopping !== null) throw new Error(`stopped before ${what}`)
      const hopeless = this.#processes.find((one) => one.status.restarts >= START_ATTEMPTS_MAX)
      if (hopeless !== undefined && !this.#beenReady) throw new Error(this.#describeDeath(hopeless.plan.name))
      if (performance.now() > deadline_ms) {
        throw new Error(`waited ${timeout_ms} ms until ${what}; the logs are in ${resolve(this.dataDirectory, 'logs')}`)
      }
      await delay(READY_POLL_MS)
    }
  }
}

function describeEvent(event: ProcessEvent): string {
  switch (event.kind) {
    case 'started':
      return `started (pid ${event.pid})`
    case 'ready':
      return 'ready'
    case 'died':
      return `died (${event.how}); starting it again ${event.restartIn_ms === 0 ? 'at once' : `in ${event.restartIn_ms} ms`}`
    case 'stopped':
      return `stopped (${event.how})`
    case 'killed':
      return `did not stop within ${event.afterMs} ms; killed`
  }
}

/** An address that this machine can connect to. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** Null: nothing answers yet. */
async function get(url: string): Promise<{ readonly status: number; readonly body: unknown } | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    const text = await response.text()
    const json = response.headers.get('content-type')?.includes('json') === true
    return { status: response.status, body: json ? JSON.parse(text) : text }
  } catch {
    return null // refused, reset or too slow: all mean "not yet" to whoever asks again
  }
}
