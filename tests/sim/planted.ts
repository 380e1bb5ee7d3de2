// Faults put into the ports on purpose, each one a promise broken. A simulation that does not find these finds nothing.

import type { Epoch, Timestamp } from '@wintrades/domain'
import type { CheckName } from '@wintrades/operations/drill'
import { type AppendResult, type Clock, type Journal, MemoryJournalStore, type Transport } from '@wintrades/venue'
import type { ClusterFaults } from './cluster.ts'
import type { Scheduler } from './scheduler.ts'
import { UncheckedStore } from './unchecked-store.ts'

export type Planted = {
  readonly what: string
  readonly faults: ClusterFaults
  /** What brings it to light, where that is a rare thing to happen. */
  readonly nemesis?: readonly string[]
  /** The check that has to name it. */
  readonly caughtBy: CheckName | 'liveness' | 'sent_once'
}

/** Any epoch will do. */
class UnfencedStore extends MemoryJournalStore {
  override append(_epoch: Epoch, batch: Uint8Array): AppendResult {
    return super.append(this.readLease().epoch, batch)
  }
}

const LOST = 0.02
const FORGETTING_US = 300_000
const MORE_THAN_A_DAY_US = 25 * 60 * 60 * 1_000_000
const REPEATS = 4
const REPEATED_US_MAX = 2_000_000
const LAST_EPOCH = 2
/** What one primary shows, the next does not have. */
const VANISHING = ['database_fail_over', 'database_outage']
/** The kind of frame that carries commands. */
const COMMANDS = 1

function withAppend(journal: Journal, append: Journal['append']): Journal {
  return change(journal, { append })
}

/** The same journal but for some of its methods. */
function change(journal: Journal, methods: Partial<Journal>): Journal {
  return {
    appendsInFlight_max: journal.appendsInFlight_max,
    readLease: () => journal.readLease(),
    claim: (claim) => journal.claim(claim),
    renew: (epoch, ttl_ms) => journal.renew(epoch, ttl_ms),
    release: (epoch, reservedFor, pinned) => journal.release(epoch, reservedFor, pinned),
    append: (epoch, batch) => journal.append(epoch, batch),
    read: (from, bytesMax) => journal.read(from, bytesMax),
    extent: () => journal.extent(),
    prune: (through) => journal.prune(through),
    close: () => journal.close(),
    ...methods,
  }
}

/** Now and then more than a day passes at once, and with it what the engine remembers of client order ids. */
function forgetful(clock: Clock, scheduler: Scheduler): Clock {
  const start_us = scheduler.now_us
  const days = () => Math.floor((scheduler.now_us - start_us) / FORGETTING_US)
  return { ...clock, now_us: () => (clock.now_us() + days() * MORE_THAN_A_DAY_US) as Timestamp }
}

/** Commands that were sent to one leader come once more to the next, though the first has carried them out. */
function repeating(transport: Transport, scheduler: Scheduler): Transport {
  return {
    regions: transport.regions,
    start: (listener) => transport.start(listener),
    isGone: (process) => transport.isGone(process),
    isDeserted: (region) => transport.isDeserted(region),
    close: () => transport.close(),
    send: (origin, parts) => {
      const again = ofNextEpoch(parts)
      for (let i = 0; again !== null && i < REPEATS; i++) {
        scheduler.after(scheduler.random.below(REPEATED_US_MAX), () => transport.send(origin, again))
      }
      return transport.send(origin, parts)
    },
  }
}

/** null: these parts are no commands. Laid out as in the venue's `links/frames.ts`. */
function ofNextEpoch([header, ...records]: readonly Uint8Array[]): readonly Uint8Array[] | null {
  if (header === undefined) return null
  const copy = header.slice()
  const view = new DataView(copy.buffer)
  const epoch = view.getFloat64(8, true)
  if (view.getUint8(0) !== COMMANDS) return null
  view.setFloat64(8, epoch + 1, true)
  return [copy, ...records]
}

export const PLANTED: readonly Planted[] = [
  {
    what: 'a batch is acknowledged while it is still on its way to the journal',
    faults: {
      journal: (journal) =>
        withAppend(journal, async (epoch, batch) => {
          // The fault itself: whether it is stored, or fails, nobody waits to hear.
          void Promise.allSettled([journal.append(epoch, batch)])
          return 'committed'
        }),
    },
    caughtBy: 'durable_first',
  },
  {
    what: 'a batch is acknowledged and never stored',
    faults: {
      journal: (journal, { random }) =>
        withAppend(journal, async (epoch, batch) =>
          random.chance(LOST) ? 'committed' : await journal.append(epoch, batch),
        ),
    },
    caughtBy: 'acknowledged_once',
  },
  {
    what: 'the journal takes batches of an epoch that is over',
    faults: { store: (now_us) => new UnfencedStore(now_us) },
    caughtBy: 'replicas_agree',
  },
  {
    what: 'the journal takes any batch of anybody',
    faults: { store: (now_us) => new UncheckedStore(now_us) },
    caughtBy: 'one_writer_per_epoch',
  },
  {
    what: 'client order ids are forgotten and commands take effect again',
    faults: { clock: forgetful },
    caughtBy: 'acknowledged_once',
  },
  {
    what: 'commands are sent again without waiting for what became of them',
    faults: { transport: repeating },
    caughtBy: 'sent_once',
  },
  {
    what: 'batches are read that no other server has acknowledged',
    faults: { replicated: { readUnsettled: true } },
    nemesis: VANISHING,
    caughtBy: 'durable_first',
  },
  {
    what: 'a batch is acknowledged because it is found on a server that has just become the primary',
    faults: { replicated: { foundIsCommitted: true } },
    nemesis: VANISHING,
    caughtBy: 'durable_first',
  },
  {
    what: 'what stands behind a gap stays there when another leads',
    faults: { replicated: { keepBehindGap: true } },
    caughtBy: 'liveness',
  },
  {
    what: 'a leader begins while appends of the one before it are under way',
    faults: { replicated: { claimAtOnce: true } },
    caughtBy: 'liveness',
  },
  {
    what: 'nobody can lead a shard after its second epoch',
    faults: {
      journal: (journal) =>
        change(journal, { claim: async (claim) => (claim.seen >= LAST_EPOCH ? null : await journal.claim(claim)) }),
    },
    caughtBy: 'liveness',
  },
]
