// Balances and positions of an account, merged over shards; deposits, withdrawals and transfers between shards.

import {
  type AccountId,
  type Amount,
  type Asset,
  assert,
  CommandType,
  parseDecimal,
  type Shard,
  type ShardIndex,
} from '@wintrades/domain'
import type { FundsMovement, HistoryReader } from '@wintrades/marketdata'
import type { Config } from '@wintrades/platform'
import type { AccountState, At, Submission, Venue } from '@wintrades/venue'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { requireOperator } from '../auth/authenticator.ts'
import type { HistoryCache } from '../cache/history-cache.ts'
import { ApiFault } from '../errors.ts'
import { averagePrice } from '../orders/order-text.ts'
import { listOf, PAGE_LIMIT_DEFAULT, pageOf } from '../schemas/common.ts'
import * as schemas from '../schemas/funds.ts'
import { type Shards, stamp, stampMerged } from './consistency.ts'
import { answers } from './documentation.ts'
import { FundsMovements, type MovementCommand } from './funds-movements.ts'
import { type Api, accountOf } from './http.ts'
import { amountText, type Instruments, positionView } from './instruments.ts'
import { pageQuery } from './order-routes.ts'

export type FundsRouteParts = {
  readonly config: Pick<Config, 'tradingMode'>
  readonly venue: Venue
  readonly history: HistoryReader
  readonly pages: HistoryCache
  readonly shards: Shards
  readonly instruments: Instruments
}

const tags = ['funds']

export function addFundsRoutes(api: Api, parts: FundsRouteParts): void {
  addState(api, parts)
  addMovements(api, parts)
  addTransferList(api, parts)
}

function addState(api: Api, { venue, shards, instruments }: FundsRouteParts): void {
  const statesOf = async (account: AccountId, chosen: readonly Shard[], reply: FastifyReply) => {
    const states = await Promise.all(
      chosen.map(async (shard) => ({ shard, at: await venue.account(shard.index, account) })),
    )
    stampMerged(
      reply,
      states.map(({ shard, at }) => ({ shard, seq: at.seq })),
    )
    return states as readonly { readonly shard: Shard; readonly at: At<AccountState> }[]
  }

  api.get(
    '/balances',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'What the account has in each shard',
        querystring: schemas.StateQuery,
        response: answers({ 200: listOf(schemas.BalanceView) }),
      },
    },
    async (request, reply) => {
      const chosen = shards.selected(request.query)
      await shards.caughtUp(request.query.minSeq)
      const states = await statesOf(accountOf(request).account, chosen, reply)
      const items = states.flatMap(({ shard, at }) =>
        at.value.balances.map((balance) => {
          const asset = instruments.assetOf(balance.asset)
          const [available, held] = [amountText(asset, balance.available), amountText(asset, balance.held)]
          return { asset: asset.code, available, held, shard: shard.name }
        }),
      )
      return { items }
    },
  )

  api.get(
    '/positions',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'What the account holds of each instrument it has traded',
        querystring: schemas.StateQuery,
        response: answers({ 200: listOf(schemas.PositionView) }),
      },
    },
    async (request, reply) => {
      const chosen = shards.selected(request.query)
      await shards.caughtUp(request.query.minSeq)
      const states = await statesOf(accountOf(request).account, chosen, reply)
      const items = states.flatMap(({ shard, at }) =>
        at.value.positions.map((position) => {
          const instrument = instruments.of(position.instrument)
          const average = averagePrice(instrument, Math.abs(position.quantity), Math.abs(position.cost))
          return positionView(instrument, position, average, shard.name)
        }),
      )
      return { items }
    },
  )
}

function addMovements(api: Api, { config, venue, history, shards, instruments }: FundsRouteParts): void {
  const movements = new FundsMovements(venue, history)
  const send = async (reply: FastifyReply, shard: Shard, asset: Asset, command: MovementCommand, place: object) => {
    const result = await movements.settle(shard, asset, command)
    stamp(reply, shard.name, result.seq)
    const { seq, status, duplicate, amount } = result
    const view = { transferId: command.transferId, asset: result.asset.code, amount: amountText(result.asset, amount) }
    reply.code(duplicate ? 200 : 201)
    return { ...view, shard: shard.name, seq, status, ...place, ...(duplicate ? { duplicate } : {}) }
  }

  api.post(
    '/transfers',
    {
      config: { access: 'account', scope: 'transfer' },
      schema: {
        tags,
        summary: 'Move funds from one shard to another',
        description: 'The answer comes when they have left; they arrive a moment later.',
        body: schemas.TransferRequest,
        response: answers({ 200: schemas.MovementView, 201: schemas.MovementView }),
      },
    },
    async (request, reply) => {
      const { asset: code, amount, fromRegion, toRegion, transferId } = request.body
      const [from, to] = [shards.ofRegion(fromRegion), shards.ofRegion(toRegion)]
      if (from === to) throw malformed('toRegion', 'must be another region than fromRegion')
      const asset = instruments.assetNamed(code)
      const command = {
        type: CommandType.transfer_out,
        account: accountOf(request).account,
        asset: asset.id,
        amount: amountOf(asset, amount),
        toShard: to.index,
        transferId,
      } as const
      return await send(reply, from, asset, command, { fromRegion, toRegion })
    },
  )

  for (const kind of ['deposits', 'withdrawals'] as const) {
    const type = kind === 'deposits' ? CommandType.deposit : CommandType.withdraw
    api.post(
      `/${kind}`,
      {
        config: { access: 'any', scope: 'transfer', audit: kind === 'deposits' ? 'deposit' : 'withdraw' },
        schema: {
          tags,
          summary: kind === 'deposits' ? 'Bring funds into a shard' : 'Take funds out of a shard',
          description: 'With TRADING_MODE=live only the operator may, naming the account.',
          body: schemas.MovementRequest,
          response: answers({ 200: schemas.MovementView, 201: schemas.MovementView }),
        },
      },
      async (request, reply) => {
        const { asset: code, amount, region, transferId } = request.body
        const account = accountMoved(request, request.body.accountId, config.tradingMode)
        const shard = shards.ofRegion(region)
        const asset = instruments.assetNamed(code)
        const command = { type, account, asset: asset.id, amount: amountOf(asset, amount), transferId } as const
        return await send(reply, shard, asset, command satisfies Submission, {})
      },
    )
  }
}

/** In paper mode an account moves its own funds; the operator, anybody's. */
function accountMoved(
  request: Pick<FastifyRequest, 'principal'>,
  named: number | undefined,
  tradingMode: Config['tradingMode'],
): AccountId {
  const { principal } = request
  assert(principal !== null, 'the route is not public')
  if (principal.kind === 'user') {
    if (tradingMode === 'live' || (named !== undefined && named !== principal.account)) requireOperator(principal)
    return principal.account
  }
  if (named === undefined) throw malformed('accountId', 'is missing: say whose account')
  return named as AccountId
}

function addTransferList(api: Api, { venue, history, pages, shards, instruments }: FundsRouteParts): void {
  api.get(
    '/transfers',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'Deposits, withdrawals and transfers, newest first',
        querystring: schemas.TransfersQuery,
        response: answers({ 200: pageOf(schemas.TransferView) }),
      },
    },
    async (request, reply) => {
      const { account } = accountOf(request)
      const { minSeq, cursor, limit = PAGE_LIMIT_DEFAULT } = request.query
      const caughtUp = await shards.caughtUp(minSeq)
      const query = { ...pageQuery(account, shards.all, shards.all.length, undefined, limit, cursor), ...caughtUp }
      const page = await pages.page('funds', query, () => history.funds(query))
      // A transfer has a movement in each of two shards; the one that sent it tells of both.
      const sent = page.items.filter((movement) => movement.kind !== CommandType.transfer_in)
      const inFlight = await transfersInFlight(venue, sent)
      stampMerged(reply, shards.places(page.places))
      return {
        items: sent.map((movement) => transferView(movement, shards, instruments, inFlight)),
        cursor: page.nextCursor,
      }
    },
  )
}

/** `shard:number:toShard` of every transfer on its way from the shards that these movements left. */
async function transfersInFlight(venue: Venue, movements: readonly FundsMovement[]): Promise<ReadonlySet<string>> {
  const from = new Set<ShardIndex>()
  for (const { kind, shard } of movements) if (kind === CommandType.transfer_out) from.add(shard)
  const balances = await Promise.all([...from].map((shard) => venue.trialBalance(shard)))
  return new Set(
    balances.flatMap(({ shard, value }) => value.inFlight.map((one) => flightKey(shard, one.toShard, one.number))),
  )
}

function flightKey(from: ShardIndex, to: ShardIndex, number: number): string {
  return `${from}:${to}:${number}`
}

const KINDS = {
  [CommandType.deposit]: 'DEPOSIT',
  [CommandType.withdraw]: 'WITHDRAWAL',
  [CommandType.transfer_out]: 'TRANSFER',
  [CommandType.transfer_in]: 'TRANSFER',
} as const

function transferView(
  movement: FundsMovement,
  shards: Shards,
  instruments: Instruments,
  inFlight: ReadonlySet<string>,
): object {
  const { kind, shard, otherShard, transferNumber, transferId, amount, timestamp } = movement
  const asset = instruments.assetOf(movement.asset)
  const isTransfer = kind === CommandType.transfer_out
  const onItsWay = isTransfer && inFlight.has(flightKey(shard, otherShard, transferNumber))
  return {
    transferId,
    kind: KINDS[kind],
    asset: asset.code,
    amount: amountText(asset, amount),
    fromRegion: kind === CommandType.deposit ? null : shards.name(shard),
    toRegion: kind === CommandType.deposit ? shards.name(shard) : isTransfer ? shards.name(otherShard) : null,
    status: onItsWay ? 'in_flight' : 'settled',
    time: Math.floor(timestamp / 1_000),
  }
}

function amountOf(asset: Asset, text: string): Amount {
  const parsed = parseDecimal(text, asset.scale)
  if (parsed.ok && parsed.value > 0) return parsed.value as Amount
  const message = parsed.ok
    ? 'must be greater than zero'
    : parsed.fault === 'out_of_range'
      ? 'is too large'
      : `must be a decimal with at most ${asset.scale} places`
  throw new ApiFault('DECIMAL_INVALID', { message: `amount ${message}`, details: [{ path: 'amount', message }] })
}

function malformed(path: string, message: string): ApiFault {
  return new ApiFault('REQUEST_MALFORMED', { details: [{ path, message }] })
}
