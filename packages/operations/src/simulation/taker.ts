// A taker in one instrument: orders at Poisson times that trade at once, mostly small, now and then through several levels, more of them
// in the direction the price is going.

import type { OrderRequest } from '../client/index.ts'
import type { SimulatedMarket } from './market.ts'
import { normal, type Random } from './random.ts'

const SWEEP_SHARE = 0.04
const MARKET_SHARE = 0.3
const TREND_LEAN = 0.25
const INVENTORY_LEAN = 0.35
/** An IOC order's limit lies this many steps beyond the reference price. */
const SLIPPAGE_STEPS = 6

/** `inventory`: −1 (far too little of the base asset) to 1 (far too much). */
export function takerOrder(market: SimulatedMarket, inventory: number, random: Random): OrderRequest {
  const buys = random() < 0.5 + TREND_LEAN * market.path.trend - INVENTORY_LEAN * inventory
  const sweeps = random() < SWEEP_SHARE
  const size = market.size * Math.exp(0.7 * normal(random) - 0.8) * (sweeps ? 4 : 1)
  const order = {
    symbol: market.symbol,
    side: buys ? 'BUY' : 'SELL',
    quantity: market.quantity(Math.min(size, market.size * 6)),
  } as const
  if (random() < MARKET_SHARE) return { ...order, type: 'MARKET' }
  const limit = market.path.price + SLIPPAGE_STEPS * market.step * (buys ? 1 : -1)
  return { ...order, type: 'LIMIT', timeInForce: 'IOC', price: market.price(limit) }
}
