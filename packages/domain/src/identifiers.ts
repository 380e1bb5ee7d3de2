// The identifiers and scaled numbers of the venue. Each is a branded number: passing one for another does not
// type-check, and at run time it is a plain safe integer, so that nothing is allocated or converted on the hot path.

declare const brand: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }

/** Position of a shard in `markets.yml`, 0-based; fits in four bits (it is part of every order id). */
export type ShardIndex = Branded<number, 'ShardIndex'>
/** Name of a region: `us-east`, `eu-west`, `asia-pacific`. */
export type RegionName = Branded<string, 'RegionName'>
/** An account of the platform, 1-based, the same in every shard. */
export type AccountId = Branded<number, 'AccountId'>
/** An asset of `markets.yml`, 1-based. */
export type AssetId = Branded<number, 'AssetId'>
/** An instrument of `markets.yml`, 1-based, unique over all shards. */
export type InstrumentId = Branded<number, 'InstrumentId'>
/** See {@link orderIdOf}. */
export type OrderId = Branded<number, 'OrderId'>
/** Position of a batch in its shard's journal; the first batch is 1 and there are no gaps. */
export type Seq = Branded<number, 'Seq'>
/** Position of a command in its shard's journal; the first command is 1 and there are no gaps. */
export type CommandNumber = Branded<number, 'CommandNumber'>
/** The lease's fencing number; rises at every change of leader. The first leader has epoch 1. */
export type Epoch = Branded<number, 'Epoch'>
/** Whole ticks of an instrument. */
export type Price = Branded<number, 'Price'>
/** Whole lots of an instrument. */
export type Quantity = Branded<number, 'Quantity'>
/** Smallest units of an asset. */
export type Amount = Branded<number, 'Amount'>
/** Microseconds since 1970-01-01T00:00:00Z. */
export type Timestamp = Branded<number, 'Timestamp'>

const SHARDS_MAX = 16

/**
 * An order id is its command's place in the world: `command_number × 16 + shard`. It is never random, so a replayed
 * journal gives the same ids, and an order id alone tells which shard to ask.
 */
export function orderIdOf(shard: ShardIndex, command: CommandNumber): OrderId {
  return (command * SHARDS_MAX + shard) as OrderId
}

export function shardOfOrder(order: OrderId): ShardIndex {
  return (order % SHARDS_MAX) as ShardIndex
}

export function commandOfOrder(order: OrderId): CommandNumber {
  return Math.floor(order / SHARDS_MAX) as CommandNumber
}
