// A small world for tests: regions with a network between them that can be delayed and cut, and real servers in them. Promises that nothing of
// it is left when it is closed, or when the process ends.
//
//   const lab = await startLab({ delays: WAN_DELAYS })
//   const primary = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
//   await primary.kill()
//   await lab.cut('us-east')
//   await lab.close()

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { LabDisk, unmountBelow } from './disk.ts'
import { ensureDocker } from './docker.ts'
import { ensureImage } from './images.ts'
import { type LabMysql, type LabMysqlOptions, startLabMysql } from './mysql.ts'
import { type Delays, LabNetwork } from './network.ts'
import { type LabRedis, type LabRedisOptions, startLabRedis } from './redis.ts'
import { type Slot, takeSlot } from './slot.ts'
import { type Storage, storageFolder } from './storage.ts'

export const REGIONS = ['us-east', 'eu-west', 'asia-pacific'] as const

/** One way, milliseconds: round trips of 80 and 200 ms. */
export const WAN_DELAYS: Delays = { 'us-east/eu-west': 40, 'us-east/asia-pacific': 100, 'eu-west/asia-pacific': 100 }

export type LabOptions = {
  readonly regions?: readonly string[]
  /** Without: a network without delays that costs no processor time. */
  readonly delays?: Delays
  /** `memory` if not given: processes and networks are killed here, not machines. Whoever measures wants `disk`. */
  readonly storage?: Storage
  readonly say?: (line: string) => void
}

export class Lab {
  readonly number: number
  /** Everything of this lab on disk; removed at the end. */
  readonly directory: string
  readonly #network: LabNetwork
  readonly #slot: Slot
  readonly #say: (line: string) => void
  readonly #endDocker: () => Promise<void>
  readonly #children = new Set<ChildProcess>()
  readonly #onExit = () => this.#closeNow()
  #closed = false

  constructor(parts: {
    readonly slot: Slot
    readonly directory: string
    readonly network: LabNetwork
    readonly say: (line: string) => void
    readonly endDocker: () => Promise<void>
  }) {
    this.number = parts.slot.number
    this.directory = parts.directory
    this.#slot = parts.slot
    this.#network = parts.network
    this.#say = parts.say
    this.#endDocker = parts.endDocker
    process.once('exit', this.#onExit)
  }

  /** The same from every region and from this host. */
  addressOf(region: string): string {
    return this.#network.addressOf(region)
  }

  /** Of all regions. */
  get addresses(): readonly string[] {
    return this.#network.addresses
  }

  /** A MySQL server, ready to be connected to. */
  async mysql(options: LabMysqlOptions): Promise<LabMysql> {
    const image = await ensureImage('mysql', this.#say)
    const address = this.addressOf(options.region)
    return await startLabMysql({ lab: this, image, address, network: this.dockerNetworkOf(options.region) }, options)
  }

  /** A Redis node, which answers and belongs to no cluster yet. */
  async redis(options: LabRedisOptions): Promise<LabRedis> {
    const image = await ensureImage('redis', this.#say)
    const addressOf = (region: string) => this.addressOf(region)
    const networkOf = (region: string) => this.dockerNetworkOf(region)
    return await startLabRedis(this, { image, addressOf, networkOf }, options)
  }

  /** A file system of its own at a folder of the lab. */
  mountDisk(folder: string, size_mb: number): Promise<LabDisk> {
    return LabDisk.mount(folder, size_mb)
  }

  /** Starts a program of this host's in the network of a region; it is killed when the lab is closed. */
  spawn(region: string, command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [file, ...args] = [...this.#network.enter(region), ...command]
    const child = spawn(file as string, args, options)
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** As `docker run --network` takes it. */
  dockerNetworkOf(region: string): string {
    return this.#network.dockerNetworkOf(region)
  }

  /** What precedes a command that shall run in the network of a region. */
  enter(region: string): readonly string[] {
    return this.#network.enter(region)
  }

  /** Nothing passes between this region and the others; within it, and from this host, everything does. */
  cut(region: string): Promise<void> {
    return this.#network.cut(region)
  }

  heal(region: string): Promise<void> {
    return this.#network.heal(region)
  }

  setDelays(delays: Delays): void {
    this.#network.setDelays(delays)
  }

  async close(): Promise<void> {
    this.#closeNow()
    process.removeListener('exit', this.#onExit)
    await this.#endDocker()
  }

  #closeNow(): void {
    if (this.#closed) return
    this.#closed = true
    for (const child of this.#children) child.kill('SIGKILL')
    this.#network.closeNow()
    unmountBelow(this.directory)
    rmSync(this.directory, { recursive: true, force: true })
    this.#slot.release()
  }
}

export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const { regions = REGIONS, delays = null, storage = 'memory' } = options
  const say = options.say ?? ((line: string) => void process.stderr.write(`lab: ${line}\n`))
  const endDocker = await ensureDocker(say)
  const image = await ensureImage('mysql', say)
  const slot = takeSlot()
  const directory = mkdtempSync(join(storageFolder(storage, slot.number), `wintrades-lab${slot.number}-`))
  try {
    const network = await LabNetwork.start({ number: slot.number, directory, image, regions, delays })
    return new Lab({ slot, directory, network, say, endDocker })
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    slot.release()
    throw error
  }
}
