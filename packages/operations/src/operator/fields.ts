// Reading a configuration file's values: each is checked where it is read, every fault says where it is and what to write, and a key that nobody
// reads is a fault too. For every section of operator.yml.

import { isIP } from 'node:net'
import type { ContentFault } from '@wintrades/platform'

export class Fields {
  readonly #path: string
  readonly #raw: Readonly<Record<string, unknown>>
  readonly #faults: ContentFault[]
  readonly #read = new Set<string>()

  constructor(raw: unknown, path: string, faults: ContentFault[]) {
    this.#path = path
    this.#faults = faults
    const isMap = typeof raw === 'object' && raw !== null && !Array.isArray(raw)
    if (!isMap) faults.push({ path, message: 'must be a map of keys and values; operator.example.yml shows it' })
    this.#raw = isMap ? (raw as Record<string, unknown>) : {}
  }

  has(key: string): boolean {
    return this.#raw[key] !== undefined && this.#raw[key] !== null
  }

  text(key: string, pattern: RegExp, meaning: string, fallback?: string): string {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'string' && pattern.test(value)) return value
    return this.fault(key, `must be ${meaning}${shown(value)}`, '')
  }

  oneOf<const Choice extends string>(key: string, choices: readonly Choice[]): Choice {
    const value = this.#take(key)
    const choice = choices.find((one) => one === value)
    return choice ?? this.fault(key, `must be ${choices.join(' or ')}${shown(value)}`, choices[0] as Choice)
  }

  integer(key: string, min: number, max: number, fallback?: number): number {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    return this.fault(key, `must be a whole number from ${min} to ${max}${shown(value)}`, min)
  }

  host(key: string, fallback?: string): string {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'string' && (isIP(value) > 0 || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/.test(value)))
      return value
    return this.fault(key, `must be a host name or address${shown(value)}`, '')
  }

  path(key: string, fallback?: string): string {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'string' && value !== '' && value.length <= 4_096 && !value.includes('\0')) return value
    return this.fault(key, `must be the path of a file${shown(value)}`, '')
  }

  region(key: string): string {
    return this.text(key, /^[a-z][a-z0-9-]{1,31}$/, 'a region such as us-east')
  }

  /** A map with keys of its own. */
  inner(key: string): Fields {
    return new Fields(this.#take(key), this.#at(key), this.#faults)
  }

  list<Item>(key: string, max: number, read: (fields: Fields) => Item): readonly Item[] {
    const value = this.#take(key)
    if (value === undefined) return []
    if (!Array.isArray(value) || value.length > max) return this.fault(key, `must be a list of at most ${max}`, [])
    return value.map((item, index) => {
      const fields = new Fields(item, `${this.#at(key)}[${index}]`, this.#faults)
      const result = read(fields)
      fields.end()
      return result
    })
  }

  keys(): readonly string[] {
    return Object.keys(this.#raw)
  }

  fault<Value>(key: string, message: string, instead: Value): Value {
    this.#faults.push({ path: this.#at(key), message })
    return instead
  }

  /** Makes an absent key known. */
  optional(key: string): void {
    this.#read.add(key)
  }

  /** To be called last: whatever was not read is not known. */
  end(): void {
    const known = [...this.#read]
    for (const key of this.keys()) {
      if (!this.#read.has(key)) this.fault(key, `is not known here; known are ${known.join(', ')}`, null)
    }
  }

  #take(key: string): unknown {
    this.#read.add(key)
    return this.#raw[key] ?? undefined
  }

  #at(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`
  }
}

function shown(value: unknown): string {
  if (value === undefined) return '; it is missing'
  const text = JSON.stringify(value)
  return `; it is ${text.length > 80 ? `${text.slice(0, 79)}…` : text}`
}
