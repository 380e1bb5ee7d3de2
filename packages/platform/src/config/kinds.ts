// The kinds of value an environment variable can have: how its text becomes a typed value, and what to write instead when it
// does not. Pure; the list of variables is `variables.ts`.

import { isIP } from 'node:net'

/** `fault` completes the sentence "NAME must be …". */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: string }

export type Kind<Value> = {
  /** For the reference: "a port from 1 to 65535". */
  readonly meaning: string
  parse(text: string): Parsed<Value>
}

function kind<Value>(meaning: string, parse: (text: string) => Value | undefined): Kind<Value> {
  return {
    meaning,
    parse: (text) => {
      const value = parse(text)
      return value === undefined ? { ok: false, fault: meaning } : { ok: true, value }
    },
  }
}

export function oneOf<const Choice extends string>(...choices: readonly Choice[]): Kind<Choice> {
  return kind(`one of ${choices.join(', ')}`, (text) => choices.find((choice) => choice === text))
}

export function text(meaning: string, pattern: RegExp): Kind<string> {
  return kind(meaning, (value) => (pattern.test(value) ? value : undefined))
}

export function integer(min: number, max: number): Kind<number> {
  return kind(`a whole number from ${min} to ${max}`, (value) => {
    if (!/^-?\d{1,15}$/.test(value)) return undefined
    const number = Number(value)
    return number >= min && number <= max ? number : undefined
  })
}

/** 0 asks the operating system for a free port. */
export function port(min: 0 | 1 = 1): Kind<number> {
  return integer(min, 65_535)
}

/** A share of one, as whole millionths: "0.02" is 20000. */
export function share(minExclusive: boolean): Kind<number> {
  const meaning = `a decimal ${minExclusive ? 'above' : 'from'} 0 ${minExclusive ? 'and at most' : 'to'} 1 with up to six places, such as 0.02`
  return kind(meaning, (value) => {
    const match = /^([01])(?:\.(\d{1,6}))?$/.exec(value)
    if (match === null) return undefined
    const millionths = Number(match[1]) * 1_000_000 + Number((match[2] ?? '').padEnd(6, '0'))
    return millionths <= 1_000_000 && !(minExclusive && millionths === 0) ? millionths : undefined
  })
}

/** Kept as text: it becomes an integer only where the asset's scale is known. */
export function positiveDecimal(): Kind<string> {
  return kind('a positive decimal such as 250000 or 0.5', (value) =>
    /^\d{1,15}(\.\d{1,12})?$/.test(value) && /[1-9]/.test(value) ? value : undefined,
  )
}

export function region(): Kind<string> {
  return text('a region name such as us-east (a-z, 0-9 and -)', /^[a-z][a-z0-9-]{1,31}$/)
}

/** `us-east=127.0.0.1:8201,eu-west=127.0.0.1:8202` */
export type Peer = { readonly region: string; readonly host: string; readonly port: number }

const PEERS_MAX = 64

/** A region may have several processes. */
export function peers(): Kind<readonly Peer[]> {
  const meaning = `a list region=host:port,… of up to ${PEERS_MAX} such as us-east=127.0.0.1:8201,eu-west=127.0.0.1:8202, each once`
  return kind(meaning, (value) => {
    const entries = value.split(',').map((entry) => entry.trim())
    const list = entries.map((entry) => /^([a-z][a-z0-9-]{1,31})=(\[[0-9a-f:.]+\]|[^:=\s]+):(\d{1,5})$/i.exec(entry))
    const found = list.flatMap((match) =>
      match === null
        ? []
        : [{ region: match[1] ?? '', host: (match[2] ?? '').replace(/^\[|\]$/g, ''), port: Number(match[3]) }],
    )
    const valid = found.every((peer) => peer.port >= 1 && peer.port <= 65_535) && found.length <= PEERS_MAX
    return valid && found.length === list.length && new Set(entries).size === list.length ? found : undefined
  })
}

export function host(): Kind<string> {
  return kind('a host name or address', (value) =>
    isIP(value) > 0 || /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/.test(value) ? value : undefined,
  )
}

/** One of a list of servers; port null: the service's usual one. */
export type Server = { readonly host: string; readonly port: number | null }

const SERVERS_MAX = 64

/** `redis-1,redis-2:6380,10.0.0.3,[fd00::1]:6379` */
export function servers(): Kind<readonly Server[]> {
  const meaning = `a list host[:port],… of up to ${SERVERS_MAX} servers such as server-1,server-2:7000, each once`
  return kind(meaning, (value) => {
    const entries = value.split(',').map((entry) => entry.trim())
    if (entries.length > SERVERS_MAX || new Set(entries).size !== entries.length) return undefined
    const list = entries.flatMap((entry) => server(entry) ?? [])
    return list.length === entries.length ? list : undefined
  })
}

export function oneServer(): Kind<Server> {
  return kind('host or host:port', server)
}

function server(entry: string): Server | undefined {
  if (isIP(entry) === 6) return { host: entry, port: null }
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9_][A-Za-z0-9_.-]{0,252}))(?::(\d{1,5}))?$/i.exec(entry)
  if (match === null) return undefined
  const port = match[3] === undefined ? null : Number(match[3])
  if (port !== null && (port < 1 || port > 65_535)) return undefined
  return { host: match[1] ?? match[2] ?? '', port }
}

export function timeZone(): Kind<string> {
  return kind('a time zone of the IANA database such as UTC or Europe/Berlin', (value) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone && value
    } catch {
      return undefined // Intl's only way to say that it does not know the zone
    }
  })
}

export function path(): Kind<string> {
  return kind('a path', (value) => (value.includes('\0') || value.length > 4_096 ? undefined : value))
}

/** A secret of at least so many characters; never shown in a message. */
export function secretText(charsMin: number): Kind<string> {
  return kind(`at least ${charsMin} characters without spaces at its ends`, (value) =>
    value.length >= charsMin && value.length <= 4_096 && value.trim() === value ? value : undefined,
  )
}

/** 32 bytes, in hex or base64. */
export function key256(): Kind<Uint8Array> {
  return kind('32 bytes as 64 hex digits or as base64', (value) => {
    if (/^[0-9a-f]{64}$/i.test(value)) return new Uint8Array(Buffer.from(value, 'hex'))
    if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) return undefined
    const bytes = Buffer.from(value, value.includes('-') || value.includes('_') ? 'base64url' : 'base64')
    return bytes.length === 32 ? new Uint8Array(bytes) : undefined
  })
}
