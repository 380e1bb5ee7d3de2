// A modelled database server: what survives a kill -9 (binlog, relay log, term, channel) and what does not, and the rules of AFTER_SYNC.

import {
  contains,
  EMPTY,
  type GtidSet,
  gtid,
  isEmpty,
  isSameTerm,
  subtract,
  type Term,
  union,
} from '@wintrades/operations/promotion'

/** One transaction in a binlog. `id` tells apart even two that carry the same GTID. */
export type Entry = {
  readonly id: number
  readonly set: GtidSet
  /** The term that it writes; null: a client's commit. */
  readonly row: Term | null
}

export type Ack = {
  readonly from: ModelServer
  readonly to: ModelServer
  readonly life: number
  readonly position: number
}

export class ModelServer {
  readonly name: string
  readonly role: 'voter' | 'reader'
  readonly region: string
  uuid = ''
  uuids = 0
  uuidBeforeClone = ''
  life = 0
  isUp = true
  /** The donor of a clone under way. The server answers nobody until it ends. */
  cloningFrom: ModelServer | null = null

  // Durable.
  log: Entry[] = []
  logged: GtidSet = EMPTY
  #rows: { readonly position: number; readonly row: Term }[] = []
  relay: Entry[] = []
  relayed: GtidSet = EMPTY
  term: Term | null = null
  source: string | null = null

  // Lost at a crash.
  isReadOnly = true
  isSuperReadOnly = true
  /** A `super_read_only=ON` that waits for the commits under way; new ones are kept out meanwhile. */
  isClosing = false
  isSource = false
  isReplica: boolean
  isReceiving = false
  isApplying = false
  /** Position in the source's log up to which this receiver has been sent everything. */
  cursor = 0
  cursorLife = -1
  /** Commits that wait for an acknowledgement: in the binlog, visible to nobody. */
  owned: { readonly position: number; readonly entry: Entry }[] = []
  lock: string | null = null

  constructor(name: string, role: 'voter' | 'reader') {
    this.name = name
    this.role = role
    this.region = name.replace(/_.*/, '')
    this.isReplica = role === 'voter'
    this.renew()
  }

  /** A new server uuid, as after a wipe or a clone. */
  renew(): void {
    this.uuid = `${this.name}-${this.uuids++}`
  }

  get isOpen(): boolean {
    return !this.isReadOnly
  }

  get ownedSet(): GtidSet {
    return this.owned.reduce((set, { entry }) => union(set, entry.set), EMPTY)
  }

  get executed(): GtidSet {
    return this.owned.length === 0 ? this.logged : subtract(this.logged, this.ownedSet)
  }

  get everything(): GtidSet {
    return union(this.relayed, this.executed)
  }

  /** The row as a query sees it. */
  get row(): Term | null {
    const waiting = this.owned[0]?.position ?? this.log.length
    return this.#rows.findLast(({ position }) => position < waiting)?.row ?? null
  }

  /** Whether the transaction is on its disk, applied or not. */
  has(id: number): boolean {
    return this.log.findLast((entry) => entry.id === id) !== undefined || this.relay.some((entry) => entry.id === id)
  }

  /** Puts a transaction of this server's own into its binlog. */
  write(id: number, row: Term | null): void {
    const last = this.logged.get(this.uuid)?.at(-1) ?? 0
    this.append({ id, set: gtid(this.uuid, last + 1), row })
  }

  append(entry: Entry): void {
    if (entry.row !== null) this.#rows.push({ position: this.log.length, row: entry.row })
    this.log.push(entry)
    this.logged = union(this.logged, entry.set)
  }

  /** Receives the next transaction that it lacks. Returns the acknowledgement that it sends, if it sends one. */
  receive(source: ModelServer): Ack | null {
    if (this.cursorLife !== source.life) {
      this.cursor = 0
      this.cursorLife = source.life
    }
    while (this.cursor < source.log.length && this.#hasSet((source.log[this.cursor] as Entry).set)) this.cursor += 1
    const entry = source.log[this.cursor]
    if (entry === undefined) return null
    this.relay.push(entry)
    this.relayed = union(this.relayed, entry.set)
    const position = this.cursor++
    return this.isReplica && source.isSource ? { from: this, to: source, life: source.life, position } : null
  }

  #hasSet(set: GtidSet): boolean {
    return contains(this.logged, set) || contains(this.relayed, set)
  }

  /** Applies one transaction of the relay log. With semi-sync source on, the applier waits for ever. */
  apply(): void {
    if (!this.isApplying || this.isSource) return
    const entry = this.relay.shift()
    if (entry === undefined) return
    this.relayed = subtract(this.relayed, entry.set)
    this.append(entry)
  }

  /** The commits that an acknowledgement of `position` releases. */
  release(position: number): readonly { readonly position: number; readonly entry: Entry }[] {
    const released = this.owned.filter((waiting) => waiting.position <= position)
    this.owned = this.owned.filter((waiting) => waiting.position > position)
    this.settle()
    return released
  }

  settle(): void {
    if (!this.isClosing || this.owned.length > 0) return
    this.isReadOnly = true
    this.isSuperReadOnly = true
    this.isClosing = false
  }

  /** Kill -9. What waited in the binlog is recovered as committed: phantoms. */
  crash(): void {
    this.life += 1
    this.isUp = false
    this.cloningFrom = null
    this.isReadOnly = true
    this.isSuperReadOnly = true
    this.isClosing = false
    this.isSource = false
    this.isReplica = this.role === 'voter'
    this.isReceiving = false
    this.isApplying = false
    this.owned = []
    this.lock = null
  }

  wipe(): void {
    this.crash()
    this.log = []
    this.#rows = []
    this.logged = EMPTY
    this.relay = []
    this.relayed = EMPTY
    this.term = null
    this.source = null
    this.renew()
  }

  copyFrom(donor: ModelServer): void {
    const committed = donor.log.length - donor.owned.length
    for (const entry of donor.log.slice(0, committed)) this.append(entry)
    this.relay = [...donor.relay]
    this.relayed = donor.relayed
    this.term = donor.term
    this.source = donor.source
  }

  /** Stands still: closed, nothing waiting. */
  get isClosed(): boolean {
    return this.isSuperReadOnly && this.owned.length === 0
  }

  get isQuiet(): boolean {
    return this.isClosed && !this.isReceiving
  }

  get isEmpty(): boolean {
    return isEmpty(this.logged) && isEmpty(this.relayed)
  }

  isAtTerm(term: Term): boolean {
    return isSameTerm(this.term, term)
  }
}
