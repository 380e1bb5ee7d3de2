// Addresses and networks of IPv4 and IPv6 as numbers, written and read exactly: this package has no Node to ask.

export type Address = { readonly version: 4 | 6; readonly value: bigint }
export type Network = Address & { readonly length: number }

export const BITS = { 4: 32, 6: 128 } as const

/** null: it is no address. */
export function parseAddress(text: string): Address | null {
  if (text.includes(':')) return parseVersion6(text)
  const value = parseVersion4(text)
  return value === null ? null : { version: 4, value }
}

export function isAddress(text: string): boolean {
  return parseAddress(text) !== null
}

/** null: it is no network in its shortest form, such as 10.0.0.0/8: bits behind the prefix must be zero. */
export function parseNetwork(text: string): Network | null {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text)
  const address = match?.[1] === undefined ? null : parseAddress(match[1])
  const length = Number(match?.[2])
  if (address === null || length > BITS[address.version]) return null
  const rest = BigInt(BITS[address.version] - length)
  return (address.value >> rest) << rest === address.value ? { ...address, length } : null
}

export function formatNetwork({ version, value, length }: Network): string {
  return `${formatAddress({ version, value })}/${length}`
}

export function overlap(one: Network, other: Network): boolean {
  if (one.version !== other.version) return false
  const rest = BigInt(BITS[one.version] - Math.min(one.length, other.length))
  return one.value >> rest === other.value >> rest
}

function formatAddress({ version, value }: Address): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  // What is left out is the longest run of zeros (RFC 5952).
  const whole = groups.join(':')
  const runs = [...whole.matchAll(/(?:^|:)(?:0(?::|$)){2,}/g)].map(([run]) => run)
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '')
  return longest === '' ? whole : whole.replace(longest, '::')
}

function parseVersion4(text: string): bigint | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function parseVersion6(text: string): Address | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head, tail] = halves.map(groupsOf)
  if (head === undefined || head === null || tail === null) return null
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...(tail ?? [])]
  return { version: 6, value: groups.reduce((value, group) => (value << 16n) | group, 0n) }
}

/** The last group may be an IPv4 address, which is two. */
function groupsOf(text: string): readonly bigint[] | null {
  if (text === '') return []
  const groups: bigint[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1 && part.includes('.') ? parseVersion4(part) : null
    if (last !== null) groups.push(last >> 16n, last & 0xffffn)
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`))
    else return null
  }
  return groups
}
