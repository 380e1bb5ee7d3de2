// The platform a bench measures (the one that runs, or a private one), its accounts, and the process that makes load.

import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Markets } from '@wintrades/domain'
import { attach, readTargetMarkets, register, startPrivate, type Target } from '@wintrades/operations/drill'
import type { BenchOptions } from './figure.ts'
import type { LoadClientPlan, LoadJob, LoadResult } from './load-job.ts'

export type Ground = {
  readonly target: Target
  readonly markets: Markets
  close(): Promise<void>
}

/** The markets that a platform started from here has. */
export function readGroundMarkets(): Markets {
  return readTargetMarkets().markets
}

export async function openGround(options: BenchOptions, simulation = false): Promise<Ground> {
  const { markets } = readTargetMarkets()
  const running = options.private ? null : attach(options.dataDirectory)
  if (running === null) options.say('starting a private platform')
  const target = running ?? (await startPrivate(options.say, options.signal, { simulation }))
  return { target, markets, close: () => target.close() }
}

/** Registers clients, the same number in each region, each trading what is at home there. */
export async function openClients({ target, markets }: Ground, perRegion: number): Promise<readonly LoadClientPlan[]> {
  const clients: LoadClientPlan[] = []
  for (let i = 0; i < perRegion; i++) {
    for (const { region, host, httpPort } of target.regions()) {
      const shard = markets.shards.find((one) => one.name === region)
      const symbols = markets.instruments.filter((one) => one.shard === shard?.index).map((one) => one.symbol)
      if (symbols.length === 0) continue
      const { token } = await register(target.baseUrl)
      clients.push({ baseUrl: `http://${host}:${httpPort}`, token, symbols })
    }
  }
  return clients
}

export class LoadMaker {
  readonly #child: ChildProcess

  constructor() {
    const { path } = readTargetMarkets()
    this.#child = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)), [path], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
  }

  get pid(): number {
    return this.#child.pid ?? process.pid
  }

  async run(job: Omit<LoadJob, 'name'>): Promise<LoadResult> {
    const name = randomBytes(5).toString('hex')
    this.#child.send({ ...job, name })
    const answer = await Promise.race([
      once(this.#child, 'message') as Promise<[{ result?: LoadResult; error?: string }]>,
      once(this.#child, 'exit').then(([code]) => Promise.reject(new Error(`the load process ended with ${code}`))),
    ])
    const [{ result, error }] = answer
    if (result === undefined) throw new Error(`the load process: ${error}`)
    return result
  }

  close(): void {
    this.#child.disconnect()
  }
}
