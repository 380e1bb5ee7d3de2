// Double entry from the rows that carry it: a trade's postings are in its two executions, those of a movement in its row of `funds`.
// Promises that the postings of an event sum to zero in each asset, once the other accounts' are counted in.

import {
  type AccountId,
  type AssetId,
  assert,
  CommandType,
  type Seq,
  type ShardIndex,
  Side,
  type Timestamp,
} from '@wintrades/domain'
import {
  ACCOUNT_FEES,
  ACCOUNT_IN_FLIGHT,
  ACCOUNT_OUTSIDE,
  type ExecutionsTable,
  type FundsTable,
  PostingKind,
} from './schema.ts'

export type Posting = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly index: number
  /** Tells the postings of one event apart. */
  readonly leg: number
  /** 0 collects fees; −1 is the world outside, −2 what is in flight between shards. */
  readonly account: AccountId
  readonly asset: AssetId
  /** Signed. */
  readonly amount: number
  readonly kind: PostingKind
  readonly timestamp: Timestamp
}

/** Legs of a trade: base and quote of the buyer are 0 and 2, of the seller 1 and 3; the fees of maker and taker 4 and 5. */
const QUOTE_LEG = 2
const FEE_LEG = 4
/** More than any leg. */
export const LEGS_MAX = 6

const MOVEMENTS: Readonly<
  Record<number, { readonly sign: 1 | -1; readonly other: number; readonly kind: PostingKind }>
> = {
  [CommandType.deposit]: { sign: 1, other: ACCOUNT_OUTSIDE, kind: PostingKind.deposit },
  [CommandType.withdraw]: { sign: -1, other: ACCOUNT_OUTSIDE, kind: PostingKind.withdrawal },
  [CommandType.transfer_out]: { sign: -1, other: ACCOUNT_IN_FLIGHT, kind: PostingKind.transfer_out },
  [CommandType.transfer_in]: { sign: 1, other: ACCOUNT_IN_FLIGHT, kind: PostingKind.transfer_in },
}

/** What one side of a trade posts: to its account, and its fee to the account of fees. */
export function postingsOfExecution(row: ExecutionsTable): Posting[] {
  const side = row.side === Side.buy ? 0 : 1
  const { account } = row
  const base = posting(row, side, account, row.base_asset, row.base_amount, PostingKind.trade)
  const quote = posting(row, side + QUOTE_LEG, account, row.quote_asset, row.quote_amount, PostingKind.trade)
  if (row.fee === 0) return [base, quote]
  return [base, quote, posting(row, FEE_LEG + row.taker, ACCOUNT_FEES, row.quote_asset, row.fee, PostingKind.fee)]
}

/** What a movement posts: to its account, and to where the funds came from or went. */
export function postingsOfFunds(row: FundsTable): Posting[] {
  const movement = MOVEMENTS[row.kind]
  assert(movement !== undefined, `funds movement of kind ${row.kind} unknown`)
  const { sign, other, kind } = movement
  return [
    posting(row, 0, row.account, row.asset, row.amount * sign, kind),
    posting(row, 1, other, row.asset, -row.amount * sign, kind),
  ]
}

function posting(
  row: ExecutionsTable | FundsTable,
  leg: number,
  account: number,
  asset: number,
  amount: number,
  kind: PostingKind,
): Posting {
  return {
    shard: row.shard as ShardIndex,
    seq: row.seq as Seq,
    index: row.idx,
    leg,
    account: account as AccountId,
    asset: asset as AssetId,
    amount,
    kind,
    timestamp: row.timestamp as Timestamp,
  }
}
