// Why the engine refuses a command. Ranges by module; a code never changes its meaning. The gateway's catalogue gives each
// its text, HTTP status and WebSocket and Binance codes.

export const RejectCode = {
  none: 0,

  // 100–199: the order's own shape
  instrument_unknown: 100,
  price_out_of_range: 101,
  quantity_out_of_range: 102,
  notional_too_small: 103,
  notional_too_large: 104,
  order_type_not_supported: 105,
  time_in_force_not_supported: 106,
  stop_price_out_of_range: 107,
  display_quantity_invalid: 108,
  minimum_quantity_invalid: 109,
  expire_time_invalid: 110,
  trailing_offset_invalid: 111,
  order_list_invalid: 112,

  // 200–299: the market's state
  market_closed: 200,
  market_halted: 201,
  post_only_would_match: 202,
  no_liquidity: 203,
  would_trigger_immediately: 204,
  self_trade_prevented: 205,

  // 300–399: funds
  account_unknown: 300,
  funds_insufficient: 301,
  amount_out_of_range: 302,
  asset_unknown: 303,
  supply_limit: 304,

  // 400–499: risk rules
  account_blocked: 400,
  instrument_blocked: 401,
  shard_blocked: 402,
  position_limit: 403,
  risk_limit: 404,
  order_size_limit: 405,
  open_orders_limit: 406,
  order_rate_limit: 407,
  price_band: 408,
  daily_loss_limit: 409,
  drawdown_limit: 410,
  duplicate_order_guard: 411,
  reduce_only: 412,

  // 500–599: an order that a command names
  order_unknown: 500,
  order_not_open: 501,
  order_of_other_account: 502,
  replace_below_filled: 503,
  replace_not_supported: 504,

  // 600–699: transfers
  transfer_shard_unknown: 600,
  /** A transfer in whose number is not the next one: the earlier ones come first. */
  transfer_out_of_order: 601,

  // 700–799: the shard
  capacity_exhausted: 700,
  version_not_supported: 701,
  definition_conflict: 702,
  command_not_permitted: 703,
} as const
export type RejectCode = (typeof RejectCode)[keyof typeof RejectCode]

const names: Record<number, string> = {}
for (const [name, code] of Object.entries(RejectCode)) names[code] = name.toUpperCase()

/** `FUNDS_INSUFFICIENT`, `PRICE_OUT_OF_RANGE`, … by code. */
export const REJECT_CODE_NAMES: Readonly<Record<number, string>> = names
