// `wintrades` as a newcomer types it: up, status, hand-over, Ctrl-C; and what it says when something is wrong.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const LAUNCHER = fileURLToPath(new URL('../../wintrades', import.meta.url))
const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

type Run = { readonly child: ChildProcess; output(): string; exit(): Promise<number | null> }

function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const env = { ...process.env, ...environment }
  const child = spawn(LAUNCHER, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const closed = once(child, 'close') as Promise<[number | null]>
  return { child, output: () => output, exit: async () => (await closed)[0] }
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'wintrades-cli-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Starts `up` on a free port and waits until it says that it is ready. */
async function up(data: string): Promise<Run> {
  const started = run(['up', '--port', '0', '--data', data, '--no-simulation'])
  cleanups.push(async () => {
    if (started.child.exitCode === null && started.child.signalCode === null) started.child.kill('SIGKILL')
    await started.exit()
  })
  await expect.poll(() => started.output(), { timeout: 60_000 }).toContain('ready in')
  return started
}

function pids(data: string): number[] {
  const status = JSON.parse(readFileSync(join(data, 'run', 'status.json'), 'utf8')) as { processes: { pid: number }[] }
  return status.processes.map((one) => one.pid)
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

test('up, status, hand-over, and an orderly end', async () => {
  const data = await temporaryDirectory()
  const platform = await up(data)
  expect(platform.output()).toMatch(/http:\/\/localhost:\d+\/docs/)

  const status = run(['status', '--data', data])
  expect(await status.exit()).toBe(0)
  expect(status.output()).toMatch(/asia-pacific +ready/)

  // A region that was very slow to start gets its shard back after a while.
  const home = async () => {
    const seen = run(['status', '--data', data])
    await seen.exit()
    return seen.output()
  }
  await expect.poll(home, { timeout: 30_000 }).toMatch(/eu-west +us-east +eu-west/)
  const handOver = run(['hand-over', 'eu-west', '--to', 'us-east', '--data', data])
  expect(await handOver.exit(), handOver.output()).toBe(0)
  expect(handOver.output()).toMatch(/eu-west: eu-west → us-east in \d+ ms/)

  const second = run(['up', '--data', data])
  expect(await second.exit()).toBe(2)
  expect(second.output()).toMatch(/already runs on .* \(pid \d+/)

  const children = pids(data)
  platform.child.kill('SIGINT')
  expect(await platform.exit()).toBe(0)
  expect(platform.output()).not.toContain('killed')
  expect(children.filter(alive)).toEqual([])
})

test('when the supervisor is killed, its processes end by themselves', async () => {
  const data = await temporaryDirectory()
  const platform = await up(data)
  const children = pids(data)
  expect(children.filter(alive)).toEqual(children)
  platform.child.kill('SIGKILL')
  await expect.poll(() => children.filter(alive), { timeout: 20_000 }).toEqual([])
})

test('a wrong variable is refused, by name and with what to write', async () => {
  const data = await temporaryDirectory()
  const refused = run(['up', '--data', data], { TRADING_MODE: 'demo', RISK_LIMIT: '7', JWT_SECRET: 'short-31337' })
  expect(await refused.exit()).toBe(2)
  expect(refused.output()).toContain('TRADING_MODE must be one of paper, live; it is "demo"')
  expect(refused.output()).toContain('RISK_LIMIT must be')
  expect(refused.output()).toContain('JWT_SECRET must be')
  expect(refused.output()).not.toContain('31337')
})

test('markets that contradict themselves are refused, with the line', async () => {
  const data = await temporaryDirectory()
  const file = join(data, 'markets.yml')
  const markets = readFileSync(fileURLToPath(new URL('../../markets.yml', import.meta.url)), 'utf8')
  await writeFile(file, markets.replace('tick_size: "0.01"', 'tick_size: 0.01'))
  const refused = run(['up', '--data', data], { MARKETS_FILE: file })
  expect(await refused.exit()).toBe(2)
  expect(refused.output()).toMatch(/markets\.yml:\d+: instruments\[0\]\.tick_size must be a decimal in quotes/)
})

test.each([
  [['nonsense'], 'unknown command'],
  [['up', '--port', 'eighty'], 'whole number from 0 to 65535'],
  [['up', '--what'], 'unknown option'],
  [['test', 'everything'], 'everything is not a tier'],
  [['hand-over', 'eu-west'], 'required option'],
])('wintrades %j is refused', async (args, message) => {
  const refused = run(args)
  expect(await refused.exit()).toBe(2)
  expect(refused.output()).toContain(message)
})

test.each(['up', 'test', 'status', 'hand-over', 'drill', 'docs'])('%s explains itself', async (command) => {
  const help = run([command, '--help'])
  expect(await help.exit()).toBe(0)
  expect(help.output()).toContain(`wintrades ${command}`)
})
