// Where other processes may listen: names are looked up again and again, as processes come and go. Promises to tell of every address once when
// it appears and once when it is gone, never more than a bounded number, and that a slow or silent name server holds up nothing: what it said
// last stands until it says something else.

import { promises as dns, type LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import type { RegionName } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'

/** A region's processes listen at `port` of every address that `host` has. */
export type Peer = { readonly region: RegionName; readonly host: string; readonly port: number }

export type Address = Peer & {
  /** `host:port`; `host` is an IP address here. */
  readonly key: string
}

export type AddressBookOptions = {
  readonly peers: readonly Peer[]
  readonly logger: Logger
  /** Instead of the system's, as `address:port`. */
  readonly nameServers?: readonly string[]
  listed(address: Address): void
  unlisted(address: Address): void
}

/** Of all processes together. */
export const ADDRESSES_MAX = 64
const LOOKUP_MS = 1_000
/** Docker's own name server is silent for seconds about a service that is just being replaced. */
const ANSWER_TIMEOUT_MS = 1_500
const ANSWER_TRIES = 2
/** Such a lookup holds one of the threads that the whole process shares. */
const SYSTEM_LOOKUP_MS = 5_000
const NOT_IN_DNS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED'])

type Entry = { readonly peer: Peer; listed: readonly Address[] }

export class AddressBook {
  readonly #options: AddressBookOptions
  readonly #entries: readonly Entry[]
  readonly #resolver = new dns.Resolver({ timeout: ANSWER_TIMEOUT_MS, tries: ANSWER_TRIES })
  readonly #timers = new Set<NodeJS.Timeout>()
  /** When a name was asked of the system last, and whether it knew it: names of the hosts file. */
  readonly #system = new Map<string, { readonly at_ms: number; readonly known: boolean }>()
  #systemLookup: Promise<unknown> = Promise.resolve()
  #warned = false
  #closed = false

  constructor(options: AddressBookOptions) {
    this.#options = options
    this.#entries = options.peers.map((peer) => ({ peer, listed: [] }))
    if (options.nameServers !== undefined) this.#resolver.setServers(options.nameServers)
  }

  start(): void {
    for (const entry of this.#entries) {
      if (isIP(entry.peer.host) > 0) this.#set(entry, [entry.peer.host])
      else void this.#watch(entry)
    }
  }

  close(): void {
    this.#closed = true
    this.#resolver.cancel()
    for (const timer of this.#timers) clearTimeout(timer)
  }

  async #watch(entry: Entry): Promise<void> {
    const hosts = await this.#lookUp(entry.peer.host)
    if (this.#closed) return
    if (hosts !== null) this.#set(entry, hosts)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#watch(entry)
    }, LOOKUP_MS)
    this.#timers.add(timer)
  }

  #set(entry: Entry, hosts: readonly string[]): void {
    const { peer, listed: before } = entry
    const found = [...new Set(hosts)].sort().map((host) => ({ ...peer, host, key: `${host}:${peer.port}` }))
    const elsewhere = this.#entries.filter((one) => one !== entry).flatMap(({ listed }) => listed)
    const own = found.filter(({ key }) => !elsewhere.some((one) => one.key === key))
    // Whoever is there already stays; the rest has to wait until somebody goes.
    const kept = own.filter(({ key }) => before.some((one) => one.key === key))
    const added = own.filter((one) => !kept.includes(one)).slice(0, ADDRESSES_MAX - elsewhere.length - kept.length)
    if (kept.length + added.length < own.length) this.#warnOfTooMany()
    entry.listed = [...kept, ...added]
    for (const one of before) if (!kept.some(({ key }) => key === one.key)) this.#options.unlisted(one)
    for (const one of added) this.#options.listed(one)
  }

  #warnOfTooMany(): void {
    if (this.#warned) return
    this.#warned = true
    this.#options.logger.warn('too many addresses of other processes: no links to what is beyond', { ADDRESSES_MAX })
  }

  /** null: that cannot be said now. */
  async #lookUp(name: string): Promise<readonly string[] | null> {
    const answers = await Promise.allSettled([this.#resolver.resolve4(name), this.#resolver.resolve6(name)])
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (found.length > 0) return found
    const faults = answers.flatMap((answer) => (answer.status === 'rejected' ? [codeOf(answer.reason)] : []))
    if (!faults.every((code) => NOT_IN_DNS.has(code))) return null
    return this.#closed ? null : await this.#askSystem(name, !faults.includes('ECONNREFUSED'))
  }

  /** One name at a time, and rarely those that the system does not know either. */
  async #askSystem(name: string, isNowhere: boolean): Promise<readonly string[] | null> {
    const last = this.#system.get(name)
    const isEarly = last !== undefined && !last.known && performance.now() - last.at_ms < SYSTEM_LOOKUP_MS
    if (isEarly) return isNowhere ? [] : null
    const before = this.#systemLookup
    const asked = before
      .then(() => dns.lookup(name, { all: true }))
      .then(
        (found): readonly LookupAddress[] | string => found,
        (error: unknown) => codeOf(error),
      )
    this.#systemLookup = asked
    const found = await asked
    const known = typeof found !== 'string'
    this.#system.set(name, { at_ms: performance.now(), known })
    if (known) return found.map(({ address }) => address)
    return found === 'ENOTFOUND' && isNowhere ? [] : null
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}
