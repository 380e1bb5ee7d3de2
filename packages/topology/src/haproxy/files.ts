// Where the load balancer's files are: in the repository, and in its container.

export const HAPROXY_FILE = 'deployment/haproxy/haproxy.cfg'
export const DOOR_FILE = 'deployment/haproxy/operations-door.cfg'

export type MapName = 'continents-4' | 'continents-6' | 'regions' | 'networks' | 'overrides'

export const MAPS: readonly MapName[] = ['continents-4', 'continents-6', 'regions', 'networks', 'overrides']

/** Made by `wintrades geo update`, not from the topology. */
export const GEO_MAPS = { 4: 'continents-4', 6: 'continents-6' } as const

export function mapFileOf(name: MapName): string {
  return `deployment/haproxy/maps/${name}.map`
}

/** Inside the container. */
export const HAPROXY_LAYOUT = {
  configuration: '/usr/local/etc/haproxy/haproxy.cfg',
  maps: '/etc/wintrades/maps',
  /** Of the main name: certificate, intermediates, key. */
  certificate: '/run/secrets/public.pem',
  /** A section `userlist operations`. */
  users: '/run/secrets/users.cfg',
  /** Memory that the load balancer and the operations door of a node share: sockets of what is for people and scripts. */
  sockets: '/run/wintrades/operations',
} as const

export function mapPathOf(name: MapName): string {
  return `${HAPROXY_LAYOUT.maps}/${name}.map`
}

export type OperationsSocket = 'stats' | 'operator' | 'prometheus'

export function socketOf(name: OperationsSocket): string {
  return `unix@${HAPROXY_LAYOUT.sockets}/${name}.sock`
}
