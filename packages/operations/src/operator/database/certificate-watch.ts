// Certificates as the servers show them: every hour each server takes what was renewed on its disk, and one that comes near its end is spoken of long before.
// Making them is `wintrades db certificates`; bringing them to the servers is the deployment's.

import type { TLSSocket } from 'node:tls'
import { RENEW_DAYS } from '../certificates/authority.ts'
import { pause } from '../reconciler.ts'
import { statement } from './packet.ts'
import type { DatabaseAccess, DatabaseServer } from './server.ts'
import { openConnection, type ServerSession } from './session.ts'

const FIRST_MS = 15_000
const EVERY_MS = 3_600_000
const RELOAD_MS = 5_000
const DAY_MS = 86_400_000

export class CertificateWatch {
  readonly #sessions: readonly ServerSession[]
  readonly #access: DatabaseAccess
  readonly #say: (line: string) => void
  readonly #expiries = new Map<string, Date>()

  constructor(sessions: readonly ServerSession[], access: DatabaseAccess, say: (line: string) => void) {
    this.#sessions = sessions
    this.#access = access
    this.#say = say
  }

  /** When the certificate ends that each server last showed. */
  get expiries(): ReadonlyMap<string, Date> {
    return this.#expiries
  }

  async run(signal: AbortSignal): Promise<void> {
    await pause(FIRST_MS, signal)
    while (!signal.aborted) {
      for (const session of this.#sessions) if (session.observation.isReachable) await this.#look(session, signal)
      await pause(EVERY_MS, signal)
    }
  }

  async #look(session: ServerSession, signal: AbortSignal): Promise<void> {
    const { server } = session
    await session.perform([statement('ALTER INSTANCE RELOAD TLS')], RELOAD_MS)
    const expiresAt = await this.#expiryOf(server, signal)
    if (expiresAt === null) return
    this.#expiries.set(server.name, expiresAt)
    const days = Math.floor((expiresAt.getTime() - Date.now()) / DAY_MS)
    if (days < RENEW_DAYS)
      this.#say(`The certificate of ${server.name} ends in ${days} days: wintrades db certificates renews it`)
  }

  /** Null: it cannot be asked now, which its session says. */
  async #expiryOf(server: DatabaseServer, signal: AbortSignal): Promise<Date | null> {
    try {
      const connection = await openConnection(server, this.#access, signal)
      const { stream } = connection as unknown as { readonly stream: TLSSocket }
      const { valid_to } = stream.getPeerCertificate()
      connection.destroy()
      return new Date(valid_to)
    } catch {
      return null
    }
  }
}
