// The load balancers as the operator reaches them: every address of their name, asked over HTTP on the operations network.

import { lookup } from 'node:dns/promises'
import { neverLog } from '@wintrades/platform'
import { readPassword, type TrafficConfiguration } from './configuration.ts'
import type { View } from './decide.ts'

const ASK_MS = 2_000
const BALANCERS_MAX = 64

export class Balancers {
  readonly #configuration: TrafficConfiguration

  constructor(configuration: TrafficConfiguration) {
    this.#configuration = configuration
  }

  /** Addresses, sorted. Throws where the name cannot be resolved. */
  async find(): Promise<readonly string[]> {
    const found = await lookup(this.#configuration.host, { all: true, family: 4 })
    return [...new Set(found.map(({ address }) => address))].sort().slice(0, BALANCERS_MAX)
  }

  async view(address: string): Promise<View> {
    const entries = await Promise.all(
      this.#configuration.regions.map(async (region) => [region, await this.#ask(address, 'GET', region)] as const),
    )
    return Object.fromEntries(entries)
  }

  async tell(address: string, region: string, to: string): Promise<void> {
    await this.#ask(address, 'PUT', `${region}/${to}`)
  }

  async #ask(address: string, method: 'GET' | 'PUT', path: string): Promise<string | null> {
    const { port, user } = this.#configuration
    const password = readPassword(this.#configuration)
    neverLog(password)
    const response = await fetch(`http://${address}:${port}/overrides/${path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
      signal: AbortSignal.timeout(ASK_MS),
    })
    if (response.status === 401) throw new Error(`the load balancer ${address} does not accept the operators' password`)
    if (!response.ok)
      throw new Error(`the load balancer ${address} answered ${response.status} to ${method} /overrides/${path}`)
    return ((await response.json()) as { readonly sentTo?: string | null }).sentTo ?? null
  }
}
