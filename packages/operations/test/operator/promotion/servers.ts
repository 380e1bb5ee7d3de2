// Servers as an adapter would report them, for examples: three voters that follow `us` with everything in order, and what differs.

import { type GtidSet, gtid, parseGtidSet, type ServerState, type View } from '../../../src/operator/promotion/index.ts'

export const UUIDS = {
  us: '11111111-0000-0000-0000-000000000000',
  eu: '22222222-0000-0000-0000-000000000000',
  ap: '33333333-0000-0000-0000-000000000000',
  us_reader: '44444444-0000-0000-0000-000000000000',
} as const

export type Name = keyof typeof UUIDS
export type Change = Partial<Omit<ServerState, 'channel' | 'semiSync' | 'isReachable'>> & {
  readonly isReachable?: boolean
  readonly channel?: Partial<ServerState['channel']>
  readonly semiSync?: Partial<ServerState['semiSync']>
}

export const FIRST = { number: 1, promoter: 'install' }
const NONE = parseGtidSet('')

/** Transactions `first` to `last` of `us`. */
export function ofUs(first: number, last: number): GtidSet {
  return parseGtidSet(`${UUIDS.us}:${first}-${last}`)
}

export function oneOf(name: Name, number: number): GtidSet {
  return gtid(UUIDS[name], number)
}

export function server(name: Name, change: Change = {}): View['servers'][number] {
  const role = name === 'us_reader' ? 'reader' : 'voter'
  if (change.isReachable === false) return { name, role, isReachable: false }
  const isPrimary = name === 'us'
  const { channel, semiSync, ...rest } = change
  return {
    name,
    role,
    lock: 'free',
    uuid: UUIDS[name],
    life: '1',
    term: FIRST,
    isReadOnly: !isPrimary,
    isSuperReadOnly: !isPrimary,
    owned: NONE,
    received: NONE,
    executed: ofUs(1, 10),
    purged: NONE,
    row: FIRST,
    ...rest,
    isReachable: true,
    semiSync: { source: isPrimary, replica: role === 'voter' && !isPrimary, clients: isPrimary ? 2 : 0, ...semiSync },
    channel: {
      source: isPrimary ? null : 'us',
      receiver: isPrimary ? 'stopped' : 'receiving',
      applier: isPrimary ? 'stopped' : 'running',
      applierError: null,
      ...channel,
    },
  }
}

/** All four, each with what differs. */
export function view(
  changes: Partial<Record<Name, Change>>,
  promoteTo: Name | null = null,
  cloneWanted: Name | null = null,
): View {
  const names = Object.keys(UUIDS) as Name[]
  return { self: 'eu-west/7f3a', servers: names.map((name) => server(name, changes[name])), promoteTo, cloneWanted }
}
