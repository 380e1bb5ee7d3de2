// One shard in one process: its replica, kept up with the journal; its part in choosing the leader; the leader itself while this process
// is it; and the way of this process's own commands to whoever leads. Promises:
//
//   a command takes effect at most once   it is sent again only under a higher epoch, once the replica has applied that epoch's first
//                                         batch: what has not come by then never will, because the older epoch is fenced
//   a leader begins at the head           it claims (which fences), replays to the end, and appends a first batch before it takes commands

import { type Epoch, type RegionName, readBatchHeader, type Seq, type Shard, type Timestamp } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { JournalDamage } from './chain.ts'
import { Leader, type LeaderFigures } from './leader.ts'
import { LeaseWatch } from './lease-watch.ts'
import { batchFrame, commandsFrame, handOverFrame, leadingFrame, releasedFrame } from './links/frames.ts'
import { Pending } from './pending.ts'
import type { Clock, Journal, Lease, SnapshotStore, VenueProcess } from './ports.ts'
import { Replica } from './replica.ts'
import { type Candidate, chooseHeir, patience_ms } from './succession.ts'

/** How fast things happen; tests and simulations may differ. */
export type Timing = {
  readonly leaseTtl_ms: number
  readonly leaseRenew_ms: number
  readonly leaseRead_ms: number
  /** How much later each further region claims than the one before it. */
  readonly claimStep_ms: number
  /** How much later each further process of a region does. */
  readonly siblingStep_ms: number
  /** How long a process that has just started leaves free leases to regions that come before its own. */
  readonly startGrace_ms: number
  /** How long a lease that was released to one region is left to it. */
  readonly reservation_ms: number
  /** How long the home region must be back and caught up before its shard goes home. */
  readonly failBack_ms: number
  /** How long a process without links may be left without an answer by the journal before it is cut off. */
  readonly isolation_ms: number
}

export const TIMING: Timing = {
  leaseTtl_ms: 1_500,
  leaseRenew_ms: 400,
  leaseRead_ms: 300,
  claimStep_ms: 150,
  siblingStep_ms: 50,
  startGrace_ms: 3_000,
  reservation_ms: 700,
  failBack_ms: 10_000,
  isolation_ms: 3_000,
}

/** What a shard's node needs of its process. */
export type NodeHost = {
  readonly self: VenueProcess
  readonly clock: Clock
  readonly logger: Logger
  readonly timing: Timing
  /** Processes with a link, the newest last, and how far each is with this shard. */
  others(shard: Shard): readonly Candidate[]
  isLinked(origin: number): boolean
  /** There may be another process in that region. */
  isPeer(region: RegionName): boolean
  /** Nobody listens in that region. */
  isDeserted(region: RegionName): boolean
  /** That process has ended. */
  isGone(process: VenueProcess): boolean
  send(origin: number, parts: readonly Uint8Array[]): boolean
  broadcast(parts: readonly Uint8Array[]): void
  /** A batch was applied here. */
  applied(node: ShardNode, batch: Uint8Array, events: Float64Array): void
  /** Definitions that the engine lacks, encoded. */
  definitions(node: ShardNode): { readonly records: Uint8Array; readonly count: number }
  changed(): void
}

export type Role = 'following' | 'claiming' | 'leading' | 'handing_over'

const READ_BYTES = 4 * 1024 * 1024
const PUSHED_MAX = 1_024
const HAND_OVER_TIMEOUT_MS = 5_000
const NO_DEFINITIONS = new Uint8Array(0)

export class ShardNode {
  readonly shard: Shard
  readonly replica: Replica
  readonly pending = new Pending()
  readonly figures: LeaderFigures = { batches: 0, commands: 0, appendSeconds: 0, heldUp: 0, retries: 0 }
  readonly #host: NodeHost
  readonly #journal: Journal
  readonly #logger: Logger
  readonly #watch: LeaseWatch
  #role: Role = 'following'
  #leader: Leader | null = null
  /** Who leads, as far as is known here, and since which epoch. */
  #known: { readonly epoch: Epoch; readonly process: VenueProcess | null } = { epoch: 0 as Epoch, process: null }
  /** Whom the lease was released to, and after which epoch. */
  #heir: { readonly epoch: Epoch; readonly origin: number } | null = null
  /** The last epoch this process had: it does not take it up again. */
  #spentEpoch = 0 as Epoch
  #pinned = false
  #fault: string | null = null
  #lastRead_us = Number.NEGATIVE_INFINITY
  #lastRenew_us = 0
  #journalAnsweredAt_us: Timestamp
  /** Since when the lease is seen free to be claimed. */
  #freeSince_us: number | null = null
  #homeBackSince_us: number | null = null
  #ticking = false
  #tickAgain = false
  #catchingUp: Promise<void> | null = null
  #pushed: Uint8Array[] = []
  #claimable = false
  #joinedAt_us = 0
  #closing = false

  constructor(shard: Shard, journal: Journal, host: NodeHost) {
    this.shard = shard
    this.#journal = journal
    this.#host = host
    this.#logger = host.logger
    this.#watch = new LeaseWatch(host.timing.leaseTtl_ms)
    this.#journalAnsweredAt_us = host.clock.now_us()
    this.replica = new Replica(shard)
  }

  get role(): Role {
    return this.#role
  }

  get fault(): string | null {
    return this.#fault ?? this.replica.fault
  }

  get leading(): boolean {
    return this.#role === 'leading'
  }

  /** The process that can be sent commands at this moment. */
  get leader(): VenueProcess | null {
    const { process, epoch } = this.#known
    if (process === null || this.replica.epoch !== epoch) return null
    if (this.#isSelf(process)) return this.#role === 'leading' ? process : null
    return this.#host.isLinked(process.origin) ? process : null
  }

  /** When it last said whose the lease is, by this process's clock. */
  get journalAnsweredAt_us(): Timestamp {
    return this.#journalAnsweredAt_us
  }

  get epoch(): Epoch {
    return Math.max(this.#known.epoch, this.replica.epoch) as Epoch
  }

  /** Newest valid snapshot, then the journal's tail. A damaged snapshot is reported and an older one used. */
  async recover(snapshots: SnapshotStore): Promise<void> {
    for (const seq of await snapshots.list(this.shard.index)) {
      try {
        this.replica.restore(await snapshots.read(this.shard.index, seq))
        break
      } catch (error) {
        this.#logger.error('a snapshot cannot be used, trying an older one', { shard: this.shard.name, seq, error })
      }
    }
    await this.#catchUp()
    const extent = await this.#journal.extent()
    if ((extent?.last ?? 0) >= this.replica.seq || this.fault !== null) return
    this.#broken(`it ends at batch ${extent?.last ?? 0}, and the snapshot was taken after batch ${this.replica.seq}`)
  }

  /** From now on this node may claim the lease. */
  join(): void {
    this.#claimable = true
    this.#joinedAt_us = this.#host.clock.now_us()
    this.tick()
  }

  /** To be called about five times a second, and when something has happened that may decide who leads. */
  tick(urgent = false): void {
    if (urgent) this.#lastRead_us = Number.NEGATIVE_INFINITY
    if (this.#ticking) {
      this.#tickAgain ||= urgent
      return
    }
    this.#ticking = true
    void this.#tick()
      .catch((error: unknown) => {
        this.#logger.warn('the lease cannot be reached, trying again', { shard: this.shard.name, error })
      })
      .finally(() => {
        this.#ticking = false
        if (this.#tickAgain) {
          this.#tickAgain = false
          this.#host.clock.soon(() => this.tick())
        }
      })
  }

  /** Takes this process's own encoded commands, with consecutive correlations. */
  submit(records: Uint8Array, first: number, count: number): void {
    this.pending.add(records, first, count)
    this.flush()
  }

  /** A command of the venue's own, sent once and not waited for: whoever sends it looks at what becomes of it. */
  submitOwn(records: Uint8Array, count: number): void {
    const { leader } = this
    if (leader === null) return
    if (this.#isSelf(leader)) this.#leader?.offer(records, count)
    else this.#host.send(leader.origin, commandsFrame(this.shard.index, this.#known.epoch, count, records))
  }

  /** Sends what has not been sent under the present epoch. */
  flush(): void {
    if (this.pending.size === 0) return
    const { leader } = this
    const { epoch } = this.#known
    if (leader === null) return
    this.pending.takeUnsent(epoch, ({ records, count }) => {
      if (!this.#isSelf(leader)) {
        return this.#host.send(leader.origin, commandsFrame(this.shard.index, epoch, count, records))
      }
      this.#leader?.offer(records, count)
      return true
    })
  }

  // What links bring.

  linkUp(origin: number): void {
    if (this.#role === 'leading') this.#host.send(origin, leadingFrame(this.shard.index, this.#known.epoch))
    if (origin === this.#known.process?.origin) {
      this.pending.forgetSent()
      this.flush()
    }
    this.tick(true)
  }

  received(records: Uint8Array, count: number, epoch: Epoch): void {
    // Of an epoch that is over, or not begun: its sender will learn of the next and send again.
    if (this.#leader?.epoch === epoch) this.#leader.offer(records, count)
  }

  /** A batch that its leader has committed. */
  pushed(batch: Uint8Array): void {
    if (this.#leader !== null || this.fault !== null) return
    if (this.#catchingUp !== null) {
      if (this.#pushed.length < PUSHED_MAX) this.#pushed.push(batch)
      return
    }
    if (batch.length < 16 || readSeq(batch) <= this.replica.seq) return
    const events = this.#guard(() => this.replica.offer(batch))
    if (events === null) void this.#catchUp()
    else this.#applied(batch, events)
  }

  announced(process: VenueProcess, epoch: Epoch): void {
    const { epoch: known, process: leader } = this.#known
    if (epoch < known || (epoch === known && leader?.origin === process.origin)) return
    this.#learn(epoch, process)
    if (this.replica.epoch < epoch) void this.#catchUp()
  }

  /** `heir`: the process that may claim first; 0: whichever of that region. */
  released(epoch: Epoch, to: RegionName | null, heir: number): void {
    if (epoch < this.#known.epoch) return
    this.#known = { epoch, process: null }
    this.#heir = heir === 0 ? null : { epoch, origin: heir }
    this.#host.changed()
    if (to === this.#host.self.region || to === null) this.tick(true)
  }

  /** A peer says how far the leader is. */
  behind(seq: Seq): void {
    if (seq > this.replica.seq && this.#role === 'following') void this.#catchUp()
  }

  // Leadership on purpose.

  /** Moves the leadership to another region, wherever it is now; resolves when a process of that region leads. */
  async handOver(to: RegionName, pinned: boolean): Promise<void> {
    const { shard, leader } = this
    if (!shard.regions.includes(to)) {
      throw new HandOverRefused(`shard ${shard.name} is never led by ${to}; only by ${shard.regions.join(', ')}`)
    }
    if (leader === null) throw new HandOverRefused(`nobody leads shard ${shard.name} at this moment; try again`)
    if (leader.region === to) return
    const { epoch } = this
    if (!this.#isSelf(leader)) {
      this.#host.send(leader.origin, handOverFrame(shard.index, epoch, shard.regions.indexOf(to), pinned))
    } else {
      const others = this.#host.others(shard)
      const heir = this.#heirIn(to) ?? others.findLast(({ process }) => process.region === to)?.process
      if (heir === undefined) throw new HandOverRefused(`there is no link to ${to}`)
      await this.#letGo(to, heir, pinned)
    }
    const deadline_us = this.#host.clock.now_us() + HAND_OVER_TIMEOUT_MS * 1_000
    while (this.replica.epoch <= epoch || this.leader?.region !== to) {
      if (this.#host.clock.now_us() > deadline_us)
        throw new HandOverRefused(`${to} did not take shard ${shard.name} over`)
      await new Promise<void>((resolve) => void this.#host.clock.after(2, resolve))
    }
  }

  /** Another process passes on what an operator wants. */
  askedToHandOver(epoch: Epoch, to: RegionName | null, pinned: boolean): void {
    if (this.#leader?.epoch !== epoch || to === null) return
    this.handOver(to, pinned).catch((error: unknown) => {
      this.#logger.warn('hand-over failed', { shard: this.shard.name, to, error })
    })
  }

  /** Hands over or releases what is led here, to a process of the own region before others, and claims nothing any more. */
  async close(): Promise<void> {
    this.#closing = true
    while (this.#role === 'claiming') await new Promise<void>((resolve) => void this.#host.clock.after(5, resolve))
    if (this.#role !== 'leading') return
    const { region } = this.#host.self
    const inOrder = [region, ...this.shard.regions.filter((one) => one !== region)]
    const [heir] = inOrder.flatMap((one) => this.#heirIn(one) ?? [])
    await this.#letGo(heir?.region ?? null, heir ?? null, false)
  }

  #heirIn(region: RegionName): VenueProcess | null {
    return chooseHeir(this.#host.others(this.shard), region, this.replica.seq)
  }

  async #letGo(to: RegionName | null, heir: VenueProcess | null, pinned: boolean): Promise<void> {
    const leader = this.#leader
    if (leader === null) return
    this.#role = 'handing_over'
    await leader.stop()
    if (this.#leader !== leader) return // fenced meanwhile
    let released = false
    try {
      released = await this.#journal.release(leader.epoch, to, pinned)
    } catch (error) {
      this.#logger.warn('the lease may not have been released; it expires', { shard: this.shard.name, error })
    }
    this.#retire()
    this.#logger.info('handed over', { shard: this.shard.name, epoch: leader.epoch, to, heir: heir?.origin, released })
    if (!released) return
    this.#known = { epoch: leader.epoch, process: null }
    const index = to === null ? null : this.shard.regions.indexOf(to)
    this.#host.broadcast(releasedFrame(this.shard.index, leader.epoch, index, heir?.origin ?? 0))
    this.#host.changed()
  }

  // The lease.

  async #tick(): Promise<void> {
    const { timing, clock } = this.#host
    if (this.fault !== null) {
      if (this.#role === 'leading') await this.#letGo(null, null, false)
      return
    }
    if (this.#role !== 'following') {
      if (this.#role !== 'handing_over') await this.#renew()
      if (this.#role === 'leading') this.#considerFailBack()
      return
    }
    const now_us = clock.now_us()
    if (now_us - this.#lastRead_us >= timing.leaseRead_ms * 1_000) {
      this.#lastRead_us = now_us
      const lease = await this.#journal.readLease()
      this.#journalAnsweredAt_us = clock.now_us()
      await this.#consider(lease)
    }
    // Without a link to the leader its batches have to be fetched.
    if (this.#role === 'following' && this.leader === null) await this.#catchUp()
    this.flush()
  }

  async #renew(): Promise<void> {
    const { clock, timing } = this.#host
    const leader = this.#leader
    if (leader === null || clock.now_us() - this.#lastRenew_us < timing.leaseRenew_ms * 1_000) return
    this.#lastRenew_us = clock.now_us()
    const isRenewed = await this.#journal.renew(leader.epoch, timing.leaseTtl_ms)
    this.#journalAnsweredAt_us = clock.now_us()
    if (!isRenewed && this.#leader === leader) this.#fenced()
  }

  async #consider(lease: Lease): Promise<void> {
    const { holder, origin, epoch } = lease
    const isOwn = holder !== null && origin === this.#host.self.origin
    if (isOwn && epoch > this.#spentEpoch) return await this.#takeOver(epoch)
    if (holder !== null && epoch > this.#known.epoch && !isOwn) this.#learn(epoch, { region: holder, origin })
    const isAbandoned = this.#watch.isAbandoned(lease, this.#host.clock.now_us())
    if (this.#role !== 'following' || !this.#claimable || this.#closing) return
    const isDead = holder !== null && !this.#host.isLinked(origin) && this.#host.isGone({ region: holder, origin })
    const early = isDead || (holder !== null && isAbandoned)
    const isFree = early || lease.holder === null || lease.remaining_ms <= 0
    if (!isFree) {
      this.#freeSince_us = null
      return
    }
    this.#freeSince_us ??= this.#host.clock.now_us()
    const wait_ms = this.#patience_ms(lease)
    if (wait_ms === null) return
    const left_ms = wait_ms - (this.#host.clock.now_us() - this.#freeSince_us) / 1_000
    if (left_ms > 0) {
      this.#host.clock.after(left_ms, () => this.tick(true))
      return
    }
    await this.#claim(lease, early)
  }

  /** How long this process leaves a free lease to those that come before it; null: it never claims. */
  #patience_ms(lease: Lease): number | null {
    const host = this.#host
    const around = {
      self: host.self,
      linked: host.others(this.shard).map(({ process }) => process),
      isPeer: (region: RegionName) => host.isPeer(region),
      isDeserted: (region: RegionName) => host.isDeserted(region),
    }
    const uptime_ms = (host.clock.now_us() - this.#joinedAt_us) / 1_000
    const heir = this.#heir?.epoch === lease.epoch ? this.#heir.origin : null
    return patience_ms(this.shard, lease, around, { timing: host.timing, uptime_ms, heir })
  }

  async #claim(lease: Lease, early: boolean): Promise<void> {
    const { timing } = this.#host
    const { region, origin } = this.#host.self
    this.#role = 'claiming'
    this.#lastRenew_us = this.#host.clock.now_us()
    const pinned = lease.pinned && lease.holder === null && lease.reservedFor === region
    const claim = { region, origin, seen: lease.epoch, early, ttl_ms: timing.leaseTtl_ms, pinned }
    let epoch: Epoch | null = null
    try {
      epoch = await this.#journal.claim(claim)
    } finally {
      this.#role = 'following'
      this.#freeSince_us = null
      this.#lastRead_us = Number.NEGATIVE_INFINITY
    }
    if (epoch !== null) {
      this.#pinned = pinned
      await this.#takeOver(epoch)
    }
  }

  /** The lease is this process's: replay to the head, then begin the epoch. */
  async #takeOver(epoch: Epoch): Promise<void> {
    if (this.#role !== 'following') return
    this.#role = 'claiming'
    this.#spentEpoch = epoch
    this.#known = { epoch, process: null }
    const began_us = this.#host.clock.now_us()
    const leader = new Leader({
      epoch,
      journal: this.#journal,
      replica: this.replica,
      clock: this.#host.clock,
      logger: this.#logger,
      figures: this.figures,
      listener: {
        committed: (batch) => this.#committed(batch),
        fenced: () => this.#fenced(),
        broken: (reason) => this.#broken(reason),
      },
    })
    this.#leader = leader
    // The tick that led here must not be held up: renewals go on meanwhile.
    void this.#begin(leader).then((began) => {
      if (!began) {
        if (this.#leader === leader) this.#retire()
        return
      }
      const took_ms = (this.#host.clock.now_us() - began_us) / 1_000
      this.#logger.info('leading', { shard: this.shard.name, epoch, seq: this.replica.seq, took_ms })
    })
  }

  async #begin(leader: Leader): Promise<boolean> {
    try {
      // An answer that was lost on the way may still be carried out; from the claim on only this epoch can append.
      while (!(await this.#catchUpToHead(leader))) {
        if (this.#leader !== leader || this.fault !== null) return false
        await new Promise<void>((resolve) => void this.#host.clock.after(50, resolve))
      }
      const { records, count } = this.#host.definitions(this)
      if (!(await leader.begin(count === 0 ? NO_DEFINITIONS : records, count))) return false
    } catch (error) {
      this.#broken(error instanceof Error ? error.message : String(error))
      return false
    }
    if (this.#leader !== leader) return false
    this.#role = 'leading'
    this.#homeBackSince_us = null
    this.#learn(leader.epoch, this.#host.self)
    this.#host.broadcast(leadingFrame(this.shard.index, leader.epoch))
    return true
  }

  async #catchUpToHead(leader: Leader): Promise<boolean> {
    await this.#catchingUp
    if (this.#leader !== leader) return false
    return await this.#readAll()
  }

  #considerFailBack(): void {
    const { timing, clock, self } = this.#host
    const [home] = this.shard.regions
    if (home === undefined || home === self.region || this.#pinned) return
    if (this.#heirIn(home) === null) {
      this.#homeBackSince_us = null
      return
    }
    this.#homeBackSince_us ??= clock.now_us()
    if (clock.now_us() - this.#homeBackSince_us < timing.failBack_ms * 1_000) return
    this.#homeBackSince_us = null
    this.handOver(home, false).catch((error: unknown) => {
      this.#logger.warn('the shard did not go home', { shard: this.shard.name, error })
    })
  }

  // The end of a leadership.

  #fenced(): void {
    if (this.#leader === null) return
    this.#logger.warn('another process leads now', { shard: this.shard.name, epoch: this.#leader.epoch })
    this.#retire()
    this.tick(true)
  }

  #broken(reason: string): void {
    this.#fault ??= `journal of shard ${this.shard.name}: ${reason}`
    this.#logger.error('the shard is stopped here', { shard: this.shard.name, fault: this.fault })
    this.#retire()
  }

  #retire(): void {
    this.#leader?.end()
    this.#leader = null
    this.#role = 'following'
    this.#pinned = false
    const { epoch, process } = this.#known
    if (process !== null && this.#isSelf(process)) this.#known = { epoch, process: null }
    this.#host.changed()
  }

  #isSelf(process: VenueProcess): boolean {
    return process.origin === this.#host.self.origin
  }

  #learn(epoch: Epoch, process: VenueProcess): void {
    this.#known = { epoch, process }
    this.#freeSince_us = null
    if (this.#leader !== null && this.#leader.epoch < epoch) this.#fenced()
    this.#host.changed()
    this.flush()
  }

  // Batches.

  #committed(batch: Uint8Array): void {
    this.#host.broadcast(batchFrame(this.shard.index, batch))
    const events = this.#guard(() => this.replica.applyOwn(batch))
    if (events !== null) this.#applied(batch, events)
  }

  #applied(batch: Uint8Array, events: Float64Array): void {
    const epochBefore = this.#appliedEpoch
    this.#appliedEpoch = this.replica.epoch
    this.#host.applied(this, batch, events)
    if (this.#appliedEpoch > epochBefore) {
      this.#host.changed()
      this.flush()
    }
  }

  #appliedEpoch = 0 as Epoch

  /** Reads the journal until there is nothing new. Never rejects: a database that does not answer is asked again by the next tick. */
  #catchUp(): Promise<void> {
    if (this.#leader !== null || this.fault !== null) return Promise.resolve()
    this.#catchingUp ??= this.#readAll()
      .then(() => this.#takePushed())
      .finally(() => {
        this.#catchingUp = null
      })
    return this.#catchingUp
  }

  /** true: the replica is at what was the head. */
  async #readAll(): Promise<boolean> {
    try {
      for (;;) {
        const rows = await this.#journal.read((this.replica.seq + 1) as Seq, READ_BYTES)
        if (rows.length === 0) return (await this.#isWhole()) && this.fault === null
        for (const { seq, bytes } of rows) {
          if (seq <= this.replica.seq) continue
          if (seq !== this.replica.seq + 1) {
            throw new JournalDamage(
              `journal of shard ${this.shard.name}: after batch ${this.replica.seq} comes batch ${seq}; what lies between was removed or lost, and there is no snapshot of it`,
            )
          }
          this.#applied(bytes, this.replica.apply(bytes))
        }
        // Long replays leave room for what else there is to do.
        await new Promise<void>((resolve) => this.#host.clock.soon(resolve))
      }
    } catch (error) {
      if (error instanceof JournalDamage || this.replica.fault !== null) {
        this.#fault ??= error instanceof Error ? error.message : String(error)
        this.#logger.error('the shard is stopped here', { shard: this.shard.name, fault: this.fault })
        this.#host.changed()
      } else {
        this.#logger.warn('the journal cannot be read, trying again', { shard: this.shard.name, error })
      }
      return false
    }
  }

  /** Nothing after the replica's place: either that is the head, or the journal begins later. */
  async #isWhole(): Promise<boolean> {
    const extent = await this.#journal.extent()
    if (extent === null || extent.last <= this.replica.seq) return true
    if (extent.first <= this.replica.seq + 1) return false
    throw new JournalDamage(
      `journal of shard ${this.shard.name} begins at batch ${extent.first}, and there is no valid snapshot from ${extent.first - 1} on`,
    )
  }

  #takePushed(): void {
    const pushed = this.#pushed
    this.#pushed = []
    for (const batch of pushed) {
      if (readSeq(batch) !== this.replica.seq + 1) continue
      const events = this.#guard(() => this.replica.offer(batch))
      if (events === null) return
      this.#applied(batch, events)
    }
  }

  #guard(apply: () => Float64Array | null): Float64Array | null {
    try {
      return apply()
    } catch (error) {
      this.#logger.error('the shard is stopped here', { shard: this.shard.name, error })
      this.#retire()
      return null
    }
  }
}

/** A hand-over that cannot take place; the shard is led as before, or is free for others. */
export class HandOverRefused extends Error {
  override readonly name = 'HandOverRefused'
}

function readSeq(batch: Uint8Array): Seq {
  return batch.length < 16 ? (0 as Seq) : readBatchHeader(batch).seq
}
