// Drills on a deployment: clients trade through the load balancer and forgive nothing, while a procedure is carried out or a region's processes are stopped; then
// everything that was acknowledged is asked for again. What clients can see is judged, and nothing else: who wants the journals judged too runs the other drills.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { appServiceOf, type Topology } from '@wintrades/topology'
import type { OrderView } from '../client/index.ts'
import type { DrillResult, Figure } from '../drill/report.ts'
import { type Failure, filledOf, Traders } from '../drill/traders.ts'
import { pause } from '../operator/reconciler.ts'
import { inRepository } from '../repository.ts'
import { type BringUpContext, converge } from './bring-up.ts'
import { certificateFolder, readPublicCertificate } from './public-certificate.ts'
import { readNodes, readServices } from './swarm.ts'
import { evacuate, restore } from './traffic.ts'

type StackDrill = {
  readonly summary: string
  /** The longest time without an acknowledgement for the clients of any region. */
  readonly silence_seconds_max: number
  /** Whose requests may fail that are under way when it happens. */
  readonly mayFail: 'nobody' | 'its clients'
  /** Throws where it cannot be made, before anything is. */
  require?(context: BringUpContext, region: string): Promise<void>
  make(context: BringUpContext, region: string, traders: Traders): Promise<void>
}

export const STACK_DRILLS = {
  evacuation: {
    summary: 'evacuate the region, and bring its clients and shards back',
    silence_seconds_max: 5,
    mayFail: 'nobody',
    async make(context, region) {
      const to = nextOf(context.topology, region)
      await evacuate(context, region, to)
      context.say(`${region} is evacuated to ${to}`)
      await restore(context, region)
    },
  },
  'rolling-update': {
    summary: 'replace every app process, one region after the other',
    silence_seconds_max: 5,
    mayFail: 'nobody',
    async make(context) {
      const { docker, topology } = context
      for (const { name } of topology.regions) {
        const service = appServiceOf(name)
        await docker.run(['service', 'update', '--detach', '--quiet', '--force', `${topology.stack}_${service}`])
        await converge(context, [service])
      }
    },
  },
  scale: {
    summary: 'one app process more in every region, and one less',
    silence_seconds_max: 5,
    mayFail: 'nobody',
    async make(context) {
      const services = context.topology.regions.map(({ name }) => appServiceOf(name))
      const before = await replicasOf(context, services)
      try {
        await scaleTo(context, new Map([...before].map(([service, count]) => [service, count + 1])))
      } finally {
        await scaleTo(context, before)
      }
    },
  },
  'region-loss': {
    summary: 'stop every app process of the region, until the next one serves its clients; then start them again',
    silence_seconds_max: 5,
    mayFail: 'its clients',
    async make(context, region, traders) {
      const service = appServiceOf(region)
      const before = await replicasOf(context, [service])
      // Its own, until somebody else has answered its clients.
      const by = () => traders.answered.findLast((one) => one.region === region)?.by ?? region
      try {
        await scaleTo(context, new Map([[service, 0]]), false)
        await until(context, `clients of ${region} are answered by another region`, () => by() !== region)
        context.say(`clients of ${region} are answered by ${by()}`)
      } finally {
        await scaleTo(context, before)
      }
      await until(context, `${region} answers its clients again`, () => by() === region)
    },
  },
  'region-cut': {
    summary:
      'cut the node of the region off, until another region serves its clients; then connect it again. In the lab alone',
    silence_seconds_max: 20,
    mayFail: 'its clients',
    async require({ docker }, region) {
      await theLab()
      if ((await docker.run(['info', '--format', '{{.Name}}'])) === region)
        throw new Error(`${region} is where this is typed: cut another region off, or type it on another node`)
    },
    async make(context, region, traders) {
      const lab = await theLab()
      const by = () => traders.answered.findLast((one) => one.region === region)?.by ?? region
      await lab.cut(region)
      try {
        await until(context, `clients of ${region} are answered by another region`, () => by() !== region)
        context.say(`clients of ${region} are answered by ${by()}`)
        await until(context, 'the swarm has seen that the node is gone', async () => await isDown(context, region))
      } finally {
        await lab.heal(region)
      }
      context.say(`${region} is connected again`)
      await until(context, `${region} answers its clients again`, () => by() === region)
    },
  },
} as const satisfies Readonly<Record<string, StackDrill>>

export type StackDrillName = keyof typeof STACK_DRILLS

const LOOK_MS = 200
/** Of each region's requests without success. */
const TOLD_MAX = 40
const RETURN_MS = 180_000

/** `seconds`: how long clients trade before, and again after it. */
export async function runStackDrill(
  context: BringUpContext,
  name: StackDrillName,
  region: string,
  seconds: number,
): Promise<Omit<DrillResult, 'verdict'>> {
  const { topology, say, signal } = context
  const drill: StackDrill = STACK_DRILLS[name]
  await drill.require?.(context, region)
  const began_ms = performance.now()
  const timeline: { at_ms: number; text: string }[] = []
  const tell = (text: string) => {
    timeline.push({ at_ms: performance.now() - began_ms, text })
    say(`${((performance.now() - began_ms) / 1_000).toFixed(3).padStart(9)} s  ${text}`)
  }
  const regions = topology.regions.map((one) => one.name)
  const traders = await tradersOf(topology)
  try {
    tell(`a buyer and a seller trade in each of ${regions.length} regions`)
    await pause(seconds * 1_000, signal)
    signal.throwIfAborted()
    const madeAt_ms = performance.now()
    await drill.make({ ...context, say: tell }, region, traders)
    tell('done')
    await pause(seconds * 1_000, signal)
    signal.throwIfAborted()
    for (const one of regions) for (const line of traders.tell(one, madeAt_ms).slice(0, TOLD_MAX)) say(`  ${line}`)
    const silence_seconds = Math.max(...regions.map((one) => traders.silence_ms(one, madeAt_ms))) / 1_000
    await traders.stop()
    tell('clients have stopped, and ask for every order again')
    const { acknowledged, failures } = traders
    const orders = await traders.readAll()
    return {
      ...judgeTrading(name, region, { acknowledged: acknowledged.length, failures, silence_seconds, orders }),
      timeline,
    }
  } finally {
    await traders.close()
  }
}

/** What clients have seen. */
export type Trading = {
  readonly acknowledged: number
  readonly failures: readonly Failure[]
  readonly silence_seconds: number
  /** Those that the platform has now, of the acknowledged. */
  readonly orders: readonly Pick<OrderView, 'orderId' | 'symbol' | 'side' | 'cumQty'>[]
}

export function judgeTrading(
  name: StackDrillName,
  region: string,
  { acknowledged, failures, silence_seconds, orders }: Trading,
): Omit<DrillResult, 'verdict' | 'timeline'> {
  const drill: StackDrill = STACK_DRILLS[name]
  const { silence_seconds_max: limit } = drill
  // What got no answer may have traded too, and is not known here.
  const others = drill.mayFail === 'nobody' ? failures : failures.filter((one) => one.region !== region)
  const isBalanced = failures.length > 0 || [...filledOf(orders).values()].every(({ bought, sold }) => bought === sold)
  const [first] = others.length > 0 ? others : failures
  const conditions = [
    {
      text: `every acknowledged order is there: ${orders.length} of ${acknowledged}`,
      passed: orders.length === acknowledged && acknowledged > 0,
    },
    { text: 'none is there twice', passed: new Set(orders.map(({ orderId }) => orderId)).size === orders.length },
    {
      text:
        failures.length > 0
          ? 'what was bought was sold: not to be told, as some orders have no answer'
          : 'what was bought was sold',
      passed: isBalanced,
    },
    {
      text: `acknowledgements again within ${limit} s: ${silence_seconds.toFixed(3)} s`,
      passed: silence_seconds <= limit,
    },
    {
      text: `requests without success: ${failures.length}${first === undefined ? '' : `, the first of ${first.region}: ${first.what}`}`,
      passed: others.length === 0,
    },
  ]
  const figure = (what: string, value: number, unit: string, reference: number | null): Figure => ({
    name: `${name}.${what}`,
    value,
    unit,
    reference,
  })
  return {
    passed: conditions.every(({ passed }) => passed),
    conditions,
    figures: [
      figure('silence_of_region', silence_seconds, 's', limit),
      figure('acknowledged', acknowledged, 'orders', null),
      figure('failed', failures.length, 'requests', drill.mayFail === 'nobody' ? 0 : null),
      figure('missing', acknowledged - orders.length, 'orders', 0),
    ],
  }
}

async function replicasOf(
  { docker, topology }: BringUpContext,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const services = (await readServices(docker, topology.stack)).filter(({ name }) => names.includes(name))
  if (services.length < names.length)
    throw new Error(`${topology.stack} runs without ${names.join(', ')}: wintrades status`)
  return new Map(services.map(({ name, replicas }) => [name, replicas ?? 1]))
}

async function scaleTo(context: BringUpContext, counts: ReadonlyMap<string, number>, isAwaited = true): Promise<void> {
  const { docker, topology } = context
  const words = [...counts].map(([service, count]) => `${topology.stack}_${service}=${count}`)
  await docker.run(['service', 'scale', '--detach', ...words])
  if (isAwaited) await converge(context, [...counts.keys()])
}

function nextOf({ regions }: Topology, name: string): string {
  const next = regions.find((region) => region.name === name)?.next[0]
  if (next === undefined) throw new Error(`${name} is no region of the topology, or the only one`)
  return next
}

/** A buyer and a seller in each region, through the load balancer of this machine. */
export async function tradersOf(topology: Topology): Promise<Traders> {
  const regions = topology.regions.map(({ name }) => name)
  const url = `https://127.0.0.1:${topology.ports.https}`
  return await Traders.start(url, authorityOf(topology), regions, topology.domains[0])
}

function authorityOf({ domains }: Topology): string | undefined {
  if (readPublicCertificate(domains)?.isSelfSigned !== true) return undefined
  return readFileSync(join(certificateFolder(), 'wintradesgo.crt'), 'utf8')
}

/** What `tests/cluster/nodes/command.ts` offers: a network that may be cut is one that was made for that. */
type Lab = { cut(region: string): Promise<void>; heal(region: string): Promise<void> }

async function theLab(): Promise<Lab> {
  const file = inRepository('tests', 'cluster', 'nodes', 'command.ts')
  const { inside } = (await import(pathToFileURL(file).href)) as { inside(): Promise<Lab | null> }
  const lab = await inside()
  if (lab !== null) return lab
  throw new Error(
    'a region is cut off in the lab alone: wintrades lab up; wintrades lab on eu-west drill region-cut --stack --region asia-pacific',
  )
}

async function isDown({ docker }: BringUpContext, region: string): Promise<boolean> {
  return (await readNodes(docker)).some(({ hostname, isReady }) => hostname === region && !isReady)
}

async function until({ signal }: BringUpContext, what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline_ms = performance.now() + RETURN_MS
  while (!(await isSo())) {
    signal.throwIfAborted()
    if (performance.now() > deadline_ms) throw new Error(`not within ${RETURN_MS / 1_000} s: ${what}`)
    await pause(LOOK_MS, signal)
  }
}
