// What crosses between the main thread and the venue's thread. Buffers are transferred, not copied.

import type { Markets, RegionName, ShardIndex } from '@wintrades/domain'
import type { LogLevel } from '@wintrades/platform'
import type { At, CommittedBatch, VenueStatus } from '../api.ts'
import type { Question } from '../core.ts'
import type { JournalPlace } from '../journal/open.ts'
import type { Peer } from '../links/address-book.ts'
import type { LinkTlsFiles } from '../links/tls.ts'
import type { Timing } from '../shard-node.ts'

export type VenueThreadOptions = {
  readonly region: RegionName
  readonly origin: number
  readonly markets: Markets
  readonly journal: JournalPlace
  readonly linkHost: string
  readonly linkPort: number
  readonly peers: readonly Peer[]
  readonly linkKey: Uint8Array
  /** null: links are not encrypted. */
  readonly linkTls: LinkTlsFiles | null
  readonly logLevel: LogLevel
  readonly timing?: Partial<Timing>
}

export type ToVenue =
  | {
      readonly kind: 'commands'
      readonly shard: ShardIndex
      readonly records: Uint8Array
      readonly first: number
      readonly count: number
    }
  | { readonly kind: 'forget'; readonly shard: ShardIndex; readonly through: number }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  | { readonly kind: 'hand_over'; readonly id: number; readonly shard: ShardIndex; readonly to: RegionName }
  | { readonly kind: 'close'; readonly id: number }

export type FromVenue =
  | { readonly kind: 'ready'; readonly status: VenueStatus }
  | { readonly kind: 'status'; readonly status: VenueStatus }
  | { readonly kind: 'batch'; readonly batch: CommittedBatch; readonly outcomes: Float64Array }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: At<unknown> | null }
  | { readonly kind: 'refused'; readonly id: number; readonly name: string; readonly message: string }
