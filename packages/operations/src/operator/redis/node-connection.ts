// One connection of the operator to one Redis node, kept over rounds. Promises that every command ends by its deadline, and that a broken
// connection is made anew with the next command.

import { Redis } from 'ioredis'

export type RedisAccess = {
  readonly user: string
  /** Read when a connection is made, so that a changed one is used from then on. */
  readonly password: () => string
  /** PEM of the authority; null: not encrypted. */
  readonly ca: string | null
  /** Name in every node's certificate; null: its address. */
  readonly certificateName: string | null
  /** How the connections call themselves; other operators know this one by it. */
  readonly clientName: string
}

export type Argument = string | number | Buffer

const CONNECT_TIMEOUT_MS = 2_000
const COMMAND_TIMEOUT_MS = 2_000

export class NodeConnection {
  readonly ip: string
  readonly port: number
  readonly #access: RedisAccess
  #redis: Redis | null = null

  constructor(ip: string, port: number, access: RedisAccess) {
    this.ip = ip
    this.port = port
    this.#access = access
  }

  async call(command: string, ...args: readonly Argument[]): Promise<unknown> {
    return await (await this.#connected()).call(command, [...args])
  }

  /** Sent together; answers in order, a refusal as an Error. */
  async all(commands: readonly (readonly [string, ...Argument[]])[]): Promise<unknown[]> {
    const redis = await this.#connected()
    return await settle(commands.map(([command, ...args]) => redis.call(command, args)))
  }

  /** The same, with texts as bytes: names of keys need not be text. */
  async allBytes(commands: readonly (readonly [string, ...Argument[]])[]): Promise<unknown[]> {
    const redis = await this.#connected()
    return await settle(commands.map(([command, ...args]) => redis.callBuffer(command, args)))
  }

  close(): void {
    this.#redis?.disconnect()
    this.#redis = null
  }

  async #connected(): Promise<Redis> {
    if (this.#redis?.status === 'ready') return this.#redis
    this.close()
    const { user, password, ca, certificateName, clientName } = this.#access
    const redis = new Redis({
      host: this.ip,
      port: this.port,
      username: user,
      password: password(),
      connectionName: clientName,
      protocol: 2,
      disableClientInfo: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      lazyConnect: true,
      ...(ca === null ? {} : { tls: { ca, ...(certificateName === null ? {} : { servername: certificateName }) } }),
    })
    // Each command says itself what went wrong.
    redis.on('error', () => {})
    this.#redis = redis
    await redis.connect()
    return redis
  }
}

async function settle(answers: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(answers)
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : toError(one.reason)))
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
