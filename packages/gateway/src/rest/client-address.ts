// The client's own address: that of the connection, or what trusted proxies say in X-Forwarded-For. One rule for REST and streams.

import type { IncomingMessage } from 'node:http'
import { IpAllowList } from '../auth/ip-allow-list.ts'

export type TrustedProxies = (address: string) => boolean

const FORWARDED_CHARS_MAX = 2_048

/** TRUSTED_PROXIES: addresses and networks with commas, or `none`. */
export function trustedProxies(list: string): TrustedProxies {
  if (list === 'none') return () => false
  const trusted = IpAllowList.parse(list.split(','))
  return (address) => trusted.allows(address)
}

/** From the nearest hop outwards, the first that is not a trusted proxy. */
export function clientAddress(request: IncomingMessage, trusted: TrustedProxies): string {
  let address = request.socket.remoteAddress ?? ''
  const header = request.headers['x-forwarded-for'] ?? ''
  const forwarded = (Array.isArray(header) ? header.join(',') : header).slice(-FORWARDED_CHARS_MAX)
  const hops = forwarded.split(',').map((hop) => hop.trim())
  while (hops.length > 0 && trusted(address)) {
    const next = hops.pop() as string
    if (next === '') continue
    address = next
  }
  return address
}
