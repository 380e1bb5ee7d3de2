// Every bound of the venue's vocabulary in one place. Bounds of a single component (a queue, a pool) stand with it.

export const LIMITS = {
  /** Shards in one venue: four bits of every order id. */
  shards_max: 16,
  calendars_max: 256,
  calendar_phases_max: 32,
  /** Holidays, and short days. */
  calendar_exceptions_max: 4_096,
  assets_max: 1_024,
  instruments_max: 4_096,
  accounts_max: 4_000_000,
  /** Characters of a client order id or transfer id: `A-Z a-z 0-9 - _ . : /`. */
  client_order_id_chars_max: 36,
  /** Price in ticks and quantity in lots each fit a signed 32-bit integer. */
  price_ticks_max: 2_147_483_647,
  quantity_lots_max: 2_147_483_647,
  /** Whatever is an amount of money, or price × quantity, stays a safe integer. */
  amount_max: Number.MAX_SAFE_INTEGER,
  /** Bytes of one encoded command. */
  command_bytes_max: 256,
  /** Commands in one batch. */
  batch_commands_max: 8_192,
  /** Bytes of one encoded batch, header and hash included. */
  batch_bytes_max: 1_048_576,
  /** Open orders of one account in one shard. */
  open_orders_per_account_max: 100_000,
  /** Parts in which an iceberg may show its quantity: bounds the fills that one order can cause. */
  iceberg_parts_max: 100,
  /** Triggered orders that enter the market within one command; the others enter with the commands that follow. */
  triggers_per_command_max: 64,
  /** Trailing stops of one instrument and direction: each may have to move at a trade. */
  trailing_stops_per_instrument_max: 1_000,
  /** How long the first legs of a list wait to be named, in batch time. */
  pending_order_us: 60 * 1_000_000,
  /** How long a client order id is remembered by the engine, in batch time. */
  deduplication_horizon_us: 24 * 60 * 60 * 1_000_000,
  /** Client order ids the engine remembers per shard; past it the oldest go first. */
  deduplication_entries_max: 4_194_304,
  /** How long a volatility auction gathers orders, in batch time. */
  volatility_auction_us: 120 * 1_000_000,
  /** Longest window of the guard against duplicate orders. */
  duplicate_window_ms_max: 60_000,
  /** Orders that the guards of a shard remember; past it the oldest go first. */
  recent_orders_max: 1_048_576,
  /** A replica's state hash is taken after each batch whose seq is a multiple of this. */
  state_hash_interval_batches: 1_024,
} as const
