// The model's world: four servers and three operators in three regions, links that break, clients that commit, statements that arrive late.
// After every event it checks what may never be; whoever drives it decides which event comes next.

import { contains, union } from '@wintrades/operations/promotion'
import { NO_PLANTED_FAULTS, type PlantedFaults } from './faults.ts'
import { isStreaming, ModelPromoter, type Surroundings } from './promoter.ts'
import { type Ack, type Entry, ModelServer } from './server.ts'
import { carryOut, type Statement } from './statements.ts'

/** What may never be has been. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export const VOTERS = ['us', 'eu', 'ap'] as const

export type Fate = 'now' | 'late' | 'lost'

type Late = { readonly server: ModelServer; readonly life: number; readonly statement: Statement }

export class World implements Surroundings {
  readonly faults: PlantedFaults
  readonly servers: readonly ModelServer[]
  readonly promoters: readonly ModelPromoter[]
  /** Pairs of regions between which nothing passes, as `a b` both ways. */
  readonly cuts = new Set<string>()
  acks: Ack[] = []
  late: Late[] = []
  /** The acknowledged history: ids in the order of the binlog in which they were acknowledged. */
  agreed: number[] = []
  readonly counts = { acknowledged: 0, opened: 0, cloned: 0, killed: 0, refused: 0, disksLost: 0 }
  readonly lines: string[] = []
  #ids = 0

  constructor(promoters: number, faults: Partial<PlantedFaults> = {}) {
    this.faults = { ...NO_PLANTED_FAULTS, ...faults }
    this.servers = [...VOTERS.map((name) => new ModelServer(name, 'voter')), new ModelServer('us_reader', 'reader')]
    this.promoters = VOTERS.slice(0, promoters).map((region) => new ModelPromoter(region))
  }

  serverOf(name: string): ModelServer {
    const server = this.servers.find((one) => one.name === name)
    if (server === undefined) throw new Error(`no server ${name}`)
    return server
  }

  canReach(promoter: ModelPromoter, server: ModelServer): boolean {
    return server.isUp && server.cloningFrom === null && !this.#isCut(promoter.region, server.region)
  }

  isConnected(a: ModelServer, b: ModelServer): boolean {
    return a.isUp && b.isUp && b.cloningFrom === null && !this.#isCut(a.region, b.region)
  }

  #isCut(a: string, b: string): boolean {
    return this.cuts.size > 0 && this.cuts.has(`${a} ${b}`)
  }

  cut(a: string, b: string): void {
    this.cuts.add(`${a} ${b}`).add(`${b} ${a}`)
    for (const promoter of this.promoters) {
      const far = this.servers.filter((server) => this.#isCut(promoter.region, server.region))
      this.#abandonLocks(promoter, far)
    }
  }

  heal(): void {
    this.cuts.clear()
  }

  /** The server has not noticed yet that the connection is gone. */
  #abandonLocks(promoter: ModelPromoter, servers: readonly ModelServer[]): void {
    for (const server of servers) if (server.lock === promoter.id) server.lock = `${promoter.id} (gone)`
  }

  expireLock(server: ModelServer): void {
    const isHeld = this.promoters.some((promoter) => promoter.isUp && promoter.id === server.lock)
    if (!isHeld) server.lock = null
  }

  crashPromoter(promoter: ModelPromoter): void {
    this.#abandonLocks(promoter, this.servers)
    promoter.crash()
    this.note(`operator ${promoter.region} dies`)
  }

  crashServer(server: ModelServer): void {
    server.crash()
    this.late = this.late.filter((late) => late.server !== server)
    this.note(`${server.name} dies`)
  }

  /** The state in which a database stands most of the time: the first voter open, all others following it. */
  form(): void {
    const term = { number: 1, promoter: 'install' }
    for (const server of this.servers) server.term = term
    const [primary, ...others] = this.servers as [ModelServer, ...ModelServer[]]
    primary.write(this.#ids++, term)
    primary.isReadOnly = false
    primary.isSuperReadOnly = false
    primary.isSource = true
    primary.isReplica = false
    for (const server of others) {
      server.source = primary.name
      server.isReceiving = true
      server.isApplying = true
    }
  }

  /** A disk is lost: what this server acknowledged on its way is lost with it. */
  wipe(server: ModelServer): void {
    this.crashServer(server)
    this.counts.disksLost += 1
    server.wipe()
    if (this.faults.wipedVotes) server.term = { number: 0, promoter: '' }
    this.acks = this.acks.filter((ack) => ack.from !== server)
    this.note(`${server.name} is wiped`)
  }

  /** One lost disk at a time, and not the last one with all that was acknowledged: more is beyond any two of three. */
  mayBeWiped(server: ModelServer): boolean {
    if (server.role === 'reader') return true
    const others = this.servers.filter((other) => other.role === 'voter' && other !== server)
    if (others.some((other) => other.term === null || other.cloningFrom !== null)) return false
    return others.some((other) => this.agreed.every((id, at) => other.log[at]?.id === id))
  }

  commit(server: ModelServer): void {
    if (!server.isUp || !server.isOpen || server.isClosing) return
    const position = server.log.length
    server.write(this.#ids++, null)
    const entry = server.log[position] as (typeof server.log)[number]
    if (server.isSource) server.owned.push({ position, entry })
    else this.#acknowledge(server, position)
  }

  stream(replica: ModelServer): void {
    if (!replica.isUp || !replica.isReceiving || replica.cloningFrom !== null) return
    const source = this.servers.find((server) => server.name === replica.source)
    if (source === undefined || !this.isConnected(replica, source)) return
    const ack = replica.receive(source)
    if (ack !== null) this.acks.push(ack)
  }

  deliverAck(index: number): void {
    const [ack] = this.acks.splice(index, 1)
    if (ack === undefined || ack.to.life !== ack.life || !ack.to.isUp) return
    if (this.#isCut(ack.from.region, ack.to.region)) {
      this.acks.push(ack)
      return
    }
    for (const { position } of ack.to.release(ack.position)) this.#acknowledge(ack.to, position)
  }

  /** A client hears OK: what it was told is from now on part of the one history. */
  #acknowledge(server: ModelServer, position: number): void {
    this.counts.acknowledged += 1
    const { id } = server.log[position] as Entry
    const holders = this.servers.filter((one) => one.role === 'voter' && one.has(id))
    if (holders.length < 2) throw new Violation(`${server.name} acknowledged what ${holders.length} voter holds`)
    this.checkHistory(server, position + 1)
    for (let at = this.agreed.length; at <= position; at += 1) this.agreed.push((server.log[at] as { id: number }).id)
  }

  /** The binlog of `server` up to `length` and the acknowledged history must be one history. */
  checkHistory(server: ModelServer, length: number): void {
    const common = Math.min(length, this.agreed.length)
    for (let at = 0; at < common; at += 1) {
      if (server.log[at]?.id !== this.agreed[at]) {
        throw new Violation(
          `acknowledged history is lost or rewritten: ${server.name} has another transaction at ${at}`,
        )
      }
    }
  }

  /** Never two whose commits can both be acknowledged. */
  check(): void {
    const able = this.servers.filter((server) => this.#canAcknowledge(server))
    if (able.length > 1) throw new Violation(`two can acknowledge: ${able.map((server) => server.name).join(', ')}`)
  }

  #canAcknowledge(server: ModelServer): boolean {
    if (!server.isUp || server.isClosed) return false
    if (!server.isSource) return true
    return this.servers.some((other) => {
      return other.isUp && other.isReceiving && other.isReplica && other.source === server.name
    })
  }

  /** One step of an operator. `fate`: what becomes of a statement that it sends. */
  step(promoter: ModelPromoter, looks: number, fate: (statement: Statement) => Fate): void {
    if (!promoter.isUp) return
    const decision = promoter.look(this, looks)
    if (decision === null) return
    if (decision.outcome === 'refuse') this.counts.refused += 1
    const { action } = decision
    if (action === null) return
    this.note(`operator ${promoter.id}: ${decision.line}`)
    if (action.kind === 'release_locks') {
      for (const server of this.servers) if (server.lock === promoter.id) server.lock = null
      promoter.noteSent(action, this)
      return
    }
    const server = this.serverOf(action.server)
    if (!this.canReach(promoter, server)) return
    if (action.kind === 'take_lock') {
      server.lock ??= promoter.id
      return
    }
    if (server.lock !== promoter.id) return
    promoter.noteSent(action, this)
    const statement = this.faults.attachUnchecked && action.kind === 'clone' ? asAttach(action, server) : action
    const what = fate(statement)
    if (what === 'now') this.#execute(server, statement)
    else if (what === 'late') this.late.push({ server, life: server.life, statement })
  }

  executeLate(index: number): void {
    const [late] = this.late.splice(index, 1)
    if (late === undefined || late.server.life !== late.life || !late.server.isUp) return
    this.note(`late at ${late.server.name}: ${late.statement.kind}`)
    this.#execute(late.server, late.statement)
  }

  #execute(server: ModelServer, statement: Statement): void {
    if (statement.kind === 'kill') this.counts.killed += 1
    carryOut(server, statement, {
      faults: this.faults,
      nextId: () => this.#ids++,
      serverOf: (name) => this.serverOf(name),
      onOpen: () => {
        this.counts.opened += 1
      },
    })
  }

  /** Ends a clone, well or with nothing. */
  finishClone(server: ModelServer): void {
    const donor = server.cloningFrom
    if (donor === null) return
    const isGood = donor.isUp && donor.isOpen && !this.#isCut(server.region, donor.region)
    server.cloningFrom = null
    server.life += 1
    server.isUp = true
    if (!isGood) return
    server.copyFrom(donor)
    if (this.faults.cloneKeepsUuid) server.uuid = server.uuidBeforeClone
    this.counts.cloned += 1
    this.note(`${server.name} is a clone of ${donor.name}`)
  }

  /** The one open server that can serve, with a voter that acknowledges. */
  serving(): ModelServer | null {
    const open = this.servers.filter((server) => server.isUp && server.isOpen && !server.isClosing)
    const [only] = open
    if (open.length !== 1 || only === undefined) return null
    return this.servers.some((other) => isStreaming(other, only, this)) ? only : null
  }

  /** Whether two voters that are up have their data and one has everything of the other: what the rules ask for a promotion. */
  canPromote(): boolean {
    const voters = this.servers.filter((server) => server.role === 'voter' && server.isUp && server.term !== null)
    return voters.some((a) => voters.some((b) => a !== b && contains(allOf(a), allOf(b))))
  }

  /** The end of it: every server that is up shows the same history, and everything acknowledged is in it. */
  checkEnd(primary: ModelServer): void {
    if (primary.log.length < this.agreed.length) throw new Violation('acknowledged history is lost: shorter at the end')
    for (const server of this.servers.filter((one) => one.isUp)) this.checkHistory(server, this.agreed.length)
  }

  /** What the end says that did not come to a primary whom everybody follows: right only where no two voters agree, and nothing is lost. */
  checkRefused(): void {
    for (const server of this.servers) if (server.isUp && server.isOpen) this.checkHistory(server, this.agreed.length)
    if (this.canPromote() || this.counts.refused === 0) throw new Violation('no primary, or not everybody follows it')
    const isKept = this.servers.some((server) => this.agreed.every((id) => server.has(id)))
    if (!isKept) throw new Violation('acknowledged history is lost: no server has all of it')
  }

  note(line: string): void {
    this.lines.push(line)
  }
}

function allOf(server: ModelServer): ModelServer['logged'] {
  return union(server.logged, server.relayed)
}

function asAttach(action: Extract<Statement, { kind: 'clone' }>, server: ModelServer): Statement {
  return { kind: 'attach', server: action.server, source: action.donor, term: action.term, within: server.everything }
}
