// Reading a configuration file's values: each is checked where it is read, every fault says where it is and what to write, and a key that nobody
// reads is a fault too. For operator.yml and topology.yml; parsing and line numbers are the caller's.

import { isAddress } from './addresses.ts'

/** A fault of the content: where (`regions[2].name`), and what to write instead. */
export type ContentFault = { readonly path: string; readonly message: string }

export class Fields {
  readonly #path: string
  readonly #raw: Readonly<Record<string, unknown>>
  readonly #faults: ContentFault[]
  readonly #example: string
  readonly #read = new Set<string>()

  /** `example`: the file that shows what may be written. */
  constructor(raw: unknown, path: string, faults: ContentFault[], example: string) {
    this.#path = path
    this.#faults = faults
    this.#example = example
    const isMap = typeof raw === 'object' && raw !== null && !Array.isArray(raw)
    if (!isMap) faults.push({ path, message: `must be a map of keys and values; ${example} shows it` })
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

  oneOf<const Choice extends string>(key: string, choices: readonly Choice[], fallback?: Choice): Choice {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    const choice = choices.find((one) => one === value)
    return choice ?? this.fault(key, `must be ${choices.join(' or ')}${shown(value)}`, choices[0] as Choice)
  }

  integer(key: string, min: number, max: number, fallback?: number): number {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    return this.fault(key, `must be a whole number from ${min} to ${max}${shown(value)}`, min)
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#take(key)
    if (value === undefined) return fallback
    if (typeof value === 'boolean') return value
    return this.fault(key, `must be true or false${shown(value)}`, fallback)
  }

  /** With at most one decimal place, such as 0.5. */
  decimal(key: string, min: number, max: number, fallback: number): number {
    const value = this.#take(key)
    if (value === undefined) return fallback
    if (typeof value === 'number' && value >= min && value <= max && Number.isInteger(value * 10)) return value
    return this.fault(key, `must be a number from ${min} to ${max} with at most one decimal place${shown(value)}`, min)
  }

  /** A list of texts, each once. */
  texts(key: string, max: number, pattern: RegExp, meaning: string): readonly string[] {
    const value = this.#take(key)
    if (value === undefined) return []
    if (!Array.isArray(value) || value.length > max)
      return this.fault(key, `must be a list of at most ${max}, each ${meaning}`, [])
    const isGood = (one: unknown): one is string => typeof one === 'string' && pattern.test(one)
    value.forEach((one, index) => {
      if (!isGood(one)) this.fault(`${key}[${index}]`, `must be ${meaning}${shown(one)}`, null)
      else if (value.indexOf(one) < index) this.fault(`${key}[${index}]`, `is there twice: ${one}`, null)
    })
    return value.filter(isGood)
  }

  host(key: string, fallback?: string): string {
    const value = this.#take(key)
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'string' && (isAddress(value) || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/.test(value)))
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

  /** A map with keys of its own that may be left out altogether. */
  innerOrNone(key: string): Fields {
    return new Fields(this.#take(key) ?? {}, this.#at(key), this.#faults, this.#example)
  }

  /** A map with keys of its own. */
  inner(key: string): Fields {
    return new Fields(this.#take(key), this.#at(key), this.#faults, this.#example)
  }

  list<Item>(key: string, max: number, read: (fields: Fields) => Item): readonly Item[] {
    const value = this.#take(key)
    if (value === undefined) return []
    if (!Array.isArray(value) || value.length > max) return this.fault(key, `must be a list of at most ${max}`, [])
    return value.map((item, index) => {
      const fields = new Fields(item, `${this.#at(key)}[${index}]`, this.#faults, this.#example)
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
