// Where each field of each record lies in the typed arrays of the stores.
// A module takes what it needs into constants of its own (`const { LEAVES, NEXT } = ORDER_LAYOUT`): those the compiler folds into
// the code, while a binding imported from another module is loaded from memory each time it is used, three times slower.

/** An order in `OrderStore`. */
export const ORDER_LAYOUT = {
  /** `hot`: 2^3 integers an order. */
  HOT_SHIFT: 3,
  /** Displayed quantity still open; what an iceberg hides stands in `WARM_HIDDEN`. */
  LEAVES: 0,
  NEXT: 1,
  PREVIOUS: 2,
  LEVEL: 3,
  ID_LOW: 4,
  ID_NEXT: 5,
  /** The position (account × instrument) it belongs to. Within one book, two orders of one account have one owner. */
  OWNER: 6,
  /** Sixteen bits of what kind of order it is (`packBits`), and above them the high bits of its command number. */
  BITS: 7,
  /** `warm`: 2^4 integers an order. */
  WARM_SHIFT: 4,
  PRICE: 0,
  QUANTITY: 1,
  HIDDEN: 2,
  DISPLAY: 3,
  ACCOUNT_NEXT: 4,
  ACCOUNT_PREVIOUS: 5,
  ORIGIN_NEXT: 6,
  ORIGIN_PREVIOUS: 7,
  /** Slot in the table of origins; 0: the order outlives its connection. */
  ORIGIN: 8,
  SESSION: 9,
  API_KEY: 10,
  STOP_PRICE: 11,
  TRAILING_OFFSET: 12,
  /** Place in the expiry heap, from 1; 0: it does not expire by date. */
  EXPIRY_PLACE: 13,
  /** The other leg of its pair; of an entry: its exit. 0: none. */
  LINK: 14,
  /** What it is in a list: bits of `ROLE`; 0: it stands alone. */
  ROLE: 15,
  /** `rare`: 2^2 integers an order, that only orders which wait have. */
  RARE_SHIFT: 2,
  /** Where it waits (`PLACE`). */
  PLACE: 0,
  /** Price of the trade that met its trigger; 0: none has. */
  TRIGGER_PRICE: 1,
  /** Of an exit: its entry. */
  ENTRY: 2,
  /** `wide`: 2^2 floats an order. */
  WIDE_SHIFT: 2,
  CUM_QUOTE: 0,
  ACCEPTED_AT: 1,
  UPDATED_AT: 2,
  EXPIRE_TIME: 3,
  TEXT_WORDS: 9,
  /** It waits for its trigger and is in no book. */
  WAITING: 1 << 13,
  /** It has been triggered: it now is the limit or market order inside. */
  TRIGGERED: 1 << 14,
  /** Part of it is hidden (iceberg). */
  ICEBERG: 1 << 15,
} as const

/** Where an order with `WAITING` is. */
export const PLACE = {
  /** In no queue. */
  none: 0,
  /** Among the triggers that a falling price meets, and among those that a rising one meets. */
  falling: 1,
  rising: 2,
  /** Its time has come, and it is in the queue of those that enter the market. */
  released: 3,
  /** It waits for another order of its list. */
  unnamed: 4,
} as const

/** Bits of `ROLE`. */
export const ROLE = {
  /** Waits to be named by another order of its list. */
  pending: 1,
  /** One of a live pair: when one leg trades, triggers or ends, the other ends. They hold funds once, for the dearer of the two. */
  leg: 2,
  /** Waits for its entry to end. */
  exit: 4,
  /** Has an exit (or a pair of them) that waits for it. */
  entry: 8,
} as const

/** A price level in `LevelStore`. */
export const LEVEL_LAYOUT = {
  /** A level: 4 integers. */
  LEVEL_SHIFT: 2,
  HEAD: 0,
  TAIL: 1,
  COUNT: 2,
} as const

/** A side in `LevelStore`. */
export const SIDE_LAYOUT = {
  /** A side: 2^7 integers. */
  SIDE_SHIFT: 7,
  /** −1: the side is empty. */
  BEST_KEY: 0,
  BEST_LEVEL: 1,
  /** `price XOR mirror` is the key of a price. */
  MIRROR: 2,
} as const

/** A fill in `FillBuffer`. */
export const FILL_LAYOUT = {
  /** A fill: 4 integers. */
  FILL_SHIFT: 2,
  FILL_MAKER: 0,
  FILL_QUANTITY: 1,
  FILL_PRICE: 2,
  /** What the maker still has, hidden quantity included; 0: it has left the book. */
  FILL_MAKER_LEAVES: 3,
} as const

/** A position in `Positions`. */
export const POSITION_LAYOUT = {
  /** A position: 2^3 integers and 2^3 floats. */
  POSITION_SHIFT: 3,
  POSITION_ACCOUNT: 0,
  POSITION_INSTRUMENT: 1,
  BASE_BALANCE: 2,
  QUOTE_BALANCE: 3,
  /** The account's next older position. */
  POSITION_NEXT: 6,
  /** 1: after each fill, its account's highest result is looked at (see `DRAWDOWN_MAX`). */
  WATCHED: 7,
  POSITION_QUANTITY: 0,
  COST: 1,
  REALISED: 2,
  /** Lots that its open orders may still buy, and sell. */
  OPEN_BUY: 3,
  OPEN_SELL: 4,
  /** The day (`dayOf`; 0: none) that `DAY_START` is of, and the position's result when that day began. */
  DAY: 5,
  DAY_START: 6,
  /** Fees paid in all. */
  FEES: 7,
} as const

/** An account in `Accounts`. */
export const ACCOUNT_LAYOUT = {
  /** An account: 2^3 integers, at its id. */
  ACCOUNT_SHIFT: 3,
  ACCOUNT_FLAGS: 0,
  FIRST_ORDER: 1,
  LAST_ORDER: 2,
  OPEN_COUNT: 3,
  /** First of its chain of limits; 0: none. */
  LIMITS_FIRST: 4,
  /** Ever had funds here. */
  KNOWN: 1,
  /** By the kill switch. */
  BLOCKED: 2,
} as const

/** Limits of an account or of one of its keys in `AccountLimits`. */
export const LIMIT_LAYOUT = {
  /** A record: 2^4 floats. */
  LIMIT_SHIFT: 4,
  LIMIT_ACCOUNT: 0,
  LIMIT_KEY: 1,
  OPEN_ORDERS_MAX: 3,
  ORDERS_PER_SECOND_MAX: 4,
  RISK_LIMIT_PPM: 5,
  POSITION_VALUE_MAX: 6,
  ORDER_NOTIONAL_MAX: 7,
  DAILY_LOSS_MAX: 8,
  DRAWDOWN_MAX: 9,
  /** Open orders of the key; the account's own stand in `Accounts`. */
  KEY_OPEN_COUNT: 10,
  PRICE_BAND_PPM: 11,
  DUPLICATE_WINDOW_MS: 12,
  /** The second of batch time that orders are counted in, and how many came in it. */
  RATE_SECOND: 13,
  RATE_COUNT: 14,
} as const
