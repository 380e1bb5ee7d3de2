// A drill: clients trade, something is broken on purpose, and then every promise is checked. What is broken, and what it may cost, is
// the fault's (`leader-faults.ts` has those of the embedded platform).

import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type { AccountId, Markets, Shard } from '@wintrades/domain'
import type { Journal } from '@wintrades/venue'
import { checkHistory, lengthOf_ms } from './checker.ts'
import { type Customer, openCustomers } from './customers.ts'
import { collectReplicas, JournalFollower } from './evidence.ts'
import type { History, Sending, ShardRecord } from './history.ts'
import { LoadClient } from './load.ts'
import { Population, seededRandom } from './population.ts'
import { checkFigures, type DrillResult, type Figure } from './report.ts'
import type { Evidence, Target } from './target.ts'
import { healthOrNull, newTimeline, type Timeline, until, watchLeaders } from './watch.ts'
import { compareWrittenHistory, type WrittenHistory } from './written-history.ts'

/** What a fault has to work with. */
export type FaultGround = {
  readonly target: Target
  readonly markets: Markets
  /** Chosen by the seed. */
  readonly shard: Shard
  readonly timeline: Timeline
  readonly signal: AbortSignal
}

export type DrillFault = {
  /** Starts the names of its figures. */
  readonly name: string
  /** The longest time without acknowledgements of a shard that it concerns, seconds. */
  readonly silence_seconds_max: number
  /** Breaks it, and puts right what does not come back by itself; answers which shards it concerns. */
  make(ground: FaultGround): Promise<readonly Shard[]>
}

export type DrillOptions = {
  readonly target: Target
  readonly markets: Markets
  readonly fault: DrillFault
  /** How long clients trade, beside the time that the fault takes. */
  readonly seconds: number
  readonly seed: number
  /** Commands a second, over all clients. */
  readonly rate: number
  readonly clients: number
  /** Hears each line of the timeline as it happens. */
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const SETTLE_TIMEOUT_MS = 120_000
const RECOVERY_TIMEOUT_MS = 120_000

/** Runs one drill against a platform that is up. Throws when the drill itself cannot be carried out. */
export async function runTradingDrill(options: DrillOptions): Promise<DrillResult> {
  const drill = new TradingDrill(options)
  try {
    return await drill.run()
  } finally {
    drill.close()
  }
}

class TradingDrill {
  readonly #options: DrillOptions
  readonly #timeline: Timeline
  readonly #sendings: Sending[] = []
  readonly #start_ms = performance.now()
  readonly #watching = new AbortController()
  #customers: readonly Customer[] = []
  #evidence: Evidence | null = null
  #followers: readonly JournalFollower[] = []

  constructor(options: DrillOptions) {
    this.#options = options
    this.#timeline = newTimeline(
      () => this.#now_ms(),
      (line) => options.say(line),
    )
  }

  close(): void {
    this.#watching.abort()
    for (const customer of this.#customers) customer.close()
    for (const follower of this.#followers) follower.close()
    this.#evidence?.close()
  }

  async run(): Promise<DrillResult> {
    const { target, markets, seconds, signal } = this.#options
    const before = await this.#waitUntilWhole()
    this.#evidence = await target.openEvidence(markets)
    const { journals, snapshots } = this.#evidence
    this.#followers = await Promise.all(
      markets.shards.map((shard) => JournalFollower.open(shard, journals[shard.index] as Journal, snapshots)),
    )
    this.#customers = await openCustomers(this.#options)
    this.#timeline.note(`${this.#customers.length} clients trade in ${before} regions`)
    const names = markets.shards.map((shard) => shard.name)
    const watched = watchLeaders(target, this.#timeline, names, this.#watching.signal)
    const followed = this.#followers.map((follower) => follower.follow(this.#watching.signal))

    const load = new AbortController()
    const giveUp = new AbortController()
    const trading = this.#trade(AbortSignal.any([load.signal, signal]), giveUp.signal)
    await pause(seconds * 400, undefined, { signal })
    const shard = markets.shards[this.#options.seed % markets.shards.length]
    if (shard === undefined) throw new RangeError('the venue has no shards')
    const faultAt_ms = this.#now_ms()
    const concerned = await this.#options.fault.make({ target, markets, shard, timeline: this.#timeline, signal })
    await pause(seconds * 600, undefined, { signal })
    load.abort()
    const stoppedAt_ms = this.#now_ms()
    const patience = setTimeout(() => giveUp.abort(), SETTLE_TIMEOUT_MS)
    await trading
    clearTimeout(patience)
    this.#timeline.note('clients have stopped, and asked again for every unknown')
    const after = await this.#waitUntilWhole()
    await Promise.all(this.#customers.map((customer) => customer.cancelAll()))
    const readings = (await Promise.all(this.#customers.map((customer) => customer.read(this.#sendings)))).flat()
    const replicas = await collectReplicas(target)
    this.#watching.abort()
    await Promise.all([watched, ...followed])
    const shards = await Promise.all(this.#followers.map((follower) => follower.finish(replicas)))
    const history: History = {
      sendings: this.#sendings,
      shards,
      replicas,
      readings,
      ownAccounts: this.#customers.map((customer) => customer.account),
      venuePaysIn: true,
      faultAt_ms,
      stoppedAt_ms,
    }
    return this.#judge(history, concerned, after === before, await this.#compareHistory(this.#evidence, shards))
  }

  /** Null: somebody else trades on, and the history with them. */
  async #compareHistory({ history }: Evidence, records: readonly ShardRecord[]): Promise<WrittenHistory | null> {
    const written = await compareWrittenHistory(records, history, this.#options.markets)
    const grown = await Promise.all(this.#followers.map((follower) => follower.hasGrown()))
    if (written.faults.length === 0 || !grown.includes(true)) return written
    this.#timeline.note('the history was not compared with the journal: others trade on')
    return null
  }

  #now_ms(): number {
    return performance.now() - this.#start_ms
  }

  async #trade(stop: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { markets, seed, rate } = this.#options
    const clients = this.#customers.map(
      (customer, i) =>
        new LoadClient({
          name: `d${customer.account as AccountId}`,
          account: customer.account,
          connections: customer.connections,
          population: new Population(markets, seededRandom(seed * 1_000 + i)),
          rate: rate / this.#customers.length,
          now_ms: () => this.#now_ms(),
          record: (sending) => this.#sendings.push(sending),
        }),
    )
    await Promise.all(clients.map((client) => client.run(stop, giveUp)))
  }

  /** Waits until every region answers and knows a leader for every shard; returns how many regions there are. */
  async #waitUntilWhole(): Promise<number> {
    const { target, markets } = this.#options
    const regions = new Set(markets.shards.flatMap((shard) => shard.regions)).size
    const whole = await until(async () => {
      const processes = target.regions()
      if (processes.length < regions) return null
      const views = await Promise.all(processes.map((one) => healthOrNull(target, one)))
      const ready = views.every((shards) => shards?.every((one) => one.leader !== null) ?? false)
      return ready ? processes.length : null
    }, RECOVERY_TIMEOUT_MS)
    if (whole === null) throw new Error(`not every region serves every shard after ${RECOVERY_TIMEOUT_MS / 1_000} s`)
    return whole
  }

  #judge(history: History, concerned: readonly Shard[], whole: boolean, written: WrittenHistory | null): DrillResult {
    const { name: prefix, silence_seconds_max: limit } = this.#options.fault
    const verdict = checkHistory(history)
    const silences = concerned.flatMap(({ index, name }) => {
      const silence = verdict.silence.byShard.get(index)
      return silence === undefined ? [] : [{ name, ...silence }]
    })
    const [longest] = silences.sort((a, b) => lengthOf_ms(b) - lengthOf_ms(a))
    const silence_seconds = longest === undefined ? 0 : lengthOf_ms(longest) / 1_000
    const when = longest === undefined ? '' : `, of ${longest.name} from ${(longest.from_ms / 1_000).toFixed(3)} s on`
    const unsettled = unsettledCount(history.sendings)
    const conditions = [
      {
        text: `acknowledgements again within ${limit} s: ${silence_seconds.toFixed(3)} s${when}`,
        passed: silence_seconds <= limit,
      },
      { text: 'every region serves every shard again', passed: whole },
      {
        text: `every unknown was settled by asking again${unsettled === 0 ? '' : `: ${unsettled} were not`}`,
        passed: unsettled === 0,
      },
      { text: 'clients were acknowledged', passed: verdict.counts.acknowledged > 0 },
      ...(written === null ? [] : [historyCondition(written)]),
    ]
    const figure = (name: string, value: number, unit: string, reference: number | null): Figure => ({
      name: `${prefix}.${name}`,
      value,
      unit,
      reference,
    })
    return {
      passed: verdict.passed && conditions.every((one) => one.passed),
      verdict,
      conditions,
      timeline: this.#timeline.entries,
      figures: [
        figure('silence_of_shard', silence_seconds, 's', limit),
        figure('silence_overall', lengthOf_ms(verdict.silence.overall) / 1_000, 's', null),
        figure('acknowledged', verdict.counts.acknowledged, 'commands', null),
        figure('unknown_sendings', verdict.counts.unknown, 'commands', null),
        figure('unsettled', unsettled, 'commands', 0),
        ...checkFigures(prefix, verdict),
      ],
    }
  }
}

function historyCondition({ batches, faults }: WrittenHistory): { readonly text: string; readonly passed: boolean } {
  const text = `the history, rebuilt from the journals, is row for row the one that was written (${batches} batches)`
  return { text: [text, ...faults].join('\n      '), passed: faults.length === 0 && batches > 0 }
}

/** Commands whose every answer was `unknown`. */
function unsettledCount(sendings: readonly Sending[]): number {
  const settled = new Map<string, boolean>()
  for (const { shard, account, clientId, answer } of sendings) {
    const key = `${shard}:${account}/${clientId}`
    settled.set(key, (settled.get(key) ?? false) || answer.outcome !== 'unknown')
  }
  return [...settled.values()].filter((one) => !one).length
}
