// Sets of global transaction identifiers, in MySQL 9's text form (`uuid:1-5:7`, with tags `uuid:tag:1-5`), and their arithmetic.
// Values never change; every set has one canonical text. A text that is not understood wholly is refused, never partly read.

/** First and last number of each run of transactions, ascending, neither touching nor overlapping: `[1, 5, 7, 7]`. */
type Runs = readonly number[]

/** By origin: the server's uuid, or `uuid:tag`. No origin is without a run. */
export type GtidSet = ReadonlyMap<string, Runs>

export const EMPTY: GtidSet = new Map()

/** A server that has run for years shows some dozens of runs; a text beyond this is not one of ours. */
export const GTID_TEXT_CHARACTERS_MAX = 1_048_576

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TAG = /^[a-z_][a-z0-9_]{0,31}$/
const RUN = /^(\d{1,19})(?:-(\d{1,19}))?$/

export class GtidSyntaxError extends Error {
  override readonly name = 'GtidSyntaxError'
}

/** Reads what MySQL prints for `gtid_executed`, `Retrieved_Gtid_Set` and the like. */
export function parseGtidSet(text: string): GtidSet {
  if (text.length > GTID_TEXT_CHARACTERS_MAX) throw new GtidSyntaxError(`GTID set of ${text.length} characters`)
  const found = new Map<string, number[][]>()
  for (const part of text.split(',')) {
    const clean = part.replace(/\s+/g, '').toLowerCase()
    if (clean !== '') parseOrigin(clean, found)
  }
  return canonical(found)
}

function parseOrigin(text: string, found: Map<string, number[][]>): void {
  const [uuid = '', ...fields] = text.split(':')
  if (!UUID.test(uuid) || fields.length === 0) throw new GtidSyntaxError(`not a GTID set: "${text.slice(0, 80)}"`)
  let origin = uuid
  let isTagOpen = false
  for (const field of fields) {
    if (TAG.test(field)) {
      if (isTagOpen) throw new GtidSyntaxError(`tag without transactions before "${field}"`)
      origin = `${uuid}:${field}`
      isTagOpen = true
      continue
    }
    const runs = found.get(origin) ?? []
    found.set(origin, runs)
    runs.push(parseRun(field))
    isTagOpen = false
  }
  if (isTagOpen) throw new GtidSyntaxError(`tag without transactions in "${text.slice(0, 80)}"`)
}

function parseRun(text: string): number[] {
  const match = RUN.exec(text)
  if (match === null) throw new GtidSyntaxError(`not a run of transactions: "${text.slice(0, 80)}"`)
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  if (first < 1 || !Number.isSafeInteger(last) || !Number.isSafeInteger(first)) {
    throw new GtidSyntaxError(`transaction number out of range: "${text}"`)
  }
  if (last < first) throw new GtidSyntaxError(`run ends before it begins: "${text}"`)
  return [first, last]
}

function canonical(found: ReadonlyMap<string, readonly number[][]>): GtidSet {
  const set = new Map<string, Runs>()
  for (const [origin, runs] of found) {
    const sorted = [...runs].sort((a, b) => (a[0] as number) - (b[0] as number))
    const merged: number[] = []
    for (const [first, last] of sorted as [number, number][]) append(merged, first, last)
    set.set(origin, merged)
  }
  return set
}

/** Appends a run that begins no earlier than the last one there, joining the two where they touch. */
function append(runs: number[], first: number, last: number): void {
  const end = runs.at(-1)
  if (end !== undefined && first <= end + 1) runs[runs.length - 1] = Math.max(end, last)
  else runs.push(first, last)
}

/** The canonical text: uuids in order, a uuid's untagged transactions first, then its tags in order. */
export function formatGtidSet(set: GtidSet): string {
  const byUuid = new Map<string, string[]>()
  for (const origin of [...set.keys()].sort()) {
    const [uuid = '', tag] = origin.split(':')
    const fields = byUuid.get(uuid) ?? []
    byUuid.set(uuid, fields)
    if (tag !== undefined) fields.push(tag)
    const runs = set.get(origin) as Runs
    for (let at = 0; at < runs.length; at += 2) {
      fields.push(runs[at] === runs[at + 1] ? `${runs[at]}` : `${runs[at]}-${runs[at + 1]}`)
    }
  }
  return [...byUuid].map(([uuid, fields]) => `${uuid}:${fields.join(':')}`).join(',')
}

/** The set of one transaction. */
export function gtid(origin: string, number: number): GtidSet {
  return new Map([[origin, [number, number]]])
}

export function isEmpty(set: GtidSet): boolean {
  return set.size === 0
}

export function union(a: GtidSet, b: GtidSet): GtidSet {
  if (a.size === 0) return b
  if (b.size === 0) return a
  const result = new Map(a)
  for (const [origin, runs] of b) {
    const mine = result.get(origin)
    result.set(origin, mine === undefined ? runs : unionRuns(mine, runs))
  }
  return result
}

function unionRuns(a: Runs, b: Runs): Runs {
  const merged: number[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const isFromA = j >= b.length || (i < a.length && (a[i] as number) <= (b[j] as number))
    if (isFromA) {
      append(merged, a[i] as number, a[i + 1] as number)
      i += 2
    } else {
      append(merged, b[j] as number, b[j + 1] as number)
      j += 2
    }
  }
  return merged
}

/** What is in `a` and not in `b`. */
export function subtract(a: GtidSet, b: GtidSet): GtidSet {
  const result = new Map<string, Runs>()
  for (const [origin, runs] of a) {
    const others = b.get(origin)
    const left = others === undefined ? runs : subtractRuns(runs, others)
    if (left.length > 0) result.set(origin, left)
  }
  return result
}

function subtractRuns(a: Runs, b: Runs): Runs {
  const left: number[] = []
  let j = 0
  for (let i = 0; i < a.length; i += 2) {
    let first = a[i] as number
    const last = a[i + 1] as number
    while (j < b.length && (b[j + 1] as number) < first) j += 2
    for (let k = j; k < b.length && (b[k] as number) <= last && first <= last; k += 2) {
      if ((b[k] as number) > first) left.push(first, (b[k] as number) - 1)
      first = Math.max(first, (b[k + 1] as number) + 1)
    }
    if (first <= last) left.push(first, last)
  }
  return left
}

/** Whether everything in `part` is in `whole`. */
export function contains(whole: GtidSet, part: GtidSet): boolean {
  for (const [origin, runs] of part) {
    const others = whole.get(origin)
    if (others === undefined || !containsRuns(others, runs)) return false
  }
  return true
}

function containsRuns(whole: Runs, part: Runs): boolean {
  let j = 0
  for (let i = 0; i < part.length; i += 2) {
    while (j < whole.length && (whole[j + 1] as number) < (part[i] as number)) j += 2
    if (j >= whole.length || (whole[j] as number) > (part[i] as number)) return false
    if ((whole[j + 1] as number) < (part[i + 1] as number)) return false
  }
  return true
}

export function equals(a: GtidSet, b: GtidSet): boolean {
  return contains(a, b) && contains(b, a)
}
