// The venue of one process: a node for each shard, the links between them, and what goes on across shards. Everything outside comes in
// through ports, so that the same code runs in a thread of an app process and in the simulation.

import {
  type AccountId,
  BATCH,
  CommandType,
  HEADER,
  type InstrumentId,
  type Markets,
  type OrderId,
  type RegionName,
  readBatchHeader,
  type Seq,
  type Shard,
  type ShardIndex,
  shardOfOrder,
  type Timestamp,
} from '@wintrades/domain'
import { ENGINE_VERSION } from '@wintrades/engine'
import type { Logger } from '@wintrades/platform'
import type { CommittedBatch, ShardStatus, VenueStatus } from './api.ts'
import { encodeAll, missingDefinitions } from './encode.ts'
import { Isolation } from './isolation.ts'
import type { LeaderFigures } from './leader.ts'
import { FrameKind, progressFrame, readFrame } from './links/frames.ts'
import { outcomesOf } from './outcomes.ts'
import type { Clock, Journal, SnapshotStore, Transport, VenueProcess } from './ports.ts'
import { hex } from './replica.ts'
import { SessionKeeper } from './session-keeper.ts'
import { SessionReaper } from './sessions.ts'
import { type NodeHost, ShardNode, TIMING, type Timing } from './shard-node.ts'
import { TransferDriver } from './transfers.ts'

export type VenueCoreOptions = {
  readonly region: RegionName
  /** Random non-zero 32-bit number of this process. */
  readonly origin: number
  readonly markets: Markets
  readonly clock: Clock
  /** By shard. */
  readonly journals: readonly Journal[]
  readonly transport: Transport
  readonly snapshots: SnapshotStore
  /** Further metrics of the ports. */
  readonly figures?: () => Readonly<Record<string, number>>
  readonly logger: Logger
  readonly timing?: Partial<Timing>
  /**
   * A batch was applied here. `outcomes` are those of this process's commands (`outcomes.ts`). The events are valid until it returns;
   * the bytes are shared and must not be changed.
   */
  readonly onBatch: (batch: CommittedBatch, outcomes: Float64Array) => void
  readonly onStatus: (status: VenueStatus) => void
}

const TICK_MS = 200
const PROGRESS_MS = 400
const STATUS_MS = 500
const REAP_MS = 500

/** A question about the state of a shard, as it crosses threads. */
export type Question =
  | { readonly kind: 'account'; readonly shard: ShardIndex; readonly account: AccountId }
  | { readonly kind: 'order'; readonly order: OrderId }
  | { readonly kind: 'outcome'; readonly shard: ShardIndex; readonly account: AccountId; readonly clientId: string }
  | { readonly kind: 'book'; readonly instrument: InstrumentId; readonly levelsMax: number }
  | { readonly kind: 'auction'; readonly instrument: InstrumentId }
  | { readonly kind: 'trial_balance'; readonly shard: ShardIndex }
  | { readonly kind: 'state_hash'; readonly shard: ShardIndex }

/** Another process: what it has applied of each shard, as it last said, and whether it is about to end. */
type Other = { readonly process: VenueProcess; seqs: readonly Seq[]; isLeaving: boolean }

export class VenueCore {
  readonly #options: VenueCoreOptions
  readonly #nodes: readonly ShardNode[]
  readonly #transfers: TransferDriver
  readonly #reaper: SessionReaper
  readonly #sessions: SessionKeeper
  /** Those with a link, by origin; the one whose link is newest is last. */
  readonly #others = new Map<number, Other>()
  readonly #timers = new Set<() => void>()
  readonly #isolation: Isolation
  #live = false
  #leaving = false
  #transfersDue = false
  #statusDue = false
  #appliedBatches = 0
  #appliedCommands = 0
  #framesRefused = 0

  constructor(options: VenueCoreOptions) {
    this.#options = options
    const host = this.#host()
    this.#isolation = new Isolation(host.timing.isolation_ms)
    this.#nodes = options.markets.shards.map((shard) => {
      const journal = options.journals[shard.index]
      if (journal === undefined) throw new RangeError(`shard ${shard.name} has no journal`)
      return new ShardNode(shard, journal, host)
    })
    this.#transfers = new TransferDriver(this.#nodes, options.clock)
    this.#sessions = new SessionKeeper(this.#nodes, options.markets.instruments, options.clock)
    this.#reaper = new SessionReaper(options.clock, (origin) => this.#isAlive(origin))
  }

  /** Recovers every shard, then joins the others. */
  async start(): Promise<void> {
    const { transport, snapshots } = this.#options
    for (const node of this.#nodes) await node.recover(snapshots)
    this.#sessions.look()
    this.#live = true
    await transport.start({
      up: (process) => this.#linkUp(process),
      down: (process) => this.#linkDown(process),
      looked: () => this.#look(),
      received: (origin, frame) => this.#received(origin, frame),
    })
    for (const node of this.#nodes) node.join()
    this.#every(TICK_MS, () => {
      for (const node of this.#nodes) node.tick()
      this.#transfers.drive()
      this.#sessions.turn()
      this.#lookAtIsolation()
    })
    this.#every(PROGRESS_MS, () => this.#broadcast(this.#progressFrame()))
    this.#every(REAP_MS, () => this.#reaper.reap(this.#nodes))
    this.#every(STATUS_MS, () => this.#options.onStatus(this.status()))
    this.#options.onStatus(this.status())
  }

  node(shard: ShardIndex): ShardNode {
    const node = this.#nodes[shard]
    if (node === undefined) throw new RangeError(`there is no shard ${shard}`)
    return node
  }

  /** Takes encoded, well-formed commands of this process, with consecutive correlations. The bytes are kept. */
  submit(shard: ShardIndex, records: Uint8Array, first: number, count: number): void {
    this.node(shard).submit(records, first, count)
  }

  /** Nobody waits for the outcomes up to this correlation any more: what was not sent by now never will be. */
  forgetThrough(shard: ShardIndex, correlation: number): void {
    this.node(shard).pending.concludeThrough(correlation)
  }

  ask(question: Question): { readonly shard: ShardIndex; readonly seq: Seq; readonly value: unknown } {
    const { replica } = this.node(this.#shardOf(question))
    return { shard: replica.shard, seq: replica.seq, value: answer(replica.engine, question) }
  }

  handOver(shard: ShardIndex, to: RegionName): Promise<void> {
    return this.node(shard).handOver(to, true)
  }

  status(): VenueStatus {
    const { region, origin, transport } = this.#options
    const sum = (figure: keyof LeaderFigures) => this.#nodes.reduce((total, node) => total + node.figures[figure], 0)
    return {
      region,
      origin,
      shards: this.#nodes.map((node) => this.#shardStatus(node)),
      engineVersion: ENGINE_VERSION,
      links: transport.regions.map((peer) => {
        const processes = [...this.#others.values()].filter(({ process }) => process.region === peer).length
        return { region: peer, connected: processes > 0, processes }
      }),
      isIsolated: this.#isolation.isIsolated,
      metrics: {
        wintrades_venue_appended_batches_total: sum('batches'),
        wintrades_venue_appended_commands_total: sum('commands'),
        wintrades_venue_append_seconds_total: sum('appendSeconds'),
        wintrades_venue_appends_held_up_total: sum('heldUp'),
        wintrades_venue_append_retries_total: sum('retries'),
        wintrades_venue_applied_batches_total: this.#appliedBatches,
        wintrades_venue_applied_commands_total: this.#appliedCommands,
        wintrades_venue_link_frames_refused_total: this.#framesRefused,
        ...this.#options.figures?.(),
      },
    }
  }

  /** Gives up what is led here, in order, and ends. */
  async close(): Promise<void> {
    this.#leaving = true
    this.#broadcast(this.#progressFrame())
    await Promise.all(this.#nodes.map((node) => node.close()))
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    await this.#options.transport.close()
    for (const journal of this.#options.journals) journal.close()
  }

  #shardStatus(node: ShardNode): ShardStatus {
    const { replica, shard } = node
    return {
      shard: shard.index,
      // One that leads still, and cannot append, takes nothing that another may have to be asked for.
      leader: this.#isolation.isIsolated ? null : (node.leader?.region ?? null),
      epoch: node.epoch,
      seq: replica.seq,
      timestamp: replica.engine.timestamp,
      leading: node.leading,
      fault: node.fault,
      behind: this.#behind(node),
      pending: node.pending.size,
      deduplicationFrom: replica.engine.deduplicationFrom(),
      version: replica.engine.version,
    }
  }

  #lookAtIsolation(): void {
    const { clock, logger, region, transport } = this.#options
    if (!transport.regions.some((peer) => peer !== region)) return
    const others = new Set([...this.#others.values()].map(({ process }) => process.region))
    others.delete(region)
    const connections = {
      regions: others.size,
      journalAnsweredAt_us: Math.min(...this.#nodes.map((node) => node.journalAnsweredAt_us)) as Timestamp,
      areLeadersKnown: this.#nodes.every((node) => node.leader !== null),
    }
    if (!this.#isolation.look(connections, clock.now_us())) return
    if (this.#isolation.isIsolated) logger.warn('cut off: no other region has a link, and the journal does not answer')
    else logger.info('not cut off any more')
    this.#statusSoon()
  }

  #behind({ shard, replica }: ShardNode): number {
    const ahead = [...this.#others.values()].map(({ seqs }) => (seqs[shard.index] ?? 0) - replica.seq)
    return Math.max(0, ...ahead)
  }

  #host(): NodeHost {
    const { region, origin, clock, logger, transport, timing, markets } = this.#options
    return {
      self: { region, origin },
      clock,
      logger,
      timing: { ...TIMING, ...timing },
      others: (shard: Shard) =>
        [...this.#others.values()].map(({ process, seqs, isLeaving }) => {
          return { process, isLeaving, seq: seqs[shard.index] ?? (0 as Seq) }
        }),
      isLinked: (other) => this.#others.has(other),
      isPeer: (peer) => transport.regions.includes(peer),
      isDeserted: (peer) => transport.isDeserted(peer),
      isGone: (process) => transport.isGone(process),
      send: (other, parts) => transport.send(other, parts),
      broadcast: (parts) => this.#broadcast(parts),
      applied: (node, batch, events) => this.#applied(node, batch, events),
      definitions: (node) => encodeAll(missingDefinitions(markets, node.shard.index, node.replica.engine)),
      changed: () => this.#statusSoon(),
    }
  }

  #applied(node: ShardNode, bytes: Uint8Array, events: Float64Array): void {
    const header = readBatchHeader(bytes)
    this.#appliedBatches++
    this.#appliedCommands += header.commandCount
    // Replayed at the start: nobody listens yet, and this process has sent nothing.
    if (!this.#live) return
    const outcomes = outcomesOf(bytes, events, this.#options.origin)
    const last = outcomes.at(-4)
    if (last !== undefined) node.pending.concludeThrough(last)
    if (hasTransfer(bytes, header.commandCount)) this.#driveTransfersSoon()
    const { shard, seq, epoch, timestamp, firstCommand, commandCount } = header
    this.#options.onBatch({ shard, seq, epoch, timestamp, firstCommand, commandCount, bytes, events }, outcomes)
  }

  #driveTransfersSoon(): void {
    if (this.#transfersDue) return
    this.#transfersDue = true
    this.#options.clock.soon(() => {
      this.#transfersDue = false
      this.#transfers.drive()
    })
  }

  /** Several changes at once are one status. */
  #statusSoon(): void {
    if (this.#statusDue || !this.#live) return
    this.#statusDue = true
    this.#options.clock.soon(() => {
      this.#statusDue = false
      this.#options.onStatus(this.status())
    })
  }

  #broadcast(parts: readonly Uint8Array[]): void {
    for (const origin of this.#others.keys()) this.#options.transport.send(origin, parts)
  }

  #progressFrame(): readonly Uint8Array[] {
    const seqs = this.#nodes.map((node) => node.replica.seq)
    return progressFrame(seqs, this.#leaving)
  }

  #isAlive(origin: number): boolean {
    return origin === this.#options.origin || this.#others.has(origin)
  }

  #linkUp(process: VenueProcess): void {
    this.#others.set(process.origin, { process, seqs: [], isLeaving: false })
    this.#options.transport.send(process.origin, this.#progressFrame())
    for (const node of this.#nodes) node.linkUp(process.origin)
    this.#statusSoon()
  }

  #linkDown(process: VenueProcess): void {
    this.#others.delete(process.origin)
    this.#look()
    this.#statusSoon()
  }

  /** What is known of other processes has changed: it may decide who leads. */
  #look(): void {
    for (const node of this.#nodes) node.tick(true)
  }

  #received(origin: number, bytes: Uint8Array): void {
    const other = this.#others.get(origin)
    if (other === undefined) return
    let frame: ReturnType<typeof readFrame>
    try {
      frame = readFrame(bytes, this.#nodes.length)
    } catch (error) {
      this.#framesRefused++
      this.#options.logger.error('a frame was refused', { ...other.process, error })
      return
    }
    if (frame.kind === FrameKind.progress) {
      other.seqs = frame.seqs
      other.isLeaving = frame.isLeaving
      for (const node of this.#nodes) {
        if (node.leader?.origin === origin) node.behind(frame.seqs[node.shard.index] as Seq)
      }
      return
    }
    const node = this.node(frame.shard)
    switch (frame.kind) {
      case FrameKind.commands:
        node.received(frame.records, frame.count, frame.epoch)
        break
      case FrameKind.batch:
        node.pushed(frame.batch)
        break
      case FrameKind.leading:
        node.announced(other.process, frame.epoch)
        break
      case FrameKind.hand_over:
        node.askedToHandOver(frame.epoch, node.shard.regions[frame.region] ?? null, frame.pinned)
        break
      case FrameKind.released:
        node.released(
          frame.epoch,
          frame.region === null ? null : (node.shard.regions[frame.region] ?? null),
          frame.heir,
        )
        break
    }
  }

  #every(interval_ms: number, action: () => void): void {
    let cancel = () => {}
    const again = () => {
      this.#timers.delete(cancel)
      cancel = this.#options.clock.after(interval_ms, () => {
        again()
        action()
      })
      this.#timers.add(cancel)
    }
    again()
  }

  #shardOf(question: Question): ShardIndex {
    if (question.kind === 'order') return shardOfOrder(question.order)
    if (question.kind !== 'book' && question.kind !== 'auction') return question.shard
    const instrument = this.#options.markets.instruments.find((one) => one.id === question.instrument)
    if (instrument === undefined) throw new RangeError(`there is no instrument ${question.instrument}`)
    return instrument.shard
  }
}

function answer(engine: ShardNode['replica']['engine'], question: Question): unknown {
  switch (question.kind) {
    case 'account':
      return engine.account(question.account)
    case 'order':
      return engine.order(question.order)
    case 'outcome': {
      const outcome = engine.outcome(question.account, question.clientId)
      return outcome === null ? null : { outcome, openOrder: engine.order(outcome.order) }
    }
    case 'book':
      return engine.book(question.instrument, question.levelsMax)
    case 'auction':
      return engine.indicativeAuction(question.instrument)
    case 'trial_balance':
      return { balances: engine.trialBalance(), inFlight: engine.transfersInFlight() }
    case 'state_hash':
      return hex(engine.stateHash())
  }
}

function hasTransfer(batch: Uint8Array, count: number): boolean {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  let at: number = BATCH.commands
  for (let i = 0; i < count; i++) {
    const type = view.getUint8(at)
    if (type === CommandType.transfer_out || type === CommandType.transfer_in) return true
    at += view.getUint16(at + HEADER.length, true)
  }
  return false
}
