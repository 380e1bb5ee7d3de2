// What a new account gets in paper mode: of each asset that a shard trades, the amount that markets.yml names (`paper_funds`).

import type { Asset, Markets, Shard } from '@wintrades/domain'

export type DemoDeposit = { readonly shard: Shard; readonly asset: Asset; readonly transferId: string }

/** Every deposit of a new account. The transfer ids are always the same, so that sending one twice gives it once. */
export function demoDeposits(markets: Markets): readonly DemoDeposit[] {
  return markets.shards.flatMap((shard) =>
    assetsOf(markets, shard)
      .filter((asset) => asset.paperFunds > 0)
      .map((asset) => ({ shard, asset, transferId: `demo-${asset.code}` })),
  )
}

/** The assets that a shard's instruments are made of, in the order of markets.yml. */
export function assetsOf(markets: Markets, shard: Shard): readonly Asset[] {
  const traded = new Set(
    markets.instruments.filter((one) => one.shard === shard.index).flatMap(({ base, quote }) => [base.id, quote.id]),
  )
  return markets.assets.filter((asset) => traded.has(asset.id))
}
