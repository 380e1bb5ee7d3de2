// A small commit on the primary where none comes by itself: an acknowledgement lost with its connection is made good only by the next one, and what a
// restarted primary shows is settled only by a commit on top. Made in a connection of its own, as it may wait for ever. Never where nobody acknowledges:
// it would only be a transaction too many.

import { breakOff } from '@wintrades/platform/mysql'
import type { Connection } from 'mysql2'
import {
  isEmpty,
  isReachable,
  primaryOf,
  rowNumber,
  type ServerState,
  type View,
  votersOf,
} from '../promotion/index.ts'
import type { DatabaseAccess, DatabaseServer } from './server.ts'
import { openConnection } from './session.ts'

/** A commit of clients that waits for longer than a round trip takes is helped. */
const WAITING_MS = 600
const EVERY_MS = 60_000

export class Pulse {
  readonly #access: DatabaseAccess
  readonly #closing = new AbortController()
  #isBeating = false
  #connection: Connection | null = null
  /** Waits no longer for the beat under way. */
  #letGo: () => void = () => {}
  #beatenTerm = 0
  #beaten_ms = Number.NEGATIVE_INFINITY
  #waiting: { readonly server: string; readonly since_ms: number } | null = null

  constructor(access: DatabaseAccess) {
    this.#access = access
  }

  /** Starts a beat where one is due; does not wait for it. */
  beat(view: View, isCalm: boolean, servers: readonly DatabaseServer[]): void {
    const primary = primaryOf(view)
    if (primary === null || !isCalm || !isAcknowledged(view, primary)) {
      this.#waiting = null
      return
    }
    const now_ms = performance.now()
    if (isEmpty(primary.owned)) this.#waiting = null
    else this.#waiting ??= { server: primary.name, since_ms: now_ms }
    const isWaiting = this.#waiting !== null && now_ms - this.#waiting.since_ms > WAITING_MS
    const isDue = rowNumber(primary) !== this.#beatenTerm || isWaiting || now_ms - this.#beaten_ms > EVERY_MS
    const server = servers.find((one) => one.name === primary.name)
    if (!isDue || server === undefined) return
    // One that waits at a former primary would keep the new one without any.
    if (this.#isBeating && rowNumber(primary) !== this.#beatenTerm) this.#letGo()
    else if (this.#isBeating) return
    this.#beatenTerm = rowNumber(primary)
    this.#beaten_ms = now_ms
    this.#waiting = null
    void this.#beatOnce(server)
  }

  close(): void {
    this.#closing.abort()
    if (this.#connection !== null) breakOff(this.#connection)
  }

  async #beatOnce(server: DatabaseServer): Promise<void> {
    this.#isBeating = true
    try {
      const connection = await openConnection(server, this.#access, this.#closing.signal)
      this.#connection = connection
      await new Promise<void>((resolve) => {
        connection.on('end', resolve)
        connection.on('error', () => resolve())
        this.#letGo = resolve
        // Whatever comes of it: the next beat is made where one is due.
        connection.query(
          `INSERT INTO wintrades_operator.pulse (id, number, at) VALUES (1, 1, UTC_TIMESTAMP(3))
            ON DUPLICATE KEY UPDATE number = number + 1, at = UTC_TIMESTAMP(3)`,
          () => resolve(),
        )
      })
      breakOff(connection)
    } catch {
      // The server is gone: its session says so.
      this.#beatenTerm = 0
    } finally {
      this.#connection = null
      this.#isBeating = false
    }
  }
}

/** Whether a voter that answers hears the primary: then a commit is acknowledged, sooner or later. */
function isAcknowledged(view: View, primary: ServerState): boolean {
  const hears = ({ channel }: ServerState) => channel.source === primary.name && channel.receiver === 'receiving'
  return (
    view.servers.filter(isReachable).length > 1 && votersOf(view).some((voter) => voter !== primary && hears(voter))
  )
}
