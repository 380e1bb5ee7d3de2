// What the operator commands: leadership, phases of instruments, the kill switch, limits of accounts, new rules of the engine.

import { LIMITS, Phase } from '@wintrades/domain'
import { Type } from 'typebox'
import { closed, Decimal, RegionName, SymbolName } from './common.ts'

/** Phases that an operator may set; a volatility auction begins by itself. */
export const PHASES = ['CLOSED', 'PRE_OPEN', 'OPENING_AUCTION', 'CONTINUOUS', 'CLOSING_AUCTION', 'HALTED'] as const
export type PhaseName = (typeof PHASES)[number]

export const PHASE_OF: Readonly<Record<PhaseName, Phase>> = {
  CLOSED: Phase.closed,
  PRE_OPEN: Phase.pre_open,
  OPENING_AUCTION: Phase.opening_auction,
  CONTINUOUS: Phase.continuous,
  CLOSING_AUCTION: Phase.closing_auction,
  HALTED: Phase.halted,
}

const AccountNumber = Type.Integer({ minimum: 1, maximum: LIMITS.accounts_max })
const Share = Type.String({
  pattern: '^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$',
  description: 'A share from 0 to 1, up to six places; "0" is no limit.',
  examples: ['0.1'],
})
const Count = Type.Integer({ minimum: 0, maximum: 0x7fffffff, description: '0: no limit.' })

export const HandOverRequest = closed({ shard: RegionName, to: RegionName })
export const HandedOver = Type.Object({ shard: RegionName, leader: RegionName })

export const PhaseRequest = closed({ symbol: SymbolName, phase: Type.Union(PHASES.map((name) => Type.Literal(name))) })

export const KillSwitchRequest = Type.Union([
  closed({ scope: Type.Literal('ACCOUNT'), accountId: AccountNumber, blocked: Type.Boolean() }),
  closed({ scope: Type.Literal('INSTRUMENT'), symbol: SymbolName, blocked: Type.Boolean() }),
  closed({ scope: Type.Literal('SHARD'), shard: RegionName, blocked: Type.Boolean() }),
])

export const AccountLimitsRequest = closed({
  accountId: AccountNumber,
  apiKey: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 0xffffffff,
      description: 'Number of one of its API keys; else the account itself.',
    }),
  ),
  shard: Type.Optional(RegionName),
  positionValueMax: Type.Optional(Decimal),
  riskLimit: Type.Optional(Share),
  orderNotionalMax: Type.Optional(Decimal),
  openOrdersMax: Type.Optional(Count),
  ordersPerSecondMax: Type.Optional(Count),
  dailyLossMax: Type.Optional(Decimal),
  drawdownMax: Type.Optional(Decimal),
  priceBand: Type.Optional(Share),
  duplicateWindow_ms: Type.Optional(
    Type.Integer({ minimum: 0, maximum: LIMITS.duplicate_window_ms_max, description: '0: no guard.' }),
  ),
})

export const ActivateVersionRequest = closed({ version: Type.Integer({ minimum: 1, maximum: 0xffff }) })

/** Where the command stands, one for each shard that it went to. */
export const Commanded = Type.Object({
  results: Type.Array(Type.Object({ shard: RegionName, seq: Type.Integer() })),
})
