// A swarm of three nodes on this machine, one a region, with the distances of three continents between them: each node a Docker daemon in a network namespace of
// its own. Nodes can be cut off, killed and started again. A swarm outlives the process that made it, until it is taken down.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unmountBelow } from '../lab/disk.ts'
import { ensureDocker, LabUnavailable } from '../lab/docker.ts'
import { ensureImage } from '../lab/images.ts'
import { REGIONS } from '../lab/lab.ts'
import { type Delays, LabNetwork } from '../lab/network.ts'
import { takeSlot } from '../lab/slot.ts'
import { until } from '../lab/until.ts'
import { LabNode } from './lab-node.ts'

export type LabSwarmOptions = {
  /** null: a network that costs no processor time. */
  readonly delays: Delays | null
  readonly say: (line: string) => void
}

/** Of commands that are typed on a node: the directory of the swarm. */
export const INSIDE = 'WINTRADES_LAB'

type Kept = { readonly number: number; readonly delays: Delays | null }

const SWARM_PORT = 2_377
const JOIN_TIMEOUT_MS = 60_000

export class LabSwarm {
  /** Everything of it on disk. */
  readonly directory: string
  readonly nodes: readonly LabNode[]
  readonly #network: LabNetwork
  readonly #kept: Kept
  readonly #endDocker: () => Promise<void>

  private constructor(directory: string, network: LabNetwork, kept: Kept, endDocker: () => Promise<void>) {
    this.directory = directory
    this.#network = network
    this.#kept = kept
    this.#endDocker = endDocker
    this.nodes = REGIONS.map(
      (region) => new LabNode({ region, directory, address: network.addressOf(region), enter: network.enter(region) }),
    )
  }

  /** Nothing is deployed yet; every node is a manager, and labelled with its region. */
  static async start({ delays, say }: LabSwarmOptions): Promise<LabSwarm> {
    const endDocker = await ensureDocker(say)
    const image = await ensureImage('mysql', say)
    const slot = takeSlot()
    const directory = mkdtempSync(join(tmpdir(), `wintrades-lab${slot.number}-`))
    const kept = { number: slot.number, delays }
    let network: LabNetwork | null = null
    let swarm: LabSwarm | null = null
    try {
      network = await LabNetwork.start({ ...kept, directory, image, regions: REGIONS })
      slot.leaveTo(network.holderOf(REGIONS[0]))
      swarm = new LabSwarm(directory, network, kept, endDocker)
      writeFileSync(fileOf(directory), JSON.stringify(kept), { mode: 0o600 })
      await Promise.all(swarm.nodes.map((node) => node.start()))
      await swarm.#join()
      say(`${swarm.nodes.length} nodes are a swarm: ${swarm.nodes.map(({ region }) => region).join(', ')}`)
      return swarm
    } catch (error) {
      if (swarm === null) network?.closeNow()
      else swarm.close()
      rmSync(directory, { recursive: true, force: true })
      slot.release()
      await endDocker()
      throw error
    }
  }

  /** One that stands already. */
  static async attach(directory: string): Promise<LabSwarm> {
    if (!existsSync(fileOf(directory))) throw new LabUnavailable(`no lab is in ${directory}`)
    const kept = JSON.parse(readFileSync(fileOf(directory), 'utf8')) as Kept
    const network = await LabNetwork.attach({ ...kept, directory, image: '', regions: REGIONS })
    return new LabSwarm(directory, network, kept, async () => {})
  }

  node(region: string): LabNode {
    const node = this.nodes.find((one) => one.region === region)
    if (node === undefined) throw new RangeError(`the lab's regions are ${REGIONS.join(', ')}, not ${region}`)
    return node
  }

  /** Onto every node, one after the other: each unpacks them on the same disk. */
  async load(images: readonly string[], say: (line: string) => void): Promise<void> {
    for (const node of this.nodes) {
      const began_ms = performance.now()
      await node.load(images)
      say(`${node.region} has the images (${Math.round((performance.now() - began_ms) / 1_000)} s)`)
    }
  }

  cut(region: string): Promise<void> {
    return this.#network.unplug(this.node(region).region)
  }

  heal(region: string): Promise<void> {
    return this.#network.plug(this.node(region).region)
  }

  isCut(region: string): Promise<boolean> {
    return this.#network.isUnplugged(region)
  }

  get delays(): Delays | null {
    return this.#kept.delays
  }

  /** And this host's daemon, if it was started for this swarm by this process; else it stays, as a swarm between commands does. */
  async end(): Promise<void> {
    this.close()
    await this.#endDocker()
  }

  /** Nodes, network, data: nothing is left. */
  close(): void {
    for (const node of this.nodes) node.kill()
    this.#network.closeNow()
    unmountBelow(this.directory)
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #join(): Promise<void> {
    const [first, ...others] = this.nodes as [LabNode, ...LabNode[]]
    const flags = ({ address }: LabNode) => ['--advertise-addr', address, '--listen-addr', `${address}:${SWARM_PORT}`]
    await first.docker.run(['swarm', 'init', ...flags(first)])
    const token = await first.docker.run(['swarm', 'join-token', '--quiet', 'manager'])
    for (const node of others) {
      await node.docker.run(['swarm', 'join', '--token', token, ...flags(node), `${first.address}:${SWARM_PORT}`])
    }
    await until(
      'every node is ready',
      async () => {
        const states = (await first.docker.run(['node', 'ls', '--format', '{{.Status}}'])).split('\n')
        return states.length === this.nodes.length && states.every((state) => state === 'Ready')
      },
      { timeout_ms: JOIN_TIMEOUT_MS, every_ms: 500 },
    )
    for (const { region } of this.nodes)
      await first.docker.run(['node', 'update', '--label-add', `wintrades.region.${region}=true`, region])
  }
}

function fileOf(directory: string): string {
  return join(directory, 'swarm.json')
}
