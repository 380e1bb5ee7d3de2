// What the main thread and the archiver's thread say to each other.

import type { Markets, ShardIndex } from '@wintrades/domain'
import type { LogLevel } from '@wintrades/platform'
import type { JournalPlace } from '@wintrades/venue'

export type ArchiverThreadOptions = {
  readonly region: string
  readonly markets: Markets
  readonly dataDirectory: string
  readonly journal: JournalPlace
  readonly logLevel: LogLevel
}

export type ToArchiver =
  | { readonly kind: 'leading'; readonly shards: readonly ShardIndex[] }
  /** For how much of the time it may work, 0…1: more than 0. */
  | { readonly kind: 'share'; readonly share: number }
  | { readonly kind: 'stop' }
