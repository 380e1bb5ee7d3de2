// The load process: takes one job at a time from its parent, carries it out, and tells what it measured. A process of its own, so
// that neither the bench nor the platform waits for it.

import { setTimeout as pause } from 'node:timers/promises'
import { readMarkets } from '@wintrades/domain'
import { readYamlFile } from '@wintrades/platform'
import type { LoadJob, LoadResult } from './load-job.ts'
import { LoadMeter } from './load-meter.ts'
import { RestLoad } from './load-rest.ts'
import { StreamLoad } from './load-streams.ts'
import { OrderMix } from './order-mix.ts'

const TICK_MS = 1
/** How long answers are waited for at the end. */
const DRAIN_MS = 5_000

const path = process.argv[2] ?? 'markets.yml'
const read = readYamlFile(path, readMarkets)
if (!read.ok) throw new Error(`${path} has faults`)
const { instruments } = read.markets

process.on('message', (job: LoadJob) => {
  const task = job.way === 'stream' ? streams(job) : rest(job)
  task.then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))

function mixOf(job: LoadJob, at: number): OrderMix {
  const symbols = new Set(job.clients[at]?.symbols)
  const traded = instruments.filter((one) => symbols.has(one.symbol))
  return new OrderMix(traded, `${job.name}${at}`, at + 1)
}

async function streams(job: LoadJob): Promise<LoadResult> {
  const meter = new LoadMeter()
  let stopped = false
  const onAnswer = (client: StreamLoad) => {
    if (!stopped && job.requestsInFlight !== null) client.send(performance.now())
  }
  const clients: StreamLoad[] = []
  for (const [at, { baseUrl, token }] of job.clients.entries()) {
    const { ordersPerRequest } = job
    clients.push(await StreamLoad.open({ baseUrl, token, mix: mixOf(job, at), ordersPerRequest, meter, onAnswer }))
  }
  const pacing = job.ordersPerSecond === null ? null : pace(clients, job.ordersPerSecond / job.ordersPerRequest)
  for (const client of clients) for (let i = 0; i < (job.requestsInFlight ?? 0); i++) client.send(performance.now())
  await measure(job, meter)
  stopped = true
  if (pacing !== null) clearInterval(pacing)
  await drain(meter)
  for (const client of clients) client.close()
  return meter.result()
}

/** Sends what has become due since the last tick, to one client after the other. */
function pace(clients: readonly StreamLoad[], requestsPerSecond: number): NodeJS.Timeout {
  const start_ms = performance.now()
  const interval_ms = 1_000 / requestsPerSecond
  let sent = 0
  return setInterval(() => {
    const due = (performance.now() - start_ms) / interval_ms
    for (; sent < due; sent++) clients[sent % clients.length]?.send(start_ms + sent * interval_ms)
  }, TICK_MS)
}

async function rest(job: LoadJob): Promise<LoadResult> {
  const meter = new LoadMeter()
  let stopped = false
  const connections = job.requestsInFlight ?? 1
  const { ordersPerRequest } = job
  const clients = job.clients.map(
    ({ baseUrl, token }, at) =>
      new RestLoad({ baseUrl, token, mix: mixOf(job, at), ordersPerRequest, meter, connections }),
  )
  const loops = clients.flatMap((client) =>
    Array.from({ length: connections }, async () => {
      while (!stopped) await client.send()
    }),
  )
  await Promise.race([measure(job, meter), Promise.all(loops)])
  stopped = true
  await Promise.all(loops)
  await Promise.all(clients.map((client) => client.close()))
  return meter.result()
}

async function measure(job: LoadJob, meter: LoadMeter): Promise<void> {
  await pause(job.warmUp_ms)
  meter.begin()
  await pause(job.measure_ms)
  meter.end()
}

async function drain(meter: LoadMeter): Promise<void> {
  const deadline_ms = performance.now() + DRAIN_MS
  while (meter.inFlight > 0 && performance.now() < deadline_ms) await pause(5)
}
