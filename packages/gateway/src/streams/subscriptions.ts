// The subscriptions of one connection: reads what a client asks to hear, keeps at most so many, and ends them with the connection.
// A request is carried out whole or not at all.

import type { RegionName } from '@wintrades/domain'
import { type Cursor, isCandleInterval, type MarketData, parseCursor } from '@wintrades/marketdata'
import type { AccountPrincipal } from '../auth/principal.ts'
import { denial, malformation, type OrderReply } from '../orders/answers.ts'
import { type PrivateChannel, type PrivateParts, PrivateSubscription } from './private-channels.ts'
import type { PublicChannels, PublicName } from './public-channels.ts'
import type { Listener, PublicChannel } from './public-topics.ts'

export type SubscriptionParts = {
  readonly marketData: MarketData
  readonly channels: PublicChannels
  readonly private: PrivateParts
}

/** What was asked for, understood. */
type Wanted =
  | { readonly kind: 'public'; readonly key: string; readonly name: PublicName; readonly sequence: number | null }
  | {
      readonly kind: 'private'
      readonly key: string
      readonly channel: PrivateChannel
      readonly cursors: ReadonlyMap<RegionName, Cursor>
    }

export type ReadChannels =
  | { readonly ok: true; readonly wanted: readonly Wanted[] }
  | { readonly ok: false; readonly reply: OrderReply }

export const SUBSCRIPTIONS_MAX = 200

const PUBLIC_CHANNELS: ReadonlySet<unknown> = new Set<PublicChannel>(['depth', 'trades', 'ticker', 'candles'])
const PRIVATE_CHANNELS: ReadonlySet<unknown> = new Set<PrivateChannel>(['orders', 'balances'])
const FIELDS = new Set(['channel', 'symbol', 'interval', 'sequence'])

export class Subscriptions {
  readonly #parts: SubscriptionParts
  readonly #listener: Listener
  readonly #open = new Map<string, () => void>()
  #closed = false

  constructor(parts: SubscriptionParts, listener: Listener) {
    this.#parts = parts
    this.#listener = listener
  }

  get count(): number {
    return this.#open.size
  }

  /** Understands the `channels` of a request; whose connection it is decides whether private ones are open to it. */
  read(raw: unknown, principal: AccountPrincipal | null): ReadChannels {
    if (!Array.isArray(raw) || raw.length === 0 || raw.length > SUBSCRIPTIONS_MAX) {
      return malformed('channels', `must be a list of 1 to ${SUBSCRIPTIONS_MAX} channels`)
    }
    const wanted: Wanted[] = []
    for (const [index, item] of raw.entries()) {
      const one = this.#readOne(item, `channels.${index}`, principal)
      if ('ok' in one) return one
      wanted.push(one)
    }
    return { ok: true, wanted }
  }

  /** null: there is room for them. */
  denied(wanted: readonly Wanted[]): OrderReply | null {
    const added = new Set(wanted.map((one) => one.key).filter((key) => !this.#open.has(key)))
    if (this.#open.size + added.size <= SUBSCRIPTIONS_MAX) return null
    return denial('SUBSCRIPTIONS_TOO_MANY', { details: { limit: SUBSCRIPTIONS_MAX } })
  }

  /** A channel that is open already begins again. */
  open(wanted: readonly Wanted[], principal: AccountPrincipal | null): void {
    for (const one of wanted) {
      this.#open.get(one.key)?.()
      const close = this.#start(one, principal)
      this.#open.set(one.key, close)
      // What it began with was too much for the connection, which has ended meanwhile.
      if (this.#closed) return void this.closeAll()
    }
  }

  /** Ends those of them that are open. */
  close(wanted: readonly Wanted[]): void {
    for (const { key } of wanted) {
      this.#open.get(key)?.()
      this.#open.delete(key)
    }
  }

  /** Ends all, for good. */
  closeAll(): void {
    this.#closed = true
    for (const close of this.#open.values()) close()
    this.#open.clear()
  }

  #start(one: Wanted, principal: AccountPrincipal | null): () => void {
    if (one.kind === 'public') {
      this.#parts.channels.subscribe(one.name, this.#listener, one.sequence)
      return () => this.#parts.channels.unsubscribe(one.name, this.#listener)
    }
    if (principal === null) return () => {}
    const { private: parts } = this.#parts
    const subscription = new PrivateSubscription(parts, one.channel, principal.account, this.#listener, one.cursors)
    return () => subscription.close()
  }

  #readOne(
    raw: unknown,
    path: string,
    principal: AccountPrincipal | null,
  ): Wanted | Extract<ReadChannels, { ok: false }> {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return malformed(path, 'must be an object')
    for (const key in raw) if (!FIELDS.has(key)) return malformed(`${path}.${key.slice(0, 40)}`, 'is not known here')
    const { channel, symbol, interval, sequence } = raw as Readonly<Record<string, unknown>>
    if (PUBLIC_CHANNELS.has(channel))
      return this.#readPublic(channel as PublicChannel, symbol, interval, sequence, path)
    if (!PRIVATE_CHANNELS.has(channel)) {
      return { ok: false, reply: denial('CHANNEL_UNKNOWN', { details: { path: `${path}.channel` } }) }
    }
    if (principal === null) return { ok: false, reply: denial('AUTHENTICATION_REQUIRED') }
    if (!principal.scopes.has('read'))
      return { ok: false, reply: denial('SCOPE_MISSING', { details: { scope: 'read' } }) }
    if (symbol !== undefined) return malformed(`${path}.symbol`, 'is not for private channels')
    if (interval !== undefined) return malformed(`${path}.interval`, 'is for candles')
    const cursors = this.#readCursors(sequence)
    if (cursors === null)
      return malformed(`${path}.sequence`, 'must be the sequences of pushes, merged: {"us-east": "12.3"}')
    return { kind: 'private', key: String(channel), channel: channel as PrivateChannel, cursors }
  }

  #readPublic(
    channel: PublicChannel,
    symbol: unknown,
    interval: unknown,
    sequence: unknown,
    path: string,
  ): Wanted | Extract<ReadChannels, { ok: false }> {
    if (typeof symbol !== 'string') return malformed(`${path}.symbol`, 'must be the symbol of an instrument')
    const market = this.#parts.marketData.bySymbol(symbol)
    if (market === undefined) {
      return { ok: false, reply: denial('SYMBOL_UNKNOWN', { details: { path: `${path}.symbol` } }) }
    }
    const isCandles = channel === 'candles'
    if (isCandles && (typeof interval !== 'string' || !isCandleInterval(interval))) {
      return malformed(`${path}.interval`, 'must be one of 1m, 5m, 15m, 1h, 4h, 1d')
    }
    if (!isCandles && interval !== undefined) return malformed(`${path}.interval`, 'is for candles')
    const after = readSequence(sequence)
    if (after === undefined) return malformed(`${path}.sequence`, 'must be the sequence of the last push that came')
    const name = { channel, market, interval: isCandles ? interval : null } as PublicName
    return { kind: 'public', key: `${channel} ${symbol} ${isCandles ? interval : ''}`, name, sequence: after }
  }

  #readCursors(raw: unknown): ReadonlyMap<RegionName, Cursor> | null {
    const cursors = new Map<RegionName, Cursor>()
    if (raw === undefined || raw === null) return cursors
    if (typeof raw !== 'object' || Array.isArray(raw)) return null
    for (const [name, text] of Object.entries(raw)) {
      const cursor = typeof text === 'string' ? parseCursor(text) : null
      if (cursor === null || !this.#parts.private.shards.includes(name as RegionName)) return null
      cursors.set(name as RegionName, cursor)
    }
    return cursors
  }
}

/** null: there is none; undefined: it is not one. */
function readSequence(raw: unknown): number | null | undefined {
  if (raw === undefined || raw === null) return null
  const number = typeof raw === 'string' && /^[0-9]{1,16}$/.test(raw) ? Number(raw) : raw
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

function malformed(path: string, message: string): { readonly ok: false; readonly reply: OrderReply } {
  return {
    ok: false,
    reply: malformation('REQUEST_MALFORMED', path, message),
  }
}
