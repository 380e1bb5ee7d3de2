// The lab's swarm for `wintrades lab`: one of a machine, which stays between commands.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WAN_DELAYS } from '../lab/lab.ts'
import { deploymentEnvironment, REPOSITORY, writeLabTopology } from '../stack/lab-topology.ts'
import { INSIDE, LabSwarm } from './lab-swarm.ts'
import { loadImages } from './stack-ground.ts'

type Say = (line: string) => void

/** Holds the directory of the swarm that stands. */
const PLACE = '/run/wintrades-lab/swarm'
const PROGRAM = join(REPOSITORY, 'packages', 'operations', 'src', 'cli.ts')
const PORTS = { http: 80, https: 443 }

export async function up(isDelayed: boolean, say: Say): Promise<void> {
  if (standing() !== null)
    throw new Error('a lab stands already: wintrades lab status; wintrades lab down takes it away')
  const swarm = await LabSwarm.start({ delays: isDelayed ? WAN_DELAYS : null, say })
  try {
    const nodeImage = await writeLabTopology(topologyOf(swarm), 'wintradesgo', PORTS, say)
    writeFileSync(join(swarm.directory, 'node-image'), nodeImage)
    await loadImages(swarm, topologyOf(swarm), nodeImage, say)
    writeFileSync(PLACE, swarm.directory, { mode: 0o600 })
  } catch (error) {
    swarm.close()
    throw error
  }
}

/** The images of the sources as they are now. */
export async function load(say: Say): Promise<void> {
  const swarm = await attach()
  await loadImages(swarm, topologyOf(swarm), nodeImageOf(swarm), say)
}

export async function status(say: Say): Promise<void> {
  const swarm = await attach()
  const { delays } = swarm
  say(`directory ${swarm.directory}, topology ${topologyOf(swarm)}`)
  say(
    delays === null
      ? 'no delays'
      : `one-way delays, ms: ${Object.entries(delays)
          .map(([pair, ms]) => `${pair} ${ms}`)
          .join(', ')}`,
  )
  for (const node of swarm.nodes) {
    const state = (await node.isRunning()) ? 'runs' : 'does not run'
    const link = (await swarm.isCut(node.region)) ? ', cut off' : ''
    say(
      `${node.region.padEnd(13)} ${node.address.padEnd(11)} ${state}${link}; DOCKER_HOST=${node.environment.DOCKER_HOST}`,
    )
  }
}

export async function cut(region: string): Promise<void> {
  await (await attach()).cut(region)
}

export async function heal(region: string): Promise<void> {
  await (await attach()).heal(region)
}

export async function kill(region: string): Promise<void> {
  ;(await attach()).node(region).kill()
}

export async function start(region: string): Promise<void> {
  const node = (await attach()).node(region)
  if (!(await node.isRunning())) await node.start()
}

/** `wintrades WORDS…` as typed on the node of a region; the answer is its exit code. */
export async function on(region: string, words: readonly string[]): Promise<number> {
  const swarm = await attach()
  const node = swarm.node(region)
  const environment = {
    ...process.env,
    ...node.environment,
    ...deploymentEnvironment(swarm.directory, nodeImageOf(swarm)),
    [INSIDE]: swarm.directory,
  }
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM]
  const [file, ...args] = [...node.enter, ...program, ...words, '--topology', topologyOf(swarm)]
  const child = spawn(file as string, args, { stdio: 'inherit', env: environment })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

/** The lab that this command is typed in, for who wants to break something of it; null: it is typed elsewhere. */
export async function inside(): Promise<LabSwarm | null> {
  const { [INSIDE]: directory, DOCKER_HOST: node } = process.env
  if (directory === undefined) return null
  // Such a command speaks to a node's daemon; what the lab's network is made of, this host's knows.
  delete process.env['DOCKER_HOST']
  try {
    return await LabSwarm.attach(directory)
  } finally {
    if (node !== undefined) process.env['DOCKER_HOST'] = node
  }
}

export async function down(say: Say): Promise<void> {
  if (standing() === null) return say('no lab stands')
  const swarm = await attach()
  swarm.close()
  rmSync(PLACE, { force: true })
  say('nodes, networks and data are gone')
}

async function attach(): Promise<LabSwarm> {
  const directory = standing()
  if (directory === null) throw new Error('no lab stands: wintrades lab up makes one')
  return await LabSwarm.attach(directory)
}

/** What is left of one that a restart of the machine ended does not stand. */
function standing(): string | null {
  if (!existsSync(PLACE)) return null
  const directory = readFileSync(PLACE, 'utf8')
  return existsSync(directory) ? directory : null
}

function topologyOf({ directory }: LabSwarm): string {
  return join(directory, 'topology.yml')
}

function nodeImageOf({ directory }: LabSwarm): string {
  return readFileSync(join(directory, 'node-image'), 'utf8')
}
