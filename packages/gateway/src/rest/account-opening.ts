// What an account gets when it is opened: its default limits in every shard, and demo funds in paper mode. Promises that both happen
// once, that limits are in force before the first money is, and that what was interrupted is finished at a later log-in.

import {
  type AccountId,
  type Amount,
  assert,
  CommandType,
  LIMITS,
  type Markets,
  parseDecimal,
  RejectCode,
  type Shard,
} from '@wintrades/domain'
import type { HistoryReader } from '@wintrades/marketdata'
import type { Config } from '@wintrades/platform'
import type { Venue } from '@wintrades/venue'
import type { Accounts } from '../auth/accounts.ts'
import { demoDeposits } from './demo-funds.ts'
import { Refusal, type Settled, settle } from './funds-commands.ts'

export type AccountOpeningParts = {
  readonly config: Pick<Config, 'tradingMode' | 'riskLimit_ppm' | 'maxPositionSize'>
  readonly markets: Markets
  readonly venue: Venue
  readonly history: HistoryReader
  readonly accounts: Accounts
}

export class AccountOpening {
  readonly #parts: AccountOpeningParts

  constructor(parts: AccountOpeningParts) {
    this.#parts = parts
  }

  /** For an account that was just registered. Throws what a command can end with, such as OUTCOME_UNKNOWN. */
  async open(account: AccountId): Promise<void> {
    const { accounts, config, markets } = this.#parts
    await Promise.all(markets.shards.map((shard) => this.#limit(shard, account)))
    if (config.tradingMode === 'paper') await Promise.all(markets.shards.map((shard) => this.#fund(shard, account)))
    await accounts.markFunded(account)
  }

  /** At a log-in: finishes an opening that was interrupted. */
  async finish(account: AccountId): Promise<void> {
    if (!(await this.#parts.accounts.isFunded(account))) await this.open(account)
  }

  async #limit(shard: Shard, account: AccountId): Promise<void> {
    const { config, venue, markets } = this.#parts
    if (config.riskLimit_ppm === null && config.maxPositionSize === null) return
    const { code } = await settle(venue, shard.index, {
      type: CommandType.set_account_limits,
      account,
      apiKey: 0,
      positionValueMax: amountInQuotes(markets, shard, config.maxPositionSize),
      riskLimit_ppm: config.riskLimit_ppm ?? 0,
      orderNotionalMax: 0 as Amount,
      openOrdersMax: 0,
      ordersPerSecondMax: 0,
      dailyLossMax: 0 as Amount,
      drawdownMax: 0 as Amount,
    })
    assert(code === RejectCode.none, `the limits of account ${account} were refused with code ${code}`)
  }

  async #fund(shard: Shard, account: AccountId): Promise<void> {
    const { markets, venue, history } = this.#parts
    const deposits = demoDeposits(markets).filter((deposit) => deposit.shard === shard)
    const settled = deposits.map(async ({ asset, transferId }): Promise<readonly [Settled, typeof asset] | null> => {
      // The engine remembers a transfer id for a day; history, for good.
      const given = await history.fundsByTransferId(account, transferId)
      if (given.some((one) => one.shard === shard.index)) return null
      const { id, paperFunds } = asset
      const submission = { type: CommandType.deposit, account, asset: id, amount: paperFunds, transferId } as const
      return [await settle(venue, shard.index, submission), asset]
    })
    for (const result of await Promise.all(settled)) {
      if (result !== null && result[0].code !== RejectCode.none) throw new Refusal(...result)
    }
  }
}

/**
 * A limit in the smallest units of a shard's quote assets; "0" and null are none. The engine has one number for all instruments of a shard; where
 * their quote assets are kept to different scales, the coarsest decides, so that none is allowed more than was configured.
 */
export function amountInQuotes(markets: Markets, shard: Shard, size: string | null): Amount {
  if (size === null || !/[1-9]/.test(size)) return 0 as Amount
  const scale = Math.min(
    ...markets.instruments.filter((one) => one.shard === shard.index).map(({ quote }) => quote.scale),
  )
  const [whole = '0', fraction = ''] = size.split('.')
  const kept = fraction.slice(0, scale)
  const parsed = parseDecimal(`${whole.replace(/^0+(?=\d)/, '')}${kept === '' ? '' : `.${kept}`}`, scale)
  // Beyond 2^53 nothing can be traded anyway; and 0 would be no limit, where the smallest unit is as strict as can be.
  return (parsed.ok ? Math.max(1, parsed.value) : LIMITS.amount_max) as Amount
}
