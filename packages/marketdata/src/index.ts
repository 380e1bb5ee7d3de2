// Market data from committed batches: live (depth, trades, candles, tickers, account events), history, and feeds from outside.

export * from './json.ts'
export * from './live/account-feed.ts'
export * from './live/candles.ts'
export * from './live/depth-book.ts'
export * from './live/instrument-market.ts'
export * from './live/loader.ts'
export * from './live/market-data.ts'
export * from './live/recent-trades.ts'
export * from './order-status.ts'
