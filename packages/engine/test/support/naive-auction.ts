// The oracle's auction price: every tick from the best ask to the best bid is tried, but for those between which nothing changes.

type Resting = { readonly price: number; readonly shown: number; readonly hidden: number }

/** Most volume; of those the least left over; then the side that is left over presses; then the nearest to the reference. */
export function naiveAuctionPrice(
  bids: readonly Resting[],
  asks: readonly Resting[],
  reference: number,
): { price: number; volume: number; surplus: number } {
  const [bestBid, bestAsk] = [bids[0], asks[0]]
  const none = { price: 0, volume: 0, surplus: 0 }
  if (bestBid === undefined || bestAsk === undefined || bestBid.price < bestAsk.price) return none
  const sum = (orders: readonly Resting[]) => orders.reduce((total, one) => total + one.shown + one.hidden, 0)
  const at = (price: number) => {
    const demand = sum(bids.filter((one) => one.price >= price))
    const supply = sum(asks.filter((one) => one.price <= price))
    return { price, volume: Math.min(demand, supply), surplus: demand - supply }
  }
  const near = [...bids, ...asks].flatMap(({ price }) => [price - 1, price, price + 1])
  const prices = [...new Set(near)].filter((price) => price >= bestAsk.price && price <= bestBid.price)
  const tries = prices.sort((a, b) => a - b).map(at)
  const most = Math.max(...tries.map((one) => one.volume))
  const fullest = tries.filter((one) => one.volume === most)
  const least = Math.min(...fullest.map((one) => Math.abs(one.surplus)))
  const left = fullest.filter((one) => Math.abs(one.surplus) === least)
  const [low, high] = [left[0], left.at(-1)]
  if (low === undefined || high === undefined) return none
  if (low.surplus > 0 && high.surplus > 0) return high
  if (low.surplus < 0 && high.surplus < 0) return low
  const wanted = reference === 0 ? Math.floor((low.price + high.price) / 2) : reference
  return at(Math.max(low.price, Math.min(high.price, wanted)))
}
