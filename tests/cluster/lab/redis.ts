// A Redis node of the lab: the configuration, entrypoint, users and certificates of a deployment. Boots alone; forming a cluster of several is
// the operator's. It can be moved to another address with its data, as a container that is started elsewhere.

import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderRedisConfiguration } from '@wintrades/topology'
import { Redis } from 'ioredis'
import { emptyFolder, LabContainer } from './container.ts'
import { LabCredentials } from './credentials.ts'
import type { Lab } from './lab.ts'
import { until } from './until.ts'

export type LabRedisOptions = {
  readonly name: string
  readonly region: string
  /** 6379 if not given; nodes of one region need different ones. */
  readonly port?: number
}

export type RedisUser = 'app' | 'operator' | 'replication' | 'exporter'

export type RedisPlace = {
  readonly image: string
  readonly addressOf: (region: string) => string
  readonly networkOf: (region: string) => string
}

const USERS: readonly RedisUser[] = ['app', 'operator', 'replication', 'exporter']
const MEMORY_MB = 64
const START_TIMEOUT_MS = 30_000
/** Shorter than a lab's container is given to stop. */
const LEAVE_SECONDS = 50

export async function startLabRedis(lab: Lab, place: RedisPlace, options: LabRedisOptions): Promise<LabRedis> {
  const node = new LabRedis(lab, place, options)
  await node.create()
  return node
}

export class LabRedis {
  readonly name: string
  region: string
  port: number
  readonly #lab: Lab
  readonly #place: RedisPlace
  readonly #secrets: string
  #container: LabContainer | null = null

  constructor(lab: Lab, place: RedisPlace, options: LabRedisOptions) {
    this.#lab = lab
    this.#place = place
    this.name = options.name
    this.region = options.region
    this.port = options.port ?? 6_379
    this.#secrets = redisSecrets(lab.directory)
  }

  get host(): string {
    return this.#place.addressOf(this.region)
  }

  get container(): LabContainer {
    if (this.#container === null) throw new Error(`${this.name} was not started`)
    return this.#container
  }

  passwordOf(user: RedisUser, copy: 'a' | 'b' = 'a'): string {
    return readFileSync(this.passwordFileOf(user, copy), 'utf8').trimEnd()
  }

  passwordFileOf(user: RedisUser, copy: 'a' | 'b' = 'a'): string {
    return join(this.#secrets, `redis_${user}_${copy}`)
  }

  /** The authority that every node of the lab is certified by. */
  get authorityFile(): string {
    return new LabCredentials(this.#lab.directory).authorityFile
  }

  /** Its folders, container and first start. */
  async create(): Promise<void> {
    emptyFolder(this.#data)
    await this.#run()
  }

  /** A connection of one of the users. The caller ends it. */
  connect(user: RedisUser = 'operator'): Redis {
    const redis = new Redis({
      host: this.host,
      port: this.port,
      username: `wintrades_${user}`,
      password: this.passwordOf(user),
      tls: { ca: readFileSync(this.authorityFile) },
      protocol: 2,
      disableClientInfo: true,
      connectTimeout: 2_000,
      commandTimeout: 5_000,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      lazyConnect: true,
    })
    redis.on('error', () => {})
    return redis
  }

  /** One command, as the operator. */
  async call(command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const redis = this.connect()
    try {
      await redis.connect()
      return await redis.call(command, ...args)
    } finally {
      redis.disconnect()
    }
  }

  async ready(): Promise<void> {
    const answers = async () => {
      if (!(await this.container.isRunning())) throw new Error(`${this.name} ended: ${await this.container.log(15)}`)
      return (await this.call('PING')) === 'PONG'
    }
    await until(`${this.name} answers`, answers, { timeout_ms: START_TIMEOUT_MS })
  }

  kill(): Promise<void> {
    return this.container.kill()
  }

  stop(): Promise<void> {
    return this.container.stop()
  }

  async start(): Promise<void> {
    await this.container.start()
    await this.ready()
  }

  pause(): Promise<void> {
    return this.container.pause()
  }

  unpause(): Promise<void> {
    return this.container.unpause()
  }

  /** Ends it and takes its disk away; starts it empty. */
  async wipe(): Promise<void> {
    await this.container.remove()
    emptyFolder(this.#data)
    await this.#run()
  }

  /** Ends it and starts it with its data at another address. */
  async move(region: string, port: number): Promise<void> {
    await this.container.remove()
    this.region = region
    this.port = port
    await this.#run()
  }

  async #run(): Promise<void> {
    const { image, networkOf } = this.#place
    const files = emptyFolder(this.#lab.directory, this.name, 'files')
    const configuration = renderRedisConfiguration({ port: this.port, memory_mb: MEMORY_MB, tls: true })
    writeFileSync(join(files, 'redis.conf'), configuration, { mode: 0o644 })
    copyFileSync(deployed('entrypoint.sh'), join(files, 'entrypoint.sh'))
    const credentials = new LabCredentials(this.#lab.directory)
    // Valid wherever it may be moved to.
    const tls = await credentials.certify(this.name, [...this.#lab.addresses, '127.0.0.1', 'localhost'])
    this.#container = await LabContainer.start({
      labNumber: this.#lab.number,
      name: this.name,
      image,
      network: networkOf(this.region),
      volumes: {
        [files]: '/etc/wintrades:ro',
        [this.#secrets]: '/run/secrets:ro',
        [tls]: '/run/tls:ro',
        [this.#data]: '/var/lib/redis',
      },
      environment: { REDIS_TLS: '/run/tls', REDIS_LEAVE_SECONDS: String(LEAVE_SECONDS) },
      command: ['/etc/wintrades/entrypoint.sh'],
    })
    await this.ready()
  }

  get #data(): string {
    return join(this.#lab.directory, this.name, 'data')
  }
}

/** A file of a Redis node's deployment. */
function deployed(name: string): string {
  return fileURLToPath(new URL(`../../../deployment/redis/${name}`, import.meta.url))
}

/** One set a lab. */
function redisSecrets(labDirectory: string): string {
  const directory = join(labDirectory, 'redis-secrets')
  if (existsSync(directory)) return directory
  mkdirSync(directory, { recursive: true })
  for (const user of USERS) {
    for (const copy of ['a', 'b']) {
      writeFileSync(join(directory, `redis_${user}_${copy}`), `${randomBytes(18).toString('base64url')}\n`, {
        mode: 0o600,
      })
    }
  }
  return directory
}
