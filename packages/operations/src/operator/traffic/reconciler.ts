// The part of the operator that keeps the load balancers agreed on where each region's clients go: `POST /traffic/send` {region, to}; a region sent to itself
// has its clients back.

import type { Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Lines } from '../lines.ts'
import { type CommandResult, pause, type Reconciler } from '../reconciler.ts'
import { Balancers } from './balancers.ts'
import type { TrafficConfiguration } from './configuration.ts'
import { type Asks, decide, stillAsked, type View, type Wishes } from './decide.ts'

export type TrafficStatus = {
  readonly wishes: Wishes
  readonly balancers: readonly { readonly address: string; readonly view: View | null; readonly fault: string | null }[]
}

const LOOK_MS = 2_000
const AGAIN_MS = 250

export class TrafficOperator implements Reconciler {
  readonly name = 'traffic'
  readonly commands = {
    send: (body: Readonly<Record<string, unknown>>, signal: AbortSignal) => this.#send(body, signal),
  }
  readonly #configuration: TrafficConfiguration
  readonly #balancers: Balancers
  readonly #logger: Logger
  readonly #lines: Lines
  #wishes: Wishes = {}
  #asked: Asks = {}
  #status: TrafficStatus = { wishes: {}, balancers: [] }
  #failed: ReturnType<Metrics['counter']> | null = null
  #looking: Promise<void> = Promise.resolve()

  constructor(configuration: TrafficConfiguration, logger: Logger, lines: Lines) {
    this.#configuration = configuration
    this.#balancers = new Balancers(configuration)
    this.#logger = logger
    this.#lines = lines
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look()
      await pause(LOOK_MS, signal)
    }
  }

  status(): TrafficStatus {
    return this.#status
  }

  metrics(metrics: Metrics): void {
    metrics.gauge('wintrades_operator_balancers_reachable', 'Load balancers that answer the operator.', [], (gauge) =>
      gauge.set(this.#status.balancers.filter(({ view }) => view !== null).length),
    )
    metrics.gauge(
      'wintrades_operator_regions_sent_elsewhere',
      'Regions whose clients are sent to another one.',
      [],
      (gauge) => gauge.set(Object.entries(this.#wishes).filter(([from, to]) => from !== to).length),
    )
    this.#failed = metrics.counter(
      'wintrades_operator_balancer_failures_total',
      'Questions to load balancers that failed.',
    )
  }

  /** One at a time: a command looks too. */
  #look(): Promise<void> {
    const look = () => this.#lookOnce()
    // One that failed is told to who waited for it, and keeps no other from looking.
    this.#looking = this.#looking.then(look, look)
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    let addresses: readonly string[]
    try {
      addresses = await this.#balancers.find()
    } catch (error) {
      this.#say(`the load balancers cannot be found: ${(error as Error).message}`)
      this.#status = { wishes: this.#wishes, balancers: [] }
      return
    }
    const seen = await Promise.all(addresses.map((address) => this.#see(address)))
    const views = new Map(seen.flatMap(({ address, view }) => (view === null ? [] : [[address, view] as const])))
    this.#asked = stillAsked(this.#asked, addresses, views)
    const { wishes, tell, disputed } = decide(this.#configuration.regions, this.#wishes, this.#asked, views)
    if (views.size > 0) this.#wishes = wishes
    for (const { balancer, region, to } of tell) {
      try {
        await this.#balancers.tell(balancer, region, to)
      } catch (error) {
        this.#failed?.inc()
        this.#logger.warn('a load balancer could not be told where clients go', { balancer, region, to, error })
      }
    }
    this.#status = { wishes: this.#wishes, balancers: seen }
    this.#say(this.#describe(seen.length, views.size, disputed))
  }

  async #see(address: string): Promise<TrafficStatus['balancers'][number]> {
    try {
      return { address, view: await this.#balancers.view(address), fault: null }
    } catch (error) {
      this.#failed?.inc()
      return { address, view: null, fault: (error as Error).message }
    }
  }

  #describe(count: number, reachable: number, disputed: readonly string[]): string {
    const sent = Object.entries(this.#wishes).filter(([from, to]) => from !== to)
    const where =
      sent.length === 0
        ? 'every region has its own clients'
        : sent.map(([from, to]) => `clients of ${from} go to ${to}`).join(', ')
    const doubt = disputed.length === 0 ? '' : `; they disagree on ${disputed.join(', ')}`
    return `${reachable} of ${count} load balancers reached: ${where}${doubt}`
  }

  #say(text: string): void {
    if (this.#lines.add(this.name, text)) this.#logger.info(text)
  }

  async #send(body: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<CommandResult> {
    const { regions } = this.#configuration
    const region = String(body['region'])
    const to = String(body['to'])
    for (const name of [region, to]) {
      if (!regions.includes(name))
        return { ok: false, line: `there is no region ${name}; regions are ${regions.join(', ')}` }
    }
    this.#asked = { ...this.#asked, [region]: { to, taken: [] } }
    for (;;) {
      await this.#look()
      // What was told is seen at the next look.
      const { balancers } = this.#status
      const open = balancers.filter(({ view }) => view?.[region] !== to)
      if (balancers.length > 0 && open.length === 0) break
      await pause(AGAIN_MS, signal)
      if (!signal.aborted) continue
      const missing =
        balancers.length === 0
          ? 'none was found'
          : open.map(({ address, fault }) => `${address}: ${fault ?? 'not yet'}`).join('; ')
      return {
        ok: false,
        line: `not every load balancer sends clients of ${region} to ${to} (${missing}); it is tried on`,
      }
    }
    const where = region === to ? `clients of ${region} are its own again` : `clients of ${region} go to ${to}`
    return { ok: true, line: `${where} (${this.#status.balancers.length} load balancers)` }
  }
}
