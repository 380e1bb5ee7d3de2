// Customers who make and delete API keys and open and renew sessions without pause, and what each was told: for tests that break the database under
// them. What was acknowledged must be there once, what was refused must not be there, and the audit log must say exactly what happened.

import { type KeyObject, randomUUID } from 'node:crypto'
import type { AccountId } from '@wintrades/domain'
import { verifyAudit } from '@wintrades/gateway/audit'
import { expect } from 'vitest'
import { type Auth, PASSWORD } from '../../packages/gateway/test/auth/parts.ts'
import { type LabMysql, until } from './lab/index.ts'

type Account = Awaited<ReturnType<Auth['accounts']['register']>>
type Outcome = { readonly code: string; readonly apiKey?: number }
type Session = { readonly refreshToken: string; readonly code: string }

const WORKERS = [1, 2, 3, 4] as const
const PAUSE_MS = 50
const LIMITS = { timeout_ms: 120_000, every_ms: 50 }
const REFUSALS = 'ACCOUNTS_UNAVAILABLE|OUTCOME_UNKNOWN|OVERLOADED'

export class AccountsLoad {
  /** Of this load: labels and accounts of another one are others. */
  readonly #name: string
  readonly #auth: Auth
  readonly #accounts: readonly Account[]
  /** By the key's label. */
  readonly #keys = new Map<string, Outcome>()
  /** The last session of each worker, by account. */
  readonly #sessions = new Map<AccountId, Session>()
  #isRunning = true
  #workers: readonly Promise<void>[] = []

  private constructor(name: string, auth: Auth, accounts: readonly Account[]) {
    this.#name = name
    this.#auth = auth
    this.#accounts = accounts
  }

  /** Each worker has an account of its own; few registrations: hashing passwords would be all that the machine does. */
  static async start(auth: Auth): Promise<AccountsLoad> {
    const name = randomUUID().slice(0, 8)
    const accounts = await Promise.all(
      WORKERS.map((worker) => auth.accounts.register(`worker-${worker}-${name}@example.com`, PASSWORD)),
    )
    const load = new AccountsLoad(name, auth, accounts)
    load.#workers = accounts.flatMap((account, worker) => [load.#makeKeys(account, worker), load.#renew(account)])
    return load
  }

  /** Keys that were made and deleted. */
  get done(): number {
    return [...this.#keys.values()].filter(({ code }) => code === 'deleted').length
  }

  async more(count: number): Promise<void> {
    const wanted = this.done + count
    await until(`${count} more keys are made and deleted`, () => this.done >= wanted, LIMITS)
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#workers)
  }

  /** Against the server that has everything now. */
  async check(server: LabMysql, schema: string, auditKey: KeyObject): Promise<void> {
    const lists = await Promise.all(this.#accounts.map(({ accountId }) => this.#auth.apiKeys.list(accountId)))
    const there = new Set(lists.flat().map((key) => key.label))
    for (const [label, { code }] of this.#keys) {
      expect(code).toMatch(new RegExp(`^(done|deleted|(create|delete) (${REFUSALS}|KEYS_TOO_MANY))$`))
      if (code === 'done' || code === 'delete ACCOUNTS_UNAVAILABLE')
        expect(there.has(label), `${label}: ${code}`).toBe(true)
      if (code === 'deleted' || code === 'create ACCOUNTS_UNAVAILABLE')
        expect(there.has(label), `${label}: ${code}`).toBe(false)
    }
    const numbers = [...this.#keys].flatMap(([label, { apiKey }]) =>
      apiKey === undefined ? [] : `${label.split(' ')[1]} ${apiKey}`,
    )
    expect(new Set(numbers).size).toBe(numbers.length)
    // A session that was acknowledged last and not renewed since is good.
    for (const [accountId, { refreshToken, code }] of this.#sessions) {
      if (code !== 'done') continue
      const renewed = await this.#auth.sessions.refresh(refreshToken)
      expect((await this.#auth.sessions.verify(renewed.accessToken)).account).toBe(accountId)
    }
    expect((await verifyAudit(this.#auth.database, auditKey)).faults).toEqual([])
    // One record for each that was made; none for what was not done.
    const records = await server.query<{ label: string }>(
      "select json_unquote(json_extract(details, '$.label')) as label from ??.audit where action = 'make API key' having label like ?",
      [schema, `${this.#name} %`],
    )
    const made = new Set(records.map(({ label }) => label))
    expect(made.size).toBe(records.length)
    for (const [label, { apiKey, code }] of this.#keys) {
      if (apiKey !== undefined) expect(made.has(label), label).toBe(true)
      if (code === 'create ACCOUNTS_UNAVAILABLE') expect(made.has(label), label).toBe(false)
    }
  }

  async #makeKeys({ accountId }: Account, worker: number): Promise<void> {
    const { apiKeys } = this.#auth
    for (let i = 0; this.#isRunning; i++) {
      const label = `${this.#name} ${worker} ${i}`
      try {
        const key = await apiKeys.create(accountId, { label, scopes: ['read'] })
        this.#keys.set(label, { code: 'done', apiKey: key.apiKey })
        await apiKeys.delete(accountId, key.keyId)
        this.#keys.set(label, { code: 'deleted', apiKey: key.apiKey })
      } catch (error) {
        const before = this.#keys.get(label)
        this.#keys.set(label, { ...before, code: `${before === undefined ? 'create' : 'delete'} ${codeOf(error)}` })
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }
  }

  /** Renews its session, which is opened anew where the outcome of a renewal is not known. */
  async #renew(account: Account): Promise<void> {
    const { sessions } = this.#auth
    while (this.#isRunning) {
      const last = this.#sessions.get(account.accountId)
      try {
        const { refreshToken } =
          last?.code === 'done' ? await sessions.refresh(last.refreshToken) : await sessions.open(account)
        this.#sessions.set(account.accountId, { refreshToken, code: 'done' })
      } catch (error) {
        const code = codeOf(error)
        expect(code).toMatch(new RegExp(`^(${REFUSALS})$`))
        // Nothing was done, so the token is as good as before.
        if (code === 'OUTCOME_UNKNOWN') this.#sessions.delete(account.accountId)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error)
}
