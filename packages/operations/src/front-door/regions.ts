// Which processes of which regions the front door may use: asks each whether it is ready, and believes a refused connection at once. Choosing is
// in order of preference, so that a client who names no region reads what it has just written.

import { Agent, request } from 'node:http'
import type { Logger, Peer } from '@wintrades/platform'

export type RegionHealth = Peer & {
  healthy: boolean
  /** Why it is not healthy; empty if it is. */
  reason: string
  /** When that last changed, milliseconds since 1970. */
  since_ms: number
  /** Requests and streams that it has been given. */
  given: number
}

/** What a client asked for: a region by name, and whether another may stand in for it. */
export type Choice = { readonly region: string | null; readonly strict: boolean }

const CHECK_INTERVAL_MS = 500
/** A lost region is asked more often, so that it is back soon. */
const CHECK_LOST_INTERVAL_MS = 100
const CHECK_TIMEOUT_MS = 1_500

export class Regions {
  readonly list: readonly RegionHealth[]
  readonly #logger: Logger
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 })
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #stopped = false

  constructor(addresses: readonly Peer[], logger: Logger) {
    this.#logger = logger
    this.list = addresses.map((peer) => ({
      ...peer,
      healthy: false,
      reason: 'not asked yet',
      since_ms: Date.now(),
      given: 0,
    }))
  }

  start(): void {
    for (const region of this.list) void this.#check(region)
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#agent.destroy()
  }

  known(name: string): boolean {
    return this.list.some((region) => region.region === name)
  }

  /** Healthy ones to try, best first. */
  candidates(choice: Choice): RegionHealth[] {
    const healthy = this.list.filter((region) => region.healthy)
    const named = healthy.filter((region) => region.region === choice.region)
    if (choice.region === null) return healthy
    return choice.strict ? named : [...named, ...healthy.filter((region) => region.region !== choice.region)]
  }

  /** A connection there was refused: do not send anyone else until a check succeeds. */
  markUnreachable(region: RegionHealth, reason: string): void {
    this.#set(region, false, reason)
  }

  async #check(region: RegionHealth): Promise<void> {
    const reason = await ask(region, this.#agent)
    if (this.#stopped) return
    this.#set(region, reason === '', reason)
    const wait_ms = region.healthy ? CHECK_INTERVAL_MS : CHECK_LOST_INTERVAL_MS
    this.#timers.set(
      `${region.host}:${region.port}`,
      setTimeout(() => void this.#check(region), wait_ms),
    )
  }

  #set(region: RegionHealth, healthy: boolean, reason: string): void {
    if (region.healthy !== healthy) {
      region.since_ms = Date.now()
      this.#logger.info(healthy ? 'region is healthy' : 'region is not healthy', {
        region: region.region,
        port: region.port,
        reason,
      })
    }
    region.healthy = healthy
    region.reason = reason
  }
}

/** Empty: ready. Otherwise why not. */
function ask(peer: Peer, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const probe = request({
      host: peer.host,
      port: peer.port,
      path: '/health/ready',
      agent,
      timeout: CHECK_TIMEOUT_MS,
    })
    probe.once('response', (response) => {
      response.resume()
      response.once('close', () => resolve(response.statusCode === 200 ? '' : `answers ${response.statusCode ?? 0}`))
    })
    probe.once('timeout', () => probe.destroy(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)))
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    probe.end()
  })
}
