// The vocabulary of WinTrades: ids, scaled integers, commands, events, markets, views, and the one binary codec. Pure.

export * from './assert.ts'
export * from './batch.ts'
export * from './codec.ts'
export * from './commands.ts'
export * from './decimal.ts'
export * from './events.ts'
export * from './identifiers.ts'
export * from './limits.ts'
export * from './markets.ts'
export * from './orders.ts'
export * from './reject-codes.ts'
export * from './views.ts'
