// The clients of a simulated run: accounts that order, cancel, deposit and move money at any region, give up on answers that do not
// come, ask again elsewhere with the same id, and now and then send the same thing twice on purpose. They write down everything.

import {
  type AccountId,
  type Amount,
  type AssetId,
  CommandType,
  type InstrumentDefinition,
  OrderFlag,
  type OrderId,
  OrderType,
  type Price,
  type Quantity,
  SelfTradePrevention,
  type ShardIndex,
  Side,
  TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import type { Answer, Intent, Sending } from '@wintrades/operations/drill'
import type { CommandHandler, Submission, SubmitResult } from '@wintrades/venue'
import { answerFrom } from './answers.ts'
import type { Scheduler } from './scheduler.ts'

/** Hands a command to the venue at a place; null: no process is there. */
export type Submit = (
  place: string,
  shard: ShardIndex,
  command: Submission,
  handler: CommandHandler,
) => SubmitResult | null

export type ClientsOptions = {
  readonly scheduler: Scheduler
  readonly places: readonly string[]
  readonly shards: readonly ShardIndex[]
  readonly instruments: readonly (InstrumentDefinition & { readonly shard: ShardIndex })[]
  readonly assets: readonly AssetId[]
  readonly accounts: readonly AccountId[]
  readonly submit: Submit
}

type Command = {
  readonly shard: ShardIndex
  readonly account: AccountId
  readonly clientId: string
  readonly intent: Intent
  readonly submission: Submission
  settled: boolean
  open: number
}

const PATIENCE_US = 3_000_000
const RETRY_US = 200_000
const GAP_TYPICAL_US = 15_000
const GAP_WORST_US = 150_000

export class Clients {
  readonly sendings: Sending[] = []
  readonly #options: ClientsOptions
  readonly #resting: { readonly order: OrderId; readonly shard: ShardIndex; readonly account: AccountId }[] = []
  readonly #unsettled = new Set<Command>()
  /** Sendings without any answer yet: what ends their waiting. */
  readonly #waiting = new Set<() => void>()
  #trading = true
  #count = 0

  constructor(options: ClientsOptions) {
    this.#options = options
    for (const account of options.accounts) {
      for (const shard of options.shards) for (const asset of options.assets) this.#fund(account, shard, asset)
    }
    for (const account of options.accounts) this.#tradeOn(account)
  }

  /** No new commands from now on; those without an answer are still asked for. */
  stop(): void {
    this.#trading = false
  }

  /** The run is over: what was sent to a process that crashed and is still waited for stays unknown. */
  giveUp(): void {
    for (const giveUp of [...this.#waiting]) giveUp()
  }

  /** One more command to every shard through every process: each must come to an answer there, or elsewhere. */
  askEverywhere(): void {
    const { accounts, places, shards, assets } = this.#options
    for (const place of places) {
      for (const shard of shards) {
        const command = this.#deposit(accounts[0] as AccountId, shard, assets[0] as AssetId, 1)
        this.#unsettled.add(command)
        this.#send(command, place)
      }
    }
  }

  /** Commands without a conclusive answer. */
  get unsettled(): readonly string[] {
    return [...this.#unsettled].map((one) => `${one.account}/${one.clientId} of shard ${one.shard} has no answer`)
  }

  /** Orders that were accepted and not cancelled by their clients. */
  get resting(): readonly { readonly order: OrderId; readonly shard: ShardIndex }[] {
    return this.#resting
  }

  #tradeOn(account: AccountId): void {
    const { scheduler } = this.#options
    scheduler.after(scheduler.random.delay(GAP_TYPICAL_US, GAP_WORST_US), () => {
      if (!this.#trading) return
      this.#begin(this.#wish(account))
      this.#tradeOn(account)
    })
  }

  #begin(command: Command): void {
    const { random } = this.#options.scheduler
    this.#unsettled.add(command)
    this.#send(command)
    if (random.chance(0.08)) this.#send(command)
  }

  #send(command: Command, at: string | null = null): void {
    const { scheduler, places, submit } = this.#options
    const region = at ?? scheduler.random.pick(places)
    const sentAt_ms = scheduler.now_us / 1_000
    let heard = false
    const conclude = (answer: Answer) => {
      if (heard) return
      heard = true
      this.#waiting.delete(giveUp)
      command.open--
      const answeredAt_ms = answer.outcome === 'unknown' ? null : scheduler.now_us / 1_000
      const { shard, account, clientId, intent } = command
      scheduler.log(`client ${account}/${clientId} at ${region}: ${answer.outcome}`)
      this.sendings.push({ shard, account, clientId, intent, region, sentAt_ms, answeredAt_ms, answer })
      this.#concluded(command, answer)
    }
    const giveUp = () => conclude({ outcome: 'unknown' })
    command.open++
    this.#waiting.add(giveUp)
    const result = submit(region, command.shard, command.submission, {
      committed: (batch, _index, start, end) => conclude(answerFrom(batch, start, end)),
      unknown: giveUp,
    })
    if (result === 'submitted') scheduler.after(PATIENCE_US, giveUp)
    else conclude({ outcome: 'denied', code: result ?? 'region down' })
  }

  #concluded(command: Command, answer: Answer): void {
    const { scheduler } = this.#options
    if (answer.outcome === 'acknowledged' || answer.outcome === 'rejected') {
      if (!command.settled && answer.outcome === 'acknowledged') this.#remember(command, answer)
      command.settled = true
      this.#unsettled.delete(command)
      // Sent again after it worked, it must be what it was.
      if (command.intent.kind !== 'cancel' && scheduler.random.chance(0.03)) this.#send(command)
    } else if (!command.settled && command.open === 0) {
      scheduler.after(RETRY_US, () => {
        if (!command.settled) this.#send(command)
      })
    }
  }

  #remember({ intent, shard, account }: Command, answer: Extract<Answer, { outcome: 'acknowledged' }>): void {
    if (intent.kind === 'order' && answer.order !== 0) this.#resting.push({ order: answer.order, shard, account })
  }

  #command(shard: ShardIndex, account: AccountId, clientId: string, intent: Intent, submission: Submission): Command {
    return { shard, account, clientId, intent, submission, settled: false, open: 0 }
  }

  #fund(account: AccountId, shard: ShardIndex, asset: AssetId): void {
    this.#begin(this.#deposit(account, shard, asset, 1_000_000))
  }

  #wish(account: AccountId): Command {
    const { random } = this.#options.scheduler
    const dice = random.below(100)
    const shard = random.pick(this.#options.shards)
    const asset = random.pick(this.#options.assets)
    if (dice < 8) return this.#deposit(account, shard, asset, random.between(1, 1_000))
    if (dice < 12) return this.#withdraw(account, shard, asset, random.between(1, 1_000))
    if (dice < 22 && this.#options.shards.length > 1) return this.#transfer(account, shard, asset)
    if (dice < 35) return this.#cancel(account) ?? this.#order(account)
    return this.#order(account)
  }

  #nextId(kind: string): string {
    return `${kind}-${this.#count++}`
  }

  #deposit(account: AccountId, shard: ShardIndex, asset: AssetId, units: number): Command {
    const transferId = this.#nextId('deposit')
    const amount = units as Amount
    const submission: Submission = { type: CommandType.deposit, account, asset, amount, transferId }
    return this.#command(shard, account, transferId, { kind: 'deposit', asset, amount }, submission)
  }

  #withdraw(account: AccountId, shard: ShardIndex, asset: AssetId, units: number): Command {
    const transferId = this.#nextId('withdraw')
    const amount = units as Amount
    const submission: Submission = { type: CommandType.withdraw, account, asset, amount, transferId }
    return this.#command(shard, account, transferId, { kind: 'withdraw', asset, amount }, submission)
  }

  #transfer(account: AccountId, shard: ShardIndex, asset: AssetId): Command {
    const { random } = this.#options.scheduler
    const toShard = random.pick(this.#options.shards.filter((one) => one !== shard))
    const transferId = this.#nextId('transfer')
    const amount = random.between(1, 5_000) as Amount
    const submission: Submission = { type: CommandType.transfer_out, account, asset, amount, toShard, transferId }
    return this.#command(shard, account, transferId, { kind: 'transfer', asset, amount, toShard }, submission)
  }

  #cancel(account: AccountId): Command | null {
    const { random } = this.#options.scheduler
    const own = this.#resting.filter((one) => one.account === account)
    if (own.length === 0) return null
    const target = random.pick(own)
    this.#resting.splice(this.#resting.indexOf(target), 1)
    const { order, shard } = target
    const submission: Submission = { type: CommandType.cancel_order, account, order, clientOrderId: '' }
    return this.#command(shard, account, this.#nextId('cancel'), { kind: 'cancel', order }, submission)
  }

  #order(account: AccountId): Command {
    const { random } = this.#options.scheduler
    const { instrument, shard, referencePrice } = random.pick(this.#options.instruments)
    const side = random.chance(0.5) ? Side.buy : Side.sell
    const price = (referencePrice + random.between(-3, 3)) as Price
    const quantity = random.between(1, 20) as Quantity
    const clientOrderId = this.#nextId('order')
    // Such an order goes when the process it was sent to is lost.
    const isBound = random.chance(0.2)
    const submission: Submission = {
      type: CommandType.new_order,
      account,
      instrument,
      side,
      orderType: OrderType.limit,
      timeInForce: random.chance(0.2) ? TimeInForce.ioc : TimeInForce.gtc,
      selfTradePrevention: SelfTradePrevention.cancel_newest,
      flags: isBound ? OrderFlag.cancel_on_disconnect : 0,
      session: isBound ? 1 : 0,
      apiKey: 0,
      price,
      quantity,
      quoteAmount: 0 as Amount,
      stopPrice: 0 as Price,
      displayQuantity: 0 as Quantity,
      minimumQuantity: 0 as Quantity,
      expireTime: 0 as Timestamp,
      trailingOffset: 0 as Price,
      clientOrderId,
    }
    return this.#command(
      shard,
      account,
      clientOrderId,
      { kind: 'order', instrument, side, price, quantity },
      submission,
    )
  }
}
