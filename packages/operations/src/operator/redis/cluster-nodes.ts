// Reads what `CLUSTER NODES` says: https://redis.io/docs/latest/commands/cluster-nodes/. Pure; refuses what it does not understand.

import { assert } from '@wintrades/domain'

export const SLOTS = 16_384

export type NodeId = string & { readonly __brand: 'NodeId' }

/** One line: a node as another (or itself) sees it. */
export type NodeView = {
  readonly id: NodeId
  /** Empty: unknown. */
  readonly ip: string
  readonly port: number
  readonly isMyself: boolean
  readonly isMaster: boolean
  /** Of a replica. */
  readonly masterId: NodeId | null
  /** `fail`: a majority of masters says so; `maybe`: this one suspects it. */
  readonly failed: 'no' | 'maybe' | 'fail'
  /** Was met, has not answered yet: its id is not its own. */
  readonly isHandshake: boolean
  readonly isLinked: boolean
  readonly configEpoch: number
  /** In order. */
  readonly slots: readonly number[]
  /** Open migrations; only a node itself tells of its own. */
  readonly migrating: ReadonlyMap<number, NodeId>
  readonly importing: ReadonlyMap<number, NodeId>
}

const LINES_MAX = 4_096

export function parseClusterNodes(text: string): NodeView[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  assert(lines.length <= LINES_MAX, 'CLUSTER NODES is longer than any cluster that this manages')
  return lines.map(parseLine)
}

function parseLine(line: string): NodeView {
  const [id = '', address = '', flagsText = '', master = '', , , epoch = '', link = '', ...slotTexts] = line.split(' ')
  assert(/^[0-9a-f]{40}$/.test(id), `CLUSTER NODES names a node ${JSON.stringify(id.slice(0, 60))}`)
  const flags = new Set(flagsText.split(','))
  const place = address.match(/^(.*):(\d+)(?:@\d+)?(?:,.*)?$/)
  const migrating = new Map<number, NodeId>()
  const importing = new Map<number, NodeId>()
  const slots: number[] = []
  for (const text of slotTexts) {
    const open = text.match(/^\[(\d+)-([<>])-([0-9a-f]{40})\]$/)
    if (open !== null) (open[2] === '>' ? migrating : importing).set(Number(open[1]), open[3] as NodeId)
    else slots.push(...parseRange(text))
  }
  return {
    id: id as NodeId,
    ip: place?.[1] ?? '',
    port: Number(place?.[2] ?? 0),
    isMyself: flags.has('myself'),
    isMaster: flags.has('master'),
    masterId: master === '-' || master === '' ? null : (master as NodeId),
    failed: flags.has('fail') ? 'fail' : flags.has('fail?') ? 'maybe' : 'no',
    isHandshake: flags.has('handshake'),
    isLinked: link === 'connected',
    configEpoch: Number(epoch),
    slots,
    migrating,
    importing,
  }
}

function parseRange(text: string): number[] {
  const match = text.match(/^(\d+)(?:-(\d+))?$/)
  assert(match !== null, `CLUSTER NODES has slots ${JSON.stringify(text.slice(0, 60))}`)
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  assert(first <= last && last < SLOTS, `CLUSTER NODES has slots ${text}`)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

/** `[0, 1, 2, 9]` → `[[0, 2], [9, 9]]`; the slots in any order. */
export function slotRanges(slots: readonly number[]): (readonly [number, number])[] {
  const ranges: [number, number][] = []
  for (const slot of [...slots].sort((one, other) => one - other)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === slot - 1) last[1] = slot
    else ranges.push([slot, slot])
  }
  return ranges
}

export function slotText(slots: readonly number[]): string {
  const ranges = slotRanges(slots)
  const shown = ranges.slice(0, 3).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  return ranges.length > 3 ? `${shown.join(',')},… (${slots.length} slots)` : shown.join(',')
}
