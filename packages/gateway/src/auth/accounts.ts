// Accounts: registration, log-in, and whether an account has its demo funds. Promises one account per e-mail address and account
// numbers in sequence, however many processes register at once.

import { randomUUID } from 'node:crypto'
import { type AccountId, assert, LIMITS } from '@wintrades/domain'
import { ApiFault } from '../errors.ts'
import type { AccountsDatabase } from './database.ts'
import { checkPassword, isPasswordLength, type PasswordHasher } from './passwords.ts'

/** Below are numbers that the platform keeps for itself. */
export const FIRST_ACCOUNT = 1_001

export type Account = { readonly userId: string; readonly accountId: AccountId }

const EMAIL_CHARS_MAX = 254
/** A local part without quoting, and a domain with a dot; letters and digits of any script. */
const EMAIL =
  /^[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+[\p{L}\p{N}-]{2,63}$/u

export type AccountsParts = {
  readonly database: AccountsDatabase
  readonly passwords: PasswordHasher
  readonly now_ms: () => number
}

export class Accounts {
  readonly #database: AccountsDatabase
  readonly #passwords: PasswordHasher
  readonly #now_ms: () => number
  /** The hash that an unknown e-mail address is checked against, so that it costs what a wrong password costs. */
  readonly #nobodysHash: string

  private constructor(parts: AccountsParts, nobodysHash: string) {
    this.#database = parts.database
    this.#passwords = parts.passwords
    this.#now_ms = parts.now_ms
    this.#nobodysHash = nobodysHash
  }

  static async create(parts: AccountsParts): Promise<Accounts> {
    return new Accounts(parts, await parts.passwords.hash(randomUUID()))
  }

  /** Throws REQUEST_MALFORMED (e-mail), PASSWORD_TOO_WEAK, EMAIL_TAKEN, OVERLOADED. */
  async register(email: string, password: string): Promise<Account> {
    checkEmail(email)
    checkPassword(password, email)
    const key = emailKey(email)
    // Asked before the hash, which is dear, and decided after it.
    if (this.#isTaken(key)) throw new ApiFault('EMAIL_TAKEN')
    const password_hash = await this.#passwords.hash(password)
    const user_id = randomUUID()
    const { queries } = this.#database
    const account_id = this.#database.transaction(() => {
      if (this.#isTaken(key)) throw new ApiFault('EMAIL_TAKEN')
      const last = this.#database.first(
        queries.selectFrom('users').select('account_id').orderBy('account_id', 'desc').limit(1),
      )
      const next = last === undefined ? FIRST_ACCOUNT : last.account_id + 1
      if (next > LIMITS.accounts_max)
        throw new ApiFault('OVERLOADED', { message: 'There is no room for more accounts.' })
      const user = { account_id: next, user_id, email, email_key: key, password_hash, created_ms: this.#now_ms() }
      this.#database.run(queries.insertInto('users').values(user))
      return next
    })
    return { userId: user_id, accountId: account_id as AccountId }
  }

  /** The account of this e-mail address and password. Throws CREDENTIALS_INVALID, OVERLOADED. */
  async verify(email: string, password: string): Promise<Account> {
    if (email.length > EMAIL_CHARS_MAX || !isPasswordLength(password)) throw new ApiFault('CREDENTIALS_INVALID')
    const user = this.#database.first(
      this.#database.queries
        .selectFrom('users')
        .select(['account_id', 'user_id', 'password_hash'])
        .where('email_key', '=', emailKey(email)),
    )
    const matches = await this.#passwords.verify(user?.password_hash ?? this.#nobodysHash, password)
    if (user === undefined || !matches) throw new ApiFault('CREDENTIALS_INVALID')
    return { userId: user.user_id, accountId: user.account_id as AccountId }
  }

  /** Null: there is no such account. */
  async find(accountId: AccountId): Promise<Account | null> {
    const { queries } = this.#database
    const user = this.#database.first(queries.selectFrom('users').select('user_id').where('account_id', '=', accountId))
    return user === undefined ? null : { userId: user.user_id, accountId }
  }

  /** Whether the demo funds have all been given; while not, giving them is tried again under the same transfer ids. */
  async isFunded(accountId: AccountId): Promise<boolean> {
    const { queries } = this.#database
    const user = this.#database.first(queries.selectFrom('users').select('funded').where('account_id', '=', accountId))
    assert(user !== undefined, `account ${accountId} is not registered`)
    return user.funded === 1
  }

  async markFunded(accountId: AccountId): Promise<void> {
    const { queries } = this.#database
    const changed = this.#database.run(
      queries.updateTable('users').set({ funded: 1 }).where('account_id', '=', accountId),
    )
    assert(changed === 1, `account ${accountId} is not registered`)
  }

  #isTaken(key: string): boolean {
    const { queries } = this.#database
    const users = queries.selectFrom('users').select('account_id').where('email_key', '=', key)
    return this.#database.first(users) !== undefined
  }
}

function checkEmail(email: string): void {
  if (email.length <= EMAIL_CHARS_MAX && EMAIL.test(email)) return
  throw new ApiFault('REQUEST_MALFORMED', {
    message: `The e-mail address is not of the form name@domain, or longer than ${EMAIL_CHARS_MAX} characters.`,
    details: [{ path: 'email', message: `must be of the form name@domain, at most ${EMAIL_CHARS_MAX} characters` }],
  })
}

/** Upper and lower case are the same mailbox. */
function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase()
}
