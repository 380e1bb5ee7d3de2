// Limits of accounts and of their API keys: one chain of records per account, the account's own (key 0) among them.
// Everything is 0 until a journaled command sets it, and 0 means "no such limit".

import type { Accounts } from './accounts.ts'
import { ACCOUNT_LAYOUT, LIMIT_LAYOUT } from './layouts.ts'
import { grownFloats } from './order-store.ts'

const { ACCOUNT_SHIFT, LIMITS_FIRST } = ACCOUNT_LAYOUT
const { LIMIT_SHIFT, LIMIT_ACCOUNT, LIMIT_KEY } = LIMIT_LAYOUT

const CHAIN = 2

export class AccountLimits {
  data = new Float64Array(64 << LIMIT_SHIFT)
  count = 0
  private readonly accounts: Accounts

  constructor(accounts: Accounts) {
    this.accounts = accounts
  }

  /** The record of an account's key; 0: there is none. */
  find(account: number, apiKey: number): number {
    let record = this.accounts.limitsOf(account)
    while (record !== 0 && this.data[(record << LIMIT_SHIFT) + LIMIT_KEY] !== apiKey) {
      record = this.data[(record << LIMIT_SHIFT) + CHAIN]
    }
    return record
  }

  /** The next record of the same account; 0: there is none. The first is `Accounts.limitsOf`. */
  nextOf(record: number): number {
    return this.data[(record << LIMIT_SHIFT) + CHAIN]
  }

  /** The record of an account's key, made if it is not there. */
  ensure(account: number, apiKey: number): number {
    const found = this.find(account, apiKey)
    if (found !== 0) return found
    this.accounts.mark(account, 0)
    const record = ++this.count
    if ((record + 1) << LIMIT_SHIFT > this.data.length) this.data = grownFloats(this.data, this.data.length * 2)
    const at = record << LIMIT_SHIFT
    const first = (account << ACCOUNT_SHIFT) + LIMITS_FIRST
    this.data[at + LIMIT_ACCOUNT] = account
    this.data[at + LIMIT_KEY] = apiKey
    this.data[at + CHAIN] = this.accounts.data[first]
    this.accounts.data[first] = record
    return record
  }
}
