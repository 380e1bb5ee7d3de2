// The operator's commands, with API_KEY: leadership of shards, phases of instruments, the kill switch, limits of accounts, new rules of the
// engine. Each is journaled like any other command; all but the hand-over say the same again without harm.

import {
  type AccountId,
  type Amount,
  CommandType,
  KillSwitchScope,
  type Markets,
  type RegionName,
  type Shard,
} from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { Submission, Venue } from '@wintrades/venue'
import type { Static } from 'typebox'
import { ApiFault } from '../errors.ts'
import * as schemas from '../schemas/operator.ts'
import { amountInQuotes } from './account-opening.ts'
import type { Shards } from './consistency.ts'
import { answers } from './documentation.ts'
import { Refusal, settle } from './funds-commands.ts'
import type { Api } from './http.ts'
import type { Instruments } from './instruments.ts'

export type OperatorRouteParts = {
  readonly venue: Venue
  readonly markets: Markets
  readonly shards: Shards
  readonly instruments: Instruments
  readonly logger: Logger
}

const tags = ['operator']
const operator = (audit: string) => ({ access: 'operator', audit }) as const
const NOBODY = 0 as AccountId
const MILLION = 1_000_000

export function addOperatorRoutes(api: Api, parts: OperatorRouteParts): void {
  const { venue, shards, instruments, logger } = parts

  const command = async (name: string, targets: readonly Shard[], make: (shard: Shard) => Submission) => {
    const settled = await Promise.all(targets.map((shard) => settle(venue, shard.index, make(shard))))
    for (const one of settled) if (one.code !== 0) throw new Refusal(one, null)
    logger.info('operator', { command: name, shards: targets.map((shard) => shard.name) })
    return { results: settled.map((one) => ({ shard: shards.name(one.shard), seq: one.seq })) }
  }

  addHandOver(api, parts)

  api.post(
    '/operator/phase',
    {
      config: operator('phase'),
      schema: {
        tags,
        summary: 'Move an instrument to another phase of its session',
        body: schemas.PhaseRequest,
        response: answers({ 200: schemas.Commanded }),
      },
    },
    (request) => {
      const { id, shard } = instruments.named(request.body.symbol)
      const phase = schemas.PHASE_OF[request.body.phase as schemas.PhaseName]
      return command(
        'phase',
        shards.all.filter((one) => one.index === shard),
        () => ({
          type: CommandType.set_phase,
          account: NOBODY,
          instrument: id,
          phase,
        }),
      )
    },
  )

  api.post(
    '/operator/kill-switch',
    {
      config: operator('kill switch'),
      schema: {
        tags,
        summary: 'Block an account, an instrument or a shard and cancel its orders, or let it trade again',
        body: schemas.KillSwitchRequest,
        response: answers({ 200: schemas.Commanded }),
      },
    },
    (request) => {
      const { scope, target, targets } = killSwitchTarget(request.body, parts)
      const { blocked } = request.body
      const type = CommandType.kill_switch
      return command('kill switch', targets, () => ({ type, account: NOBODY, scope, target, blocked }))
    },
  )

  api.post(
    '/operator/account-limits',
    {
      config: operator('account limits'),
      schema: {
        tags,
        summary: 'Set the limits of an account or of one of its API keys; what is left out has no limit',
        description:
          'In every shard, or in the one that is named. Amounts are in units of each instrument’s quote asset.',
        body: schemas.AccountLimitsRequest,
        response: answers({ 200: schemas.Commanded }),
      },
    },
    (request) => {
      const { shard, ...limits } = request.body
      const targets = shard === undefined ? shards.all : [shards.named(shard)]
      return command('account limits', targets, (one) => limitsOf(limits, parts.markets, one))
    },
  )

  api.post(
    '/operator/activate-version',
    {
      config: operator('activate version'),
      schema: {
        tags,
        summary: 'Let the engines follow the rules of a version from here on, once every process knows it',
        body: schemas.ActivateVersionRequest,
        response: answers({ 200: schemas.Commanded }),
      },
    },
    (request) => {
      const { version } = request.body
      return command('activate version', shards.all, () => ({
        type: CommandType.activate_version,
        account: NOBODY,
        version,
      }))
    },
  )
}

function addHandOver(api: Api, { venue, shards, logger }: OperatorRouteParts): void {
  api.post(
    '/operator/hand-over',
    {
      config: operator('hand over'),
      schema: {
        tags,
        summary: 'Hand the leadership of a shard to another region, asked at any; answers when it leads',
        body: schemas.HandOverRequest,
        response: answers({ 200: schemas.HandedOver }),
      },
    },
    async (request) => {
      const shard = shards.named(request.body.shard)
      const to = request.body.to as RegionName
      if (!shard.regions.includes(to)) throw new ApiFault('REGION_UNKNOWN', { details: { regions: shard.regions } })
      const status = venue.status().shards.find((one) => one.shard === shard.index)
      if (status?.leader === to) return { shard: shard.name, leader: to }
      try {
        await venue.handOver(shard.index, to)
      } catch (error) {
        logger.warn('hand-over failed', { shard: shard.name, to, error })
        const reason = error instanceof Error ? error.message : String(error)
        throw new ApiFault('HAND_OVER_REFUSED', { details: { shard: shard.name, to, reason } })
      }
      logger.info('handed over', { shard: shard.name, to })
      return { shard: shard.name, leader: to }
    },
  )
}

function killSwitchTarget(
  body: Static<typeof schemas.KillSwitchRequest>,
  { shards, instruments }: OperatorRouteParts,
): { readonly scope: KillSwitchScope; readonly target: number; readonly targets: readonly Shard[] } {
  switch (body.scope) {
    case 'ACCOUNT':
      return { scope: KillSwitchScope.account, target: body.accountId, targets: shards.all }
    case 'INSTRUMENT': {
      const { id, shard } = instruments.named(body.symbol)
      return { scope: KillSwitchScope.instrument, target: id, targets: shards.all.filter((one) => one.index === shard) }
    }
    case 'SHARD':
      return { scope: KillSwitchScope.shard, target: 0, targets: [shards.named(body.shard)] }
  }
}

function limitsOf(
  limits: Omit<Static<typeof schemas.AccountLimitsRequest>, 'shard'>,
  markets: Markets,
  shard: Shard,
): Submission {
  const amount = (text: string | undefined): Amount => amountInQuotes(markets, shard, text ?? null)
  const share_ppm = (text: string | undefined) => Math.round(Number(text ?? '0') * MILLION)
  return {
    type: CommandType.set_account_limits,
    account: limits.accountId as AccountId,
    apiKey: limits.apiKey ?? 0,
    positionValueMax: amount(limits.positionValueMax),
    riskLimit_ppm: share_ppm(limits.riskLimit),
    orderNotionalMax: amount(limits.orderNotionalMax),
    openOrdersMax: limits.openOrdersMax ?? 0,
    ordersPerSecondMax: limits.ordersPerSecondMax ?? 0,
    dailyLossMax: amount(limits.dailyLossMax),
    drawdownMax: amount(limits.drawdownMax),
    priceBand_ppm: share_ppm(limits.priceBand),
    duplicateWindow_ms: limits.duplicateWindow_ms ?? 0,
  }
}
