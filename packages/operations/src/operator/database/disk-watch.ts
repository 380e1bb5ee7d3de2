// Full disks as the servers tell of them in their logs: MySQL waits for room instead of failing, so nothing else says why commits or a replica stand still.
// A standing connection to each server, apart from the session that looks at it: a log is long to read.

import { breakOff } from '@wintrades/platform/mysql'
import type { Connection } from 'mysql2'
import { pause } from '../reconciler.ts'
import type { DatabaseAccess, DatabaseServer } from './server.ts'
import { openConnection, type ServerSession } from './session.ts'

const EVERY_MS = 5_000
const QUESTION_MS = 4_000
/** A server that waits for room says so again only after ten minutes. */
const SAID_AGAIN_MS = 660_000
const TEXT_CHARACTERS_MAX = 160

const COMPLAINT = `
  SELECT DATE_FORMAT(LOGGED, '%Y-%m-%dT%H:%i:%s.%fZ') AS at, DATA AS text FROM performance_schema.error_log
  WHERE LOGGED > NOW(6) - INTERVAL ${SAID_AGAIN_MS / 1_000} SECOND AND PRIO IN ('Error', 'Warning')
    AND (DATA LIKE '%isk is full writing%' OR DATA LIKE '%No space left%' OR DATA LIKE '%error number 28%' OR DATA LIKE 'The table % is full!')
  ORDER BY LOGGED DESC LIMIT 1`

export class DiskWatch {
  readonly #sessions: readonly ServerSession[]
  readonly #access: DatabaseAccess
  readonly #say: (line: string) => void
  readonly #fullAt = new Map<string, Date>()
  readonly #saidAt_ms = new Map<string, number>()

  constructor(sessions: readonly ServerSession[], access: DatabaseAccess, say: (line: string) => void) {
    this.#sessions = sessions
    this.#access = access
    this.#say = say
  }

  /** When each server last said, in the last eleven minutes, that its disk is full. */
  get fullAt(): ReadonlyMap<string, Date> {
    return this.#fullAt
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#sessions.map((session) => this.#watch(session, signal)))
  }

  async #watch({ server }: ServerSession, signal: AbortSignal): Promise<void> {
    let connection: Connection | null = null
    while (!signal.aborted) {
      try {
        connection ??= await openConnection(server, this.#access, signal)
        this.#note(server, await ask(connection))
      } catch {
        // Its session says what keeps it from answering.
        if (connection !== null) breakOff(connection)
        connection = null
      }
      await pause(EVERY_MS, signal)
    }
    if (connection !== null) breakOff(connection)
  }

  #note({ name }: DatabaseServer, complaint: Complaint | null): void {
    const before = this.#fullAt.get(name)
    if (complaint === null) {
      this.#fullAt.delete(name)
      return
    }
    const at = new Date(complaint.at)
    this.#fullAt.set(name, at)
    const said_ms = this.#saidAt_ms.get(name) ?? Number.NEGATIVE_INFINITY
    if (before?.getTime() === at.getTime() || performance.now() - said_ms < SAID_AGAIN_MS) return
    this.#saidAt_ms.set(name, performance.now())
    const text = complaint.text.trim().slice(0, TEXT_CHARACTERS_MAX)
    this.#say(`The disk of ${name} is full ("${text}"): make room, or move the primary; see docs/runbooks/full-disk.md`)
  }
}

type Complaint = { readonly at: string; readonly text: string }

function ask(connection: Connection): Promise<Complaint | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), QUESTION_MS)
    connection.query(COMPLAINT, (error, rows) => {
      clearTimeout(timer)
      if (error !== null) reject(error)
      else resolve((rows as Complaint[])[0] ?? null)
    })
  })
}
