// Cancel-on-disconnect: knows in which shards each stream has entered orders that end with it, and when the stream ends tells those
// shards, again and again until each has committed it. Orders of this process that outlive the process itself are the venue's to cancel.

import { type AccountId, CommandType, type ShardIndex } from '@wintrades/domain'
import type { CommandHandler, Submission, Venue } from '@wintrades/venue'

type Shard = { readonly shard: ShardIndex; entering: number }
type Session = { readonly number: number; readonly shards: Map<ShardIndex, Shard>; ended: boolean }

const RETRY_MS_FIRST = 50
const RETRY_MS_MAX = 2_000

export class DisconnectCancels {
  readonly #venue: Pick<Venue, 'origin' | 'submit'>
  readonly #sessions = new Map<number, Session>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #closed = false

  constructor(venue: Pick<Venue, 'origin' | 'submit'>) {
    this.#venue = venue
  }

  /** Sessions that still have something to cancel, or may have. */
  get sessionCount(): number {
    return this.#sessions.size
  }

  /** An order is on its way that ends with the session. */
  entered(session: number, shard: ShardIndex): void {
    const known = this.#sessions.get(session) ?? { number: session, shards: new Map(), ended: false }
    this.#sessions.set(session, known)
    const there = known.shards.get(shard) ?? { shard, entering: 0 }
    known.shards.set(shard, there)
    there.entering += 1
  }

  /** The outcome of such an order is known, or will never be. An order that arrived after its session's end is cancelled now. */
  settled(session: number, shard: ShardIndex): void {
    const known = this.#sessions.get(session)
    const there = known?.shards.get(shard)
    if (known === undefined || there === undefined) return
    there.entering -= 1
    if (known.ended && there.entering === 0) this.#cancel(known, there, RETRY_MS_FIRST)
  }

  end(session: number): void {
    const known = this.#sessions.get(session)
    if (known === undefined) return
    known.ended = true
    for (const there of known.shards.values()) this.#cancel(known, there, RETRY_MS_FIRST)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #cancel(session: Session, there: Shard, retry_ms: number): void {
    if (this.#closed) return
    const command: Submission = {
      type: CommandType.cancel_session,
      account: 0 as AccountId,
      targetOrigin: this.#venue.origin,
      session: session.number,
    }
    const again = () => this.#later(retry_ms, () => this.#cancel(session, there, Math.min(retry_ms * 2, RETRY_MS_MAX)))
    const handler: CommandHandler = { committed: () => this.#cancelled(session, there), unknown: again }
    if (this.#venue.submit(there.shard, command, handler) !== 'submitted') again()
  }

  #cancelled(session: Session, there: Shard): void {
    // Orders still on their way may come after this cancel: their own end cancels once more.
    if (there.entering > 0) return
    session.shards.delete(there.shard)
    if (session.shards.size === 0) this.#sessions.delete(session.number)
  }

  #later(delay_ms: number, run: () => void): void {
    if (this.#closed) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, delay_ms)
    this.#timers.add(timer)
  }
}
