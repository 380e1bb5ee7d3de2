// The whole platform as a stack of a real Docker Swarm, from the lab's images, and the commands of its operator as a person types them. Promises that nothing
// of it is left when it is closed.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Docker, ensureSwarm, readInfo } from '@wintrades/operations/deployment'
import { filledOf, Traders } from '@wintrades/operations/drill'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { WebSocket } from 'ws'
import { parseDocument } from 'yaml'
import { type Answer, wintrades } from '../command-line.ts'
import { ensureDocker } from '../lab/docker.ts'
import { deploymentEnvironment, writeLabTopology } from './lab-topology.ts'

const PORTS = { http: 28_080, https: 28_443 }
const SHOWN_LINES = 100
const STREAM_MS = 20_000
/** Several of one machine must not be taken for each other. */
const NAME = `wttest${process.pid % 100_000}`

/** For whatever may have to bring everything up. */
export const DEPLOY_MS = 600_000
export const REGIONS = ['us-east', 'eu-west', 'asia-pacific']

export const say = (line: string) => void process.stderr.write(`stack: ${line}\n`)

/** The swarm that it stands on. */
export type StackGround = {
  /** Of the node whose commands are typed. */
  readonly docker: Docker
  /** What precedes a command that shall run on that node; nothing: this machine is the node. */
  readonly enter: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Of a load balancer, as clients reach it. */
  readonly address: string
  /** Puts what the stack is made of onto every node, once its topology is written. */
  load?(topologyFile: string, nodeImage: string): Promise<void>
  /** Whether the stack goes with it, whatever state it is in. */
  readonly isDisposable: boolean
  /** Once the stack is gone, unless it goes with it. */
  close(): Promise<void>
}

/** This machine is the only node. */
async function thisMachine(): Promise<StackGround> {
  const endDocker = await ensureDocker(say)
  const docker = new Docker()
  const info = await readInfo(docker)
  await ensureSwarm(docker, info, say)
  const close = async () => {
    if (!info.isActive) await docker.run(['swarm', 'leave', '--force'])
    await endDocker()
  }
  return { docker, enter: [], environment: {}, address: '127.0.0.1', isDisposable: false, close }
}

export class LabStack {
  readonly name = NAME
  /** What belongs to this deployment: its topology and markets, what it keeps, its certificates. */
  readonly folder: string
  readonly nodeImage: string
  readonly #ground: StackGround

  private constructor(folder: string, nodeImage: string, ground: StackGround) {
    this.folder = folder
    this.nodeImage = nodeImage
    this.#ground = ground
  }

  /** Nothing is deployed yet. */
  static async prepare(makeGround: () => Promise<StackGround> = thisMachine): Promise<LabStack> {
    const ground = await makeGround()
    const folder = mkdtempSync(join(tmpdir(), 'wintrades-stack-'))
    try {
      const topology = join(folder, 'topology.yml')
      const nodeImage = await writeLabTopology(topology, NAME, PORTS, say)
      await ground.load?.(topology, nodeImage)
      return new LabStack(folder, nodeImage, ground)
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      await ground.close()
      throw error
    }
  }

  async close(): Promise<void> {
    try {
      if (!this.#ground.isDisposable) await this.#destroy()
    } finally {
      rmSync(this.folder, { recursive: true, force: true })
      await this.#ground.close()
    }
  }

  async #destroy(): Promise<void> {
    await this.command('destroy', '--volumes', '--confirm', this.name)
    expect(await this.docker.run(['volume', 'ls', '--quiet', '--filter', `name=^${this.name}_`])).toBe('')
    const services = ['service', 'ls', '--format', '{{.Name}}', '--filter', `name=${this.name}_`]
    expect(await this.docker.run(services)).toBe('')
  }

  get docker(): Docker {
    return this.#ground.docker
  }

  /** As an operator types it; what it says is shown. */
  async command(...words: readonly string[]): Promise<Answer> {
    const environment = {
      ...this.#ground.environment,
      ...deploymentEnvironment(this.folder, this.nodeImage),
    }
    const { enter } = this.#ground
    const answer = await wintrades([...words, '--topology', this.#topology], environment, DEPLOY_MS, enter)
    say(`wintrades ${words.join(' ')} (${answer.code}):\n${answer.text}`)
    return answer
  }

  /** As a person edits it. */
  changeTopology(path: readonly (string | number)[], value: number | string): void {
    const document = parseDocument(readFileSync(this.#topology, 'utf8'))
    document.setIn(path, value)
    writeFileSync(this.#topology, String(document))
  }

  async containersOf(service: string): Promise<readonly string[]> {
    const filter = `label=com.docker.swarm.service.name=${this.name}_${service}`
    return (await this.docker.run(['ps', '--quiet', '--filter', filter])).split('\n').filter((id) => id !== '')
  }

  async trading(): Promise<Traders> {
    return await Traders.start(`https://${this.#ground.address}:${PORTS.https}`, this.#authority, REGIONS)
  }

  /** What a stream of trades says first of one that happens from now on. `host`: where the load balancer is asked. */
  async nextTrade(host: string, symbol: string): Promise<string> {
    const url = `wss://${host}:${PORTS.https}/ws`
    const agent = new Agent({ ca: this.#authority, servername: 'localhost' })
    const socket = new WebSocket(url, { agent, handshakeTimeout: STREAM_MS })
    try {
      return await new Promise((resolve, reject) => {
        socket.once('error', reject)
        socket.once('close', (code) => reject(new Error(`${url} was closed: ${code}`)))
        socket.once('open', () => {
          socket.send(JSON.stringify({ id: '1', op: 'subscribe', channels: [{ channel: 'trades', symbol }] }))
        })
        socket.on('message', (data) => {
          const text = String(data)
          if (text.includes('"update"')) resolve(text)
        })
        setTimeout(() => reject(new Error(`no trade from ${url}`)), STREAM_MS).unref()
      })
    } finally {
      socket.terminate()
    }
  }

  /** Everything that the operators have said. */
  async operatorsSaid(): Promise<string> {
    const services = REGIONS.map((region) => `${this.name}_operator_${region.replaceAll('-', '_')}`)
    const logs = await Promise.all(services.map((name) => this.docker.run(['service', 'logs', '--raw', name])))
    return logs.join('\n')
  }

  /** What they say since then: balancers, which log what did not end well, operators, and what processes warn of. */
  async tell(since: string): Promise<void> {
    const suffixes = REGIONS.map((name) => name.replaceAll('-', '_'))
    const apps = suffixes.map((suffix) => `app_${suffix}`)
    for (const service of ['global_loadbalancer', ...suffixes.map((suffix) => `operator_${suffix}`), ...apps]) {
      const name = `${this.name}_${service}`
      // Where a deployment failed, some are missing.
      const text = await this.docker.run(['service', 'logs', '--raw', '--since', since, name]).catch(String)
      const lines = text.split('\n')
      const isQuiet = (line: string) => apps.includes(service) && /"level":"(info|debug)"/.test(line)
      say(
        `${name}:\n${lines
          .filter((line) => !isQuiet(line))
          .slice(-SHOWN_LINES)
          .join('\n')}`,
      )
    }
  }

  /** Of the load balancer's certificate, which nobody else vouches for. */
  get #authority(): string {
    return readFileSync(join(this.folder, 'ssl', 'wintradesgo.crt'), 'utf8')
  }

  get #topology(): string {
    return join(this.folder, 'topology.yml')
  }
}

/** One for a file of tests, made before them and gone after; what it says of itself is shown where one fails. */
export function useLabStack(makeGround?: () => Promise<StackGround>): () => LabStack {
  let stack: LabStack | undefined
  beforeAll(async () => {
    stack = await LabStack.prepare(makeGround)
  }, DEPLOY_MS)
  afterAll(async () => await stack?.close(), DEPLOY_MS)
  beforeEach(({ onTestFailed }) => {
    const since = new Date().toISOString()
    onTestFailed(async () => await stack?.tell(since))
  })
  return () => {
    if (stack === undefined) throw new Error('the stack is there in tests alone')
    return stack
  }
}

/** What was acknowledged is there, once; and, where nobody else has traded, what was bought was sold. */
export async function expectNothingLost(traders: Traders, areAlone = true): Promise<void> {
  await traders.stop()
  const orders = await traders.readAll()
  expect(orders.length).toBe(traders.acknowledged.length)
  expect(orders.length).toBeGreaterThan(0)
  expect(new Set(orders.map(({ orderId }) => orderId)).size).toBe(orders.length)
  if (!areAlone || traders.failures.length > 0) return // what got no answer may have traded too
  for (const [symbol, { bought, sold }] of filledOf(orders)) {
    expect(bought, symbol).toBe(sold)
    expect(bought, symbol).toBeGreaterThan(0)
  }
}

/** Nobody waited longer than this for an acknowledgement since then; says how long it was, and what became of their requests meanwhile. */
export function expectSilenceBelow(traders: Traders, what: string, began_ms: number, limit_ms: number): void {
  for (const region of REGIONS) {
    const silence_seconds = traders.silence_ms(region, began_ms) / 1_000
    say(`${what}: ${region} ${silence_seconds.toFixed(2)} s without an acknowledgement at most`)
    for (const line of traders.tell(region, began_ms)) say(line)
  }
  for (const region of REGIONS) expect(traders.silence_ms(region, began_ms), region).toBeLessThan(limit_ms)
}
