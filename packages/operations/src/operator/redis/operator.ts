// Keeps the Redis Cluster in order: looks, plans, acts, once a second. Of several operators one acts, the first by name of those that are
// connected to a majority of the nodes; the others look on. Says in one line what it saw, did, waits for or refuses, when that changes.

import type { Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Lines } from '../lines.ts'
import { pause, type Reconciler } from '../reconciler.ts'
import { type Action, describe } from './action.ts'
import type { RedisAccess } from './node-connection.ts'
import { isLive, type Observation, ownView } from './observation.ts'
import { perform } from './perform.ts'
import { PLAN_SETTINGS, type Plan, type PlanSettings, plan } from './plan.ts'
import { type ListedNode, NodeWatch, OPERATOR_CLIENT_PREFIX, type Seen } from './watch.ts'

export type RedisOperatorOptions = {
  /** This operator among the others: its region. */
  readonly name: string
  /** Asked each round, so that a changed file is followed. */
  readonly nodes: () => readonly ListedNode[]
  readonly access: Omit<RedisAccess, 'clientName'>
  readonly logger: Logger
  readonly lines?: Lines
  readonly settings?: Partial<PlanSettings>
  readonly interval_ms?: number
  /** The addresses of a host; the operating system's answer by default. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

const PART = 'redis'
const INTERVAL_MS = 1_000
/** After so long a round looks again before it goes on. */
const ROUND_BUDGET_MS = 5_000

export type RedisStatus = {
  readonly verdict: string
  readonly line: string
  /** The operator that acts where something is to be done. */
  readonly acting: string | null
  readonly nodes: readonly NodeStatus[]
}

export type NodeStatus = {
  readonly name: string
  readonly region: string
  readonly address: string
  readonly listed: boolean
  readonly state: 'up' | 'leaving' | 'loading' | 'silent'
  readonly silent_ms?: number
  readonly id?: string
  readonly role?: 'master' | 'replica'
  /** Of a replica. */
  readonly master?: string | null
  readonly slots?: number
  readonly keys?: number
}

export class RedisOperator implements Reconciler {
  readonly name = PART
  readonly #options: RedisOperatorOptions
  readonly #settings: PlanSettings
  readonly #watch: NodeWatch
  #figures: ReturnType<typeof figures> | null = null
  #last: { readonly plan: Plan; readonly observation: Observation; readonly acting: string | null } | null = null
  #said = ''

  constructor(options: RedisOperatorOptions) {
    this.#options = options
    this.#settings = { ...PLAN_SETTINGS, ...options.settings }
    const access = { ...options.access, clientName: OPERATOR_CLIENT_PREFIX + options.name }
    this.#watch = new NodeWatch(options.nodes, access, options.resolve)
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.round(signal)
        await pause(this.#options.interval_ms ?? INTERVAL_MS, signal)
      }
    } finally {
      this.#watch.close()
    }
  }

  metrics(metrics: Metrics): void {
    this.#figures = figures(metrics)
  }

  /** One look, one plan, and what of it fits into a few seconds. */
  async round(signal: AbortSignal): Promise<Plan> {
    const seen = await this.#watch.look()
    const { observation } = seen
    const next = plan(observation, this.#settings)
    const acting = actingOperator(seen)
    this.#last = { plan: next, observation, acting }
    this.#figures?.observe(observation, next)
    const isMine = acting === this.#options.name
    if (next.verdict !== 'act') this.#say(next.line)
    else if (!isMine) this.#say(`${acting ?? 'no operator'} acts: ${next.line}`)
    else await this.#act(next, observation, signal)
    return next
  }

  status(): RedisStatus {
    if (this.#last === null) return { verdict: 'wait', line: 'the first look is not done', acting: null, nodes: [] }
    const { plan, observation, acting } = this.#last
    return { verdict: plan.verdict, line: plan.line, acting, nodes: observation.nodes.map(nodeStatus) }
  }

  async #act({ actions }: Plan, observation: Observation, signal: AbortSignal): Promise<void> {
    const deadline_ms = performance.now() + ROUND_BUDGET_MS
    for (const action of actions) {
      if (signal.aborted || performance.now() > deadline_ms) return
      this.#say(describe(action))
      try {
        const { access } = this.#options
        await perform(action, { observation, connection: (node) => this.#watch.connection(node), access, signal })
        this.#figures?.actions.inc({ kind: action.kind, outcome: 'done' })
      } catch (error) {
        // What it left half done is seen by the next look.
        this.#figures?.actions.inc({ kind: action.kind, outcome: 'failed' })
        this.#say(`${describe(action)} – failed: ${error instanceof Error ? error.message : String(error)}`)
        if (dependsOnOrder(action)) return
      }
    }
  }

  #say(text: string): void {
    if (text === this.#said) return
    this.#said = text
    if (this.#options.lines?.add(PART, text) ?? true) this.#options.logger.info(text)
  }
}

/** Later actions of these kinds stand on the earlier ones. */
function dependsOnOrder({ kind }: Action): boolean {
  return kind === 'adopt' || kind === 'reset'
}

/** null: none is connected to a majority of the listed nodes. */
function actingOperator({ observation, operators }: Seen): string | null {
  const counts = new Map<string, number>()
  for (const names of operators.values()) for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  const listed = observation.nodes.filter(({ isListed }) => isListed).length
  const present = [...counts].filter(([, count]) => count * 2 > listed).map(([name]) => name)
  return present.sort()[0] ?? null
}

function nodeStatus(node: Observation['nodes'][number]): NodeStatus {
  const { name, region, ip, port } = node
  const place = { name, region, address: `${ip}:${port}`, listed: node.isListed }
  if (!isLive(node))
    return { ...place, state: node.isLoading ? 'loading' : 'silent', silent_ms: Math.round(node.silent_ms) }
  const own = ownView(node)
  const role = own.isMaster ? 'master' : 'replica'
  return {
    ...place,
    state: node.isLeaving ? 'leaving' : 'up',
    id: own.id,
    role,
    master: own.masterId,
    slots: own.slots.length,
    keys: node.state.keys,
  }
}

function figures(metrics: Metrics) {
  const nodes = metrics.gauge('wintrades_redis_nodes', 'Redis nodes as the operator sees them, by state.', ['state'])
  const slots = metrics.gauge('wintrades_redis_slots_served', 'Slots of 16384 that a master which answers serves.')
  const verdict = metrics.gauge('wintrades_redis_operator', '1: what the last round came to.', ['verdict'])
  const actions = metrics.counter('wintrades_redis_operator_actions_total', 'What the operator did to Redis nodes.', [
    'kind',
    'outcome',
  ])
  const observe = (observation: Observation, { verdict: now }: Plan) => {
    const live = observation.nodes.filter(isLive).map(ownView)
    const masters = live.filter(({ isMaster, slots }) => isMaster && slots.length > 0)
    nodes.set({ state: 'master' }, masters.length)
    nodes.set({ state: 'replica' }, live.filter(({ isMaster }) => !isMaster).length)
    nodes.set({ state: 'silent' }, observation.nodes.length - live.length)
    slots.set(masters.reduce((sum, one) => sum + one.slots.length, 0))
    for (const one of ['steady', 'act', 'wait', 'refuse'] as const) verdict.set({ verdict: one }, Number(one === now))
  }
  return { observe, actions }
}
