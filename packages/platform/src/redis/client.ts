// The client of the Redis Cluster. Promises that every call ends by its deadline, that what waits is bounded, and that a part of the
// cluster which does not answer is left alone after a few calls. A call that fails throws RedisUnavailable: nothing may depend on it.

import { createHash } from 'node:crypto'
import { lookup as systemLookup } from 'node:dns'
import type { ConnectionOptions } from 'node:tls'
import keySlot from 'cluster-key-slot'
import { Cluster, type ClusterOptions, type Redis } from 'ioredis'
import { CircuitBreaker, CircuitOpenError, observeCircuit } from '../circuit-breaker.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { RedisClusterOptions, RedisTls } from './options.ts'

/** Why a call has no result; the caller does without. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

export type RedisParts = { readonly logger: Logger; readonly metrics?: Metrics }

export type RedisUseOptions = {
  /** Names it in metrics: `sessions`. */
  readonly name: string
  /** From the call to its answer. */
  readonly deadline_ms: number
  /** Calls whose outcome is still open, those given up included; beyond them a call is refused at once. */
  readonly inFlightMax?: number
}

/** Shorter than a master takes to be replaced; whoever waits longer has long given up. */
const COMMAND_TIMEOUT_MS = 2_000
/** A connection that answers nothing for so long is closed: its node has stopped, or the network to it is cut. */
const SOCKET_TIMEOUT_MS = 3_000
const CONNECT_TIMEOUT_MS = 2_000
/** `delay × redirections` is longer than `cluster-node-timeout` (2 s), so that a call can outlive a fail-over if its deadline allows. */
const FAILOVER_DELAY_MS = 250
const REDIRECTIONS_MAX = 16
const TRY_AGAIN_DELAY_MS = 50
const RECONNECT_DELAY_MS_MAX = 2_000
const SLOTS_REFRESH_TIMEOUT_MS = 3_000
const SLOTS_REFRESH_INTERVAL_MS = 10_000
const KEEP_ALIVE_MS = 5_000
/** A fault is logged once in so long, with how many there were. */
const LOG_INTERVAL_MS = 30_000
const IN_FLIGHT_MAX = 1_024

export class RedisCluster {
  readonly #cluster: Cluster
  readonly #prefix: string
  readonly #parts: RedisParts
  readonly #figures: Figures | null
  #faults = 0
  #loggedAt_ms = Number.NEGATIVE_INFINITY

  /** Connects in the background, and again whenever the connection is lost. */
  constructor(options: RedisClusterOptions, parts: RedisParts) {
    this.#prefix = options.prefix
    this.#parts = parts
    this.#cluster = new Cluster([...options.nodes], clusterOptions(options))
    this.#cluster.on('error', (error) => this.#onFault(error))
    this.#cluster.on('node error', (error) => this.#onFault(error))
    this.#cluster.on('+node', handleAsking)
    this.#figures = parts.metrics === undefined ? null : figures(parts.metrics, this)
  }

  /** Whether a call would be sent: the cluster has been found, and says that it serves. */
  get ready(): boolean {
    return this.#cluster.status === 'ready'
  }

  /** For one purpose, with a deadline and circuit breakers of its own. */
  use(options: RedisUseOptions): RedisUse {
    return new RedisUse(this.#cluster, this.#prefix, options, {
      onOutcome: (outcome, duration_ms) => {
        const use = options.name
        this.#figures?.calls.inc({ use, outcome })
        if (outcome === 'ok') this.#figures?.seconds.observe({ use }, duration_ms / 1_000)
      },
      onFault: (error) => this.#onFault(error),
      onCircuit: (circuit) => {
        if (this.#parts.metrics !== undefined) observeCircuit(this.#parts.metrics, circuit)
      },
    })
  }

  close(): void {
    this.#cluster.disconnect()
  }

  #onFault(error: unknown): void {
    this.#faults += 1
    const now_ms = performance.now()
    if (now_ms - this.#loggedAt_ms < LOG_INTERVAL_MS) return
    this.#loggedAt_ms = now_ms
    const message = error instanceof Error ? error.message : String(error)
    this.#parts.logger.warn('redis fails; the platform goes on without it', { fault: message, faults: this.#faults })
  }
}

type Outcome = 'ok' | 'late' | 'failed' | 'refused'

type UseHooks = {
  readonly onOutcome: (outcome: Outcome, duration_ms: number) => void
  readonly onFault: (error: unknown) => void
  readonly onCircuit: (circuit: CircuitBreaker) => void
}

/** A master that is gone takes its range of slots with it and no other: each sixteenth of them has a breaker of its own. */
const CIRCUITS = 16
const SLOTS = 16_384
const FAILURES_MAX = 3
const REST_MS = 500
const REST_MS_MAX = 5_000

export class RedisUse {
  readonly #cluster: Cluster
  readonly #prefix: string
  readonly #deadline_ms: number
  readonly #inFlightMax: number
  readonly #hooks: UseHooks
  readonly #circuits: readonly CircuitBreaker[]
  #inFlight = 0

  constructor(cluster: Cluster, prefix: string, options: RedisUseOptions, hooks: UseHooks) {
    this.#cluster = cluster
    this.#prefix = prefix
    this.#deadline_ms = options.deadline_ms
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX
    this.#hooks = hooks
    const breaker = { failuresMax: FAILURES_MAX, rest_ms: REST_MS, rest_ms_max: REST_MS_MAX }
    this.#circuits = Array.from(
      { length: CIRCUITS },
      () => new CircuitBreaker({ backend: `redis-${options.name}`, ...breaker }),
    )
    for (const circuit of this.#circuits) hooks.onCircuit(circuit)
  }

  async get(key: string): Promise<string | null> {
    return await this.#call(key, (whole) => this.#cluster.get(whole))
  }

  /** False: it was there already, and `ifAbsent` was asked for. */
  async set(key: string, value: string, ttl_ms: number, more: { readonly ifAbsent?: true } = {}): Promise<boolean> {
    const answer = await this.#call(key, (whole) =>
      more.ifAbsent
        ? this.#cluster.set(whole, value, 'PX', ttl_ms, 'NX')
        : this.#cluster.set(whole, value, 'PX', ttl_ms),
    )
    return answer === 'OK'
  }

  async delete(key: string): Promise<void> {
    await this.#call(key, (whole) => this.#cluster.unlink(whole))
  }

  /** Runs a Lua script inside Redis, as one step. All keys carry the same `{tag}`. Scripts are constants: each is remembered. */
  async run(lua: string, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    const [first] = keys
    if (first === undefined) throw new RangeError('a script needs a key, which says where it runs')
    return await this.#call(first, async () => {
      const whole = keys.map((key) => this.#prefix + key)
      try {
        return await this.#cluster.evalsha(digestOf(lua), whole.length, ...whole, ...values)
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await this.#cluster.eval(lua, whole.length, ...whole, ...values)
      }
    })
  }

  async #call<Value>(key: string, send: (whole: string) => Promise<Value>): Promise<Value> {
    const whole = this.#prefix + key
    const circuit = this.#circuits[Math.floor((keySlot(whole) * CIRCUITS) / SLOTS)] as CircuitBreaker
    const begun_ms = performance.now()
    try {
      if (this.#inFlight >= this.#inFlightMax) throw new CircuitOpenError('too many calls to redis are open')
      const value = await circuit.run(() => this.#timed(send(whole)))
      this.#hooks.onOutcome('ok', performance.now() - begun_ms)
      return value
    } catch (error) {
      this.#hooks.onOutcome(outcomeOf(error), performance.now() - begun_ms)
      if (!(error instanceof CircuitOpenError)) this.#hooks.onFault(error)
      throw error instanceof RedisUnavailable ? error : new RedisUnavailable(messageOf(error), { cause: error })
    }
  }

  /** Gives up at the deadline; the command itself may go on, and counts until it has ended. */
  #timed<Value>(command: Promise<Value>): Promise<Value> {
    this.#inFlight += 1
    return new Promise<Value>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Late(`no answer in ${this.#deadline_ms} ms`)), this.#deadline_ms)
      const settle = (work: () => void) => {
        this.#inFlight -= 1
        clearTimeout(timer)
        work()
      }
      command.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      )
    })
  }
}

/**
 * While slots move, the library sends ASKING before a command and lets go of its promise. If that connection is closed first, because the
 * receiver has no slots yet, nobody would handle the rejection, and it would end the process. The command after it has the same fault.
 */
function handleAsking(node: Redis): void {
  const asking = node.asking.bind(node)
  node.asking = (...args: Parameters<Redis['asking']>) => {
    const answer = asking(...args)
    answer.catch(() => 'told by the command that follows')
    return answer
  }
}

const digests = new Map<string, string>()

/** What Redis knows a script by. */
function digestOf(lua: string): string {
  let digest = digests.get(lua)
  if (digest === undefined) {
    digest = createHash('sha1').update(lua).digest('hex')
    digests.set(lua, digest)
  }
  return digest
}

class Late extends RedisUnavailable {}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof CircuitOpenError) return 'refused'
  return error instanceof Late ? 'late' : 'failed'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function clusterOptions(options: RedisClusterOptions) {
  const { user, password, tls, clientName, lookup } = options
  return {
    // Nothing waits for a cluster that is not there.
    enableOfflineQueue: false,
    enableReadyCheck: true,
    clusterRetryStrategy: (times) => Math.min(100 * times, RECONNECT_DELAY_MS_MAX),
    retryDelayOnFailover: FAILOVER_DELAY_MS,
    retryDelayOnClusterDown: FAILOVER_DELAY_MS,
    retryDelayOnTryAgain: TRY_AGAIN_DELAY_MS,
    maxRedirections: REDIRECTIONS_MAX,
    slotsRefreshTimeout: SLOTS_REFRESH_TIMEOUT_MS,
    slotsRefreshInterval: SLOTS_REFRESH_INTERVAL_MS,
    dnsLookup: (host, done) => {
      if (lookup === undefined) systemLookup(host, done)
      else
        lookup(host).then(
          (address) => done(null, address),
          (error: NodeJS.ErrnoException) => done(error, ''),
        )
    },
    redisOptions: {
      protocol: 2,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      keepAlive: KEEP_ALIVE_MS,
      connectionName: clientName,
      disableClientInfo: true,
      ...(user === null ? {} : { username: user }),
      ...(password === null ? {} : { password }),
      ...(tls === null ? {} : { tls: connectionOptions(tls) }),
    },
  } satisfies ClusterOptions
}

function connectionOptions({ ca, certificateName }: RedisTls): ConnectionOptions {
  return {
    ...(ca === null ? {} : { ca }),
    ...(certificateName == null ? {} : { servername: certificateName }),
  }
}

type Figures = {
  readonly calls: ReturnType<typeof callCounter>
  readonly seconds: ReturnType<typeof callSeconds>
}

function figures(metrics: Metrics, cluster: RedisCluster): Figures {
  metrics.gauge('wintrades_redis_ready', '1: the Redis Cluster has been found and serves.', [], (gauge) =>
    gauge.set(Number(cluster.ready)),
  )
  return { calls: callCounter(metrics), seconds: callSeconds(metrics) }
}

function callCounter(metrics: Metrics) {
  const help = 'Calls to Redis: ok, late (past the deadline), failed, refused (circuit open or too many at once).'
  return metrics.counter('wintrades_redis_calls_total', help, ['use', 'outcome'])
}

function callSeconds(metrics: Metrics) {
  return metrics.histogram('wintrades_redis_call_seconds', 'Calls to Redis that were answered.', ['use'])
}
