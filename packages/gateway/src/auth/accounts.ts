// Accounts: registration, log-in, and whether an account has its demo funds. Promises one account per e-mail address and a number of its own
// for each, however many processes register at once, and a record in the audit log of each registration and each log-in that failed.

import { randomUUID } from 'node:crypto'
import { type AccountId, assert, LIMITS } from '@wintrades/domain'
import type { AuditLog } from '../audit/audit-log.ts'
import { ApiFault } from '../errors.ts'
import { type AccountsDatabase, firstOf, numberOf, type Work } from './database.ts'
import { checkPassword, isPasswordLength, type PasswordHasher } from './passwords.ts'
import { NO_ADDRESS } from './principal.ts'
import { type AccountsTables, FIRST_ACCOUNT } from './schema.ts'

export type Account = { readonly userId: string; readonly accountId: AccountId }

const EMAIL_CHARS_MAX = 254
/** A local part without quoting, and a domain with a dot; letters and digits of any script. */
const EMAIL =
  /^[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+[\p{L}\p{N}-]{2,63}$/u

export type AccountsParts = {
  readonly database: AccountsDatabase
  readonly audit: AuditLog
  readonly passwords: PasswordHasher
  readonly now_ms: () => number
}

export class Accounts {
  readonly #database: AccountsDatabase
  readonly #audit: AuditLog
  readonly #passwords: PasswordHasher
  readonly #now_ms: () => number
  /** The hash that an unknown e-mail address is checked against, so that it costs what a wrong password costs. */
  readonly #nobodysHash: string

  private constructor(parts: AccountsParts, nobodysHash: string) {
    this.#database = parts.database
    this.#audit = parts.audit
    this.#passwords = parts.passwords
    this.#now_ms = parts.now_ms
    this.#nobodysHash = nobodysHash
  }

  static async create(parts: AccountsParts): Promise<Accounts> {
    return new Accounts(parts, await parts.passwords.hash(randomUUID()))
  }

  /** `address`: the client's. Throws REQUEST_MALFORMED (e-mail), PASSWORD_TOO_WEAK, EMAIL_TAKEN, OVERLOADED. */
  async register(email: string, password: string, address: string = NO_ADDRESS): Promise<Account> {
    checkEmail(email)
    checkPassword(password, email)
    const key = emailKey(email)
    // Asked before the hash, which is dear, and decided after it.
    if ((await this.#database.first(this.#byEmail(key))) !== undefined) throw new ApiFault('EMAIL_TAKEN')
    const password_hash = await this.#passwords.hash(password)
    const user_id = randomUUID()
    const user = { user_id, email, email_key: key, password_hash, created_ms: this.#now_ms() }
    const account_id = await this.#audit.transaction(
      () => this.#add(user),
      (account) => ({
        principal: 'user',
        account,
        address,
        action: 'register',
        target: `account ${account}`,
        outcome: 'done',
        details: {},
      }),
    )
    return { userId: user_id, accountId: account_id as AccountId }
  }

  /** The account of this e-mail address and password. Throws CREDENTIALS_INVALID, OVERLOADED. */
  async verify(email: string, password: string, address: string = NO_ADDRESS): Promise<Account> {
    if (email.length > EMAIL_CHARS_MAX || !isPasswordLength(password)) throw this.#refused(null, address)
    const user = await this.#database.first(
      this.#database.queries
        .selectFrom('users')
        .select(['account_id', 'user_id', 'password_hash'])
        .where('email_key', '=', emailKey(email)),
    )
    const matches = await this.#passwords.verify(user?.password_hash ?? this.#nobodysHash, password)
    if (user === undefined || !matches) throw this.#refused(user?.account_id ?? null, address)
    return { userId: user.user_id, accountId: user.account_id as AccountId }
  }

  /** Null: there is no such account. */
  async find(accountId: AccountId): Promise<Account | null> {
    const { queries } = this.#database
    const user = await this.#database.first(
      queries.selectFrom('users').select('user_id').where('account_id', '=', accountId),
    )
    return user === undefined ? null : { userId: user.user_id, accountId }
  }

  /** Whether the demo funds have all been given; while not, giving them is tried again under the same transfer ids. */
  async isFunded(accountId: AccountId): Promise<boolean> {
    const query = this.#database.queries.selectFrom('users').select('funded').where('account_id', '=', accountId)
    // Once funded, always funded: a copy that is behind can only say "not yet".
    if ((await this.#database.stale.first(query))?.funded === 1) return true
    const user = await this.#database.first(query)
    assert(user !== undefined, `account ${accountId} is not registered`)
    return user.funded === 1
  }

  async markFunded(accountId: AccountId): Promise<void> {
    const { queries } = this.#database
    const changed = await this.#database.run(
      queries.updateTable('users').set({ funded: 1 }).where('account_id', '=', accountId),
    )
    assert(changed === 1, `account ${accountId} is not registered`)
  }

  *#add(user: NewUser): Work<number> {
    const { queries, dialect } = this.#database
    const taken = yield* firstOf(
      queries.selectFrom('users').select(['account_id', 'user_id']).where('email_key', '=', user.email_key),
    )
    // By an earlier attempt of this very registration, whose answer was lost.
    if (taken?.user_id === user.user_id) return taken.account_id
    if (taken !== undefined) throw new ApiFault('EMAIL_TAKEN')
    const last = yield* firstOf(queries.selectFrom('users').select('account_id').orderBy('account_id', 'desc').limit(1))
    const next = last === undefined ? FIRST_ACCOUNT : last.account_id + 1
    if (next > LIMITS.accounts_max) throw new ApiFault('OVERLOADED', { message: 'There is no room for more accounts.' })
    // MySQL gives the number by itself: a row that everybody had to lock would let one registration pass for each round trip to another region.
    const numbered = dialect === 'sqlite' ? { ...user, account_id: next } : user
    const number = yield* numberOf(queries.insertInto('users').values(numbered))
    assert(number >= FIRST_ACCOUNT && number <= LIMITS.accounts_max, `account number ${number} is out of range`)
    return number
  }

  #byEmail(key: string) {
    return this.#database.queries.selectFrom('users').select('account_id').where('email_key', '=', key)
  }

  /** What was typed as e-mail address is not recorded: it may have been the password. */
  #refused(account: number | null, address: string): ApiFault {
    const fault = new ApiFault('CREDENTIALS_INVALID')
    this.#audit.failure({
      principal: 'nobody',
      account,
      address,
      action: 'log in',
      target: account === null ? 'no account' : `account ${account}`,
      outcome: fault.code,
      details: {},
    })
    return fault
  }
}

type NewUser = Pick<AccountsTables['users'], 'user_id' | 'email' | 'email_key' | 'password_hash' | 'created_ms'>

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
