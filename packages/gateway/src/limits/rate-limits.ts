// How often one may ask: per account, API key and client address, counted in this process and, given a store, over all of them. Promises
// that what is known costs a map look-up and no allocation, that the memory for all of it is bounded, and that nothing is waited for. Who
// asks too often is told how long to wait.

import type { AccountId } from '@wintrades/domain'
import type { Config } from '@wintrades/platform'
import ipaddr from 'ipaddr.js'
import { BoundedMap } from './bounded-map.ts'
import type { LimitStore } from './limit-store.ts'
import { RateLimiter } from './rate-limiter.ts'
import { SharedLimits } from './shared-limits.ts'

export type RateLimitValues = Pick<
  Config,
  | 'rateLimitRequestsPerSecond'
  | 'rateLimitOrdersPerSecond'
  | 'rateLimitAddressPerSecond'
  | 'rateLimitLoginsPerMinute'
  | 'rateLimitConnectionsPerAddress'
>

export type RateLimitOptions = {
  /** Milliseconds of a clock that does not go back; `performance.now` by default. */
  readonly now_ms?: () => number
  /** Accounts, keys or addresses that each limit remembers at least. */
  readonly remembered?: number
  /** Where processes count together; without it each counts for itself. */
  readonly store?: LimitStore
}

const REMEMBERED = 100_000
const SECOND_MS = 1_000
const MINUTE_MS = 60_000

/** Each method counts and answers 0 (go on), or the milliseconds to wait before the same would be let through. */
export class RateLimits {
  readonly #requests: RateLimiter<string>
  readonly #orders: RateLimiter<AccountId>
  readonly #addresses: RateLimiter<string>
  readonly #logins: RateLimiter<string>
  /** Open connections by address group. Bounded by the number of sockets that the process can have open. */
  readonly #connections = new Map<string, number>()
  readonly #connections_max: number
  readonly #groups: BoundedMap<string, string>
  readonly #shared: SharedLimits | null

  constructor(values: RateLimitValues, options: RateLimitOptions = {}) {
    const now_ms = options.now_ms ?? (() => performance.now())
    const remembered = options.remembered ?? REMEMBERED
    const per = (amount: number, period_ms: number) => ({ amount, period_ms, remembered, now_ms })
    this.#requests = new RateLimiter(per(values.rateLimitRequestsPerSecond, SECOND_MS))
    this.#orders = new RateLimiter(per(values.rateLimitOrdersPerSecond, SECOND_MS))
    this.#addresses = new RateLimiter(per(values.rateLimitAddressPerSecond, SECOND_MS))
    this.#logins = new RateLimiter(per(values.rateLimitLoginsPerMinute, MINUTE_MS))
    this.#connections_max = values.rateLimitConnectionsPerAddress
    this.#groups = new BoundedMap(remembered)
    this.#shared = options.store === undefined ? null : new SharedLimits(options.store, this.#limiters())
  }

  close(): void {
    this.#shared?.close()
  }

  /** Tells now what would be told soon. */
  async tell(): Promise<void> {
    await this.#shared?.tell()
  }

  /** Requests other than orders, by `principal.limitKey`. */
  requests(limitKey: string, count = 1): number {
    return this.#requests.take(limitKey, count)
  }

  /** Orders, cancels and replaces of an account; a batch counts as many as it holds. */
  orders(account: AccountId, count = 1): number {
    return this.#orders.take(account, count)
  }

  /** Any request from a client address, before anything is known about who sent it. */
  address(address: string, count = 1): number {
    return this.#addresses.take(this.#group(address), count)
  }

  /** Registrations, log-ins and refreshes from a client address. */
  logins(address: string): number {
    return this.#logins.take(this.#group(address), 1)
  }

  /** One more open connection; false: the address has all that it may have. Each true is given back by one `releaseConnection`. */
  acquireConnection(address: string): boolean {
    const group = this.#group(address)
    const open = this.#connections.get(group) ?? 0
    if (open >= this.#connections_max) return false
    this.#connections.set(group, open + 1)
    return true
  }

  releaseConnection(address: string): void {
    const group = this.#group(address)
    const open = this.#connections.get(group) ?? 0
    if (open > 1) this.#connections.set(group, open - 1)
    else this.#connections.delete(group)
  }

  /** Connections are not among them: they are held, not spent, and a process that dies gives none back. */
  #limiters() {
    return { requests: this.#requests, orders: this.#orders, addresses: this.#addresses, logins: this.#logins }
  }

  #group(address: string): string {
    if (!address.includes(':')) return address
    const known = this.#groups.get(address)
    if (known !== undefined) return known
    const group = addressGroup(address)
    this.#groups.set(address, group)
    return group
  }
}

/** What counts as one client: an IPv4 address, or an IPv6 /64, because whoever has one address of it has all of them. */
export function addressGroup(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  const network = parsed.toByteArray().slice(0, 8)
  return `${network.map((byte) => byte.toString(16).padStart(2, '0')).join('')}/64`
}
