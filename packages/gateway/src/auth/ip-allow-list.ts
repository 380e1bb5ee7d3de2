// The addresses and networks that an API key may be used from. IPv4 written as IPv6 (::ffff:1.2.3.4) is IPv4, in lists and addresses.

import ipaddr from 'ipaddr.js'
import { ApiFault } from '../errors.ts'

export const IP_ALLOW_LIST_MAX = 32
const ENTRY_CHARS_MAX = 64
/** Bits before the IPv4 address in an IPv4-mapped IPv6 address. */
const MAPPED_PREFIX_BITS = 96

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

export class IpAllowList {
  readonly #networks: readonly Network[]

  private constructor(networks: readonly Network[]) {
    this.#networks = networks
  }

  /** Addresses or CIDR networks. Throws REQUEST_MALFORMED, which names the entry. */
  static parse(entries: readonly string[]): IpAllowList {
    if (entries.length > IP_ALLOW_LIST_MAX) {
      throw malformed(
        `An API key has at most ${IP_ALLOW_LIST_MAX} addresses and networks.`,
        `must be at most ${IP_ALLOW_LIST_MAX} addresses and networks`,
      )
    }
    return new IpAllowList(entries.map(networkOf))
  }

  /** An empty list allows every address. */
  allows(address: string): boolean {
    if (this.#networks.length === 0) return true
    if (!ipaddr.isValid(address)) return false
    const client = ipaddr.process(address)
    return this.#networks.some(([network, bits]) => client.kind() === network.kind() && client.match(network, bits))
  }
}

function networkOf(entry: string): Network {
  const [text = '', bitsText, ...rest] = entry.split('/')
  const isAddress = ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(':') && ipaddr.IPv6.isValid(text))
  if (entry.length > ENTRY_CHARS_MAX || !isAddress || text.includes('%') || rest.length > 0) throw malformedEntry(entry)
  const written = ipaddr.parse(text)
  const address = ipaddr.process(text)
  const bits_max = written.kind() === 'ipv4' ? 32 : 128
  if (bitsText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bitsText)) throw malformedEntry(entry)
  const bits = bitsText === undefined ? bits_max : Number(bitsText)
  if (bits > bits_max) throw malformedEntry(entry)
  if (written.kind() === address.kind()) return [address, bits]
  if (bits < MAPPED_PREFIX_BITS) throw malformedEntry(entry)
  return [address, bits - MAPPED_PREFIX_BITS]
}

function malformedEntry(entry: string): ApiFault {
  const shown = entry.slice(0, ENTRY_CHARS_MAX)
  return malformed(
    'An entry of ipAllowList is neither an address nor a network such as 203.0.113.0/24.',
    `has ${shown}, which is neither an address nor a network such as 203.0.113.0/24`,
  )
}

function malformed(message: string, problem: string): ApiFault {
  return new ApiFault('REQUEST_MALFORMED', { message, details: [{ path: 'ipAllowList', message: problem }] })
}
