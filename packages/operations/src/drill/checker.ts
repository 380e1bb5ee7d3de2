// Judges a recorded history of the venue: every promise is one named check, with the first offending items as evidence. Pure:
// the same history gives the same verdict, whether a drill recorded it from processes or the simulation from its scheduler.

import { CommandType, type RejectCode, type ShardIndex, type TrialBalance } from '@wintrades/domain'
import type { Answer, History, Intent, Sending, ShardRecord } from './history.ts'
import { type JournalWalk, walkJournal } from './journal-walk.ts'
import { type Appearance, hashFromSnapshot, keyOf, replayShard, type ShardReplay, snapshotBefore } from './replay.ts'

/** The promises, in the order in which they are printed. */
export const CHECKS = {
  acknowledged_once: 'every acknowledged command is in the journal and took effect exactly once',
  durable_first: 'no command was acknowledged before its batch was durable',
  unknown_at_most_once: 'every unknown command took effect at most once',
  denied_absent: 'no denied command is in the journal',
  rejected_without_effect: 'no rejected command took effect',
  as_sent: 'what the journal holds is what clients sent, and nothing else of theirs',
  sequence_unbroken: 'sequences have no gaps',
  chain_intact: 'every batch hashes to its hash and carries that of the one before',
  one_writer_per_epoch: 'one writer per epoch, epochs only rise',
  replay_sound: 'the journal replays without a broken invariant',
  replicas_agree: 'all replicas and the journal have the state hash that replay gives',
  snapshots_agree: 'replay from the start equals every snapshot, and newest snapshot plus tail',
  money_conserved: 'money is conserved per asset over all shards',
  answers_match: 'order ids and filled quantities told to clients are those of the replay',
} as const
export type CheckName = keyof typeof CHECKS

export type Check = {
  readonly name: CheckName
  readonly passed: boolean
  /** How many items were examined; a check that examined nothing says so. */
  readonly examined: number
  readonly offences: number
  /** The first offending items. */
  readonly evidence: readonly string[]
}

export type Verdict = {
  readonly passed: boolean
  readonly checks: readonly Check[]
  readonly counts: {
    readonly sendings: number
    readonly acknowledged: number
    readonly rejected: number
    readonly denied: number
    readonly unknown: number
    readonly duplicates: number
    readonly batches: number
    readonly commands: number
    readonly trades: number
    /** Shards whose journal was replayed from its very first batch. */
    readonly shardsWhole: number
  }
  /** Longest time without an acknowledgement that ended after the fault: per shard, and over all. */
  readonly silence: { readonly overall: Silence; readonly byShard: ReadonlyMap<ShardIndex, Silence> }
}

/** Between two acknowledgements that follow one another, by the clients' clock. */
export type Silence = { readonly from_ms: number; readonly to_ms: number }

export const lengthOf_ms = ({ from_ms, to_ms }: Silence): number => to_ms - from_ms

const EVIDENCE_MAX = 5

/** Judges a history. Never throws for what a faulty venue may have done; a faulty recording (a shard twice) does throw. */
export function checkHistory(history: History): Verdict {
  const ledger = new Ledger()
  const shards = history.shards.map((record) => judgeShard(history, record))
  const byShard = new Map(shards.map((shard) => [shard.replay.shard, shard]))
  if (byShard.size !== shards.length) throw new RangeError('a shard is recorded twice')
  for (const shard of shards) checkJournal(ledger, shard)
  checkCommands(ledger, history, byShard)
  checkStrays(ledger, history, byShard)
  checkReplicas(ledger, history, byShard)
  for (const shard of shards) checkSnapshots(ledger, shard)
  checkMoney(ledger, byShard)
  checkReadings(ledger, history, byShard)
  const checks = ledger.checks()
  return {
    passed: checks.every((check) => check.passed),
    checks,
    counts: count(history, shards),
    silence: silence(history),
  }
}

type JudgedShard = { readonly record: ShardRecord; readonly walk: JournalWalk; readonly replay: ShardReplay }

function judgeShard(history: History, record: ShardRecord): JudgedShard {
  const walk = walkJournal(record)
  const hashAt = new Set<number>()
  for (const batch of walk.sound) if (batch.header.hashedSeq !== 0) hashAt.add(batch.header.hashedSeq)
  for (const replica of history.replicas) if (replica.shard === record.shard) hashAt.add(replica.seq)
  for (const snapshot of record.snapshots) hashAt.add(snapshot.seq)
  const watched = new Set<number>(history.ownAccounts)
  for (const sending of history.sendings) watched.add(sending.account)
  const options = { watched, hashAt, shards: history.shards.map((one) => one.shard) }
  return { record, walk, replay: replayShard(record, walk.sound, options) }
}

/** Collects offences by check. */
class Ledger {
  readonly #entries = new Map<CheckName, { examined: number; offences: number; evidence: string[] }>()

  constructor() {
    for (const name of Object.keys(CHECKS) as CheckName[]) {
      this.#entries.set(name, { examined: 0, offences: 0, evidence: [] })
    }
  }

  examined(name: CheckName, count = 1): void {
    this.#entry(name).examined += count
  }

  offence(name: CheckName, message: string): void {
    const entry = this.#entry(name)
    entry.offences++
    if (entry.evidence.length < EVIDENCE_MAX) entry.evidence.push(message)
  }

  checks(): Check[] {
    return [...this.#entries].map(([name, entry]) => ({ name, passed: entry.offences === 0, ...entry }))
  }

  #entry(name: CheckName): { examined: number; offences: number; evidence: string[] } {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new RangeError(`no check is called ${name}`)
    return entry
  }
}

function checkJournal(ledger: Ledger, { record, walk, replay }: JudgedShard): void {
  ledger.examined('sequence_unbroken', record.journal.length)
  ledger.examined('chain_intact', record.journal.length)
  ledger.examined('one_writer_per_epoch', record.journal.length)
  ledger.examined('replay_sound', walk.sound.length)
  for (const fault of walk.sequenceFaults) ledger.offence('sequence_unbroken', fault)
  for (const fault of walk.chainFaults) ledger.offence('chain_intact', fault)
  for (const fault of walk.epochFaults) ledger.offence('one_writer_per_epoch', fault)
  for (const fault of replay.hashFaults) ledger.offence('replicas_agree', fault)
  if (replay.fault !== null) ledger.offence('replay_sound', replay.fault)
}

/** Sendings of one command, in the order in which they were sent. */
type SentCommand = { readonly first: Sending; readonly sendings: readonly Sending[] }

function groupSendings(sendings: readonly Sending[]): SentCommand[] {
  const groups = new Map<string, Sending[]>()
  for (const sending of sendings) {
    const key = `${sending.shard}:${keyOf(sending.account, sending.clientId)}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [sending])
    else group.push(sending)
  }
  return [...groups.values()].map((group) => ({ first: group[0] as Sending, sendings: group }))
}

function checkCommands(ledger: Ledger, history: History, byShard: ReadonlyMap<ShardIndex, JudgedShard>): void {
  for (const command of groupSendings(history.sendings)) {
    const shard = byShard.get(command.first.shard)
    if (shard === undefined) throw new RangeError(`shard ${command.first.shard} was used but not recorded`)
    const { intent, account, clientId } = command.first
    const found =
      intent.kind === 'cancel'
        ? (shard.replay.cancels.get(intent.order) ?? []).filter((one) => one.command.account === account)
        : (shard.replay.appearances.get(keyOf(account, clientId)) ?? [])
    checkEffect(ledger, command, found)
    for (const sending of command.sendings) checkAnswer(ledger, sending, found)
  }
}

function describe({ shard, account, clientId, intent, region }: Sending): string {
  return `${intent.kind} ${clientId} of account ${account} (shard ${shard}, asked ${region})`
}

/** Whether the command took effect as often as its answers allow. */
function checkEffect(ledger: Ledger, { first, sendings }: SentCommand, found: readonly Appearance[]): void {
  const executed = found.filter((one) => one.effect === 'executed')
  const outcomes = new Set(sendings.map((sending) => sending.answer.outcome))
  const what = describe(first)
  const at = executed.map((one) => one.seq).join(', ')
  if (outcomes.has('acknowledged')) {
    ledger.examined('acknowledged_once')
    if (found.length === 0) ledger.offence('acknowledged_once', `${what} was acknowledged and is not in the journal`)
    else if (executed.length !== 1) {
      ledger.offence(
        'acknowledged_once',
        `${what} was acknowledged and took effect ${executed.length} times (seq ${at})`,
      )
    }
  } else if (outcomes.has('rejected') && !(first.intent.kind === 'cancel' && outcomes.has('unknown'))) {
    // (A cancel has no id of its own to be known by: sent again after it worked, it finds the order done.)
    ledger.examined('rejected_without_effect')
    if (executed.length > 0) {
      ledger.offence('rejected_without_effect', `${what} was rejected and took effect (seq ${at})`)
    }
    // A cancel may be refused where it arrives: an order that is done stays done.
    if (found.length === 0 && first.intent.kind !== 'cancel')
      ledger.offence('rejected_without_effect', `${what} was rejected by no journaled command`)
  } else if (outcomes.has('unknown')) {
    ledger.examined('unknown_at_most_once')
    if (executed.length > 1) {
      ledger.offence('unknown_at_most_once', `${what} took effect ${executed.length} times (seq ${at})`)
    }
  } else {
    ledger.examined('denied_absent')
    if (found.length > 0) {
      ledger.offence('denied_absent', `${what} was denied and is in the journal (seq ${found.map((one) => one.seq)})`)
    }
  }
}

/** Whether one answer is what the journal says. */
function checkAnswer(ledger: Ledger, sending: Sending, found: readonly Appearance[]): void {
  const { answer } = sending
  if (answer.outcome === 'rejected') checkRejection(ledger, sending, answer.code, found)
  if (answer.outcome !== 'acknowledged') return
  const executed = found.find((one) => one.effect === 'executed')
  if (executed === undefined) return
  checkDurableFirst(ledger, sending, executed)
  checkAsSent(ledger, sending, executed)
  ledger.examined('answers_match')
  const what = describe(sending)
  if (
    sending.intent.kind !== 'cancel' &&
    answer.order !== 0 &&
    answer.order !== executed.order &&
    executed.order !== 0
  ) {
    ledger.offence('answers_match', `${what} was told order ${answer.order}, the journal has ${executed.order}`)
    return
  }
  const answering = answer.duplicate ? answer.seq >= executed.seq : found.some((one) => one.seq === answer.seq)
  if (!answering) {
    const places = found.map((one) => one.seq).join(', ')
    ledger.offence('answers_match', `${what} was told seq ${answer.seq}, the journal has it at ${places}`)
  }
  if (sending.intent.kind === 'order') checkFilled(ledger, sending, answer, executed)
}

function checkFilled(
  ledger: Ledger,
  sending: Sending,
  answer: Extract<Answer, { outcome: 'acknowledged' }>,
  executed: Appearance,
): void {
  if (answer.cumQty === null || answer.duplicate || answer.seq !== executed.seq) return
  if (answer.cumQty < executed.cumQtyAfter || answer.cumQty > executed.cumQtyAtBatchEnd) {
    ledger.offence(
      'answers_match',
      `${describe(sending)} was told ${answer.cumQty} filled, replay gives ${executed.cumQtyAfter}`,
    )
  }
}

function checkRejection(ledger: Ledger, sending: Sending, code: RejectCode, found: readonly Appearance[]): void {
  ledger.examined('answers_match')
  if (found.length === 0 || found.some((one) => one.effect !== 'executed' && one.code === code)) return
  const codes = found.map((one) => one.code).join(', ')
  ledger.offence('answers_match', `${describe(sending)} was told reject ${code}, the journal gives ${codes}`)
}

function checkDurableFirst(ledger: Ledger, sending: Sending, executed: Appearance): void {
  if (executed.committedAt_ms === null || sending.answeredAt_ms === null) return
  ledger.examined('durable_first')
  if (sending.answeredAt_ms < executed.committedAt_ms) {
    ledger.offence(
      'durable_first',
      `${describe(sending)} was answered at ${sending.answeredAt_ms} ms, durable at ${executed.committedAt_ms} ms`,
    )
  }
}

function checkAsSent(ledger: Ledger, sending: Sending, executed: Appearance): void {
  ledger.examined('as_sent')
  const difference = differenceOf(sending.intent, executed)
  if (difference !== null) ledger.offence('as_sent', `${describe(sending)}: ${difference} (seq ${executed.seq})`)
}

function differenceOf(intent: Intent, { command }: Appearance): string | null {
  const fields = command as unknown as Readonly<Record<string, unknown>>
  for (const [field, sent] of Object.entries(intent)) {
    if (field === 'kind' || sent === null) continue
    if (fields[field] !== sent) return `${field} was sent as ${sent}, the journal has ${String(fields[field])}`
  }
  return null
}

/** Commands of the clients' own accounts that no client sent. */
function checkStrays(ledger: Ledger, history: History, byShard: ReadonlyMap<ShardIndex, JudgedShard>): void {
  const own = new Set<number>(history.ownAccounts)
  const sent = new Set(history.sendings.map((one) => `${one.shard}:${keyOf(one.account, one.clientId)}`))
  for (const [shard, { replay }] of byShard) {
    for (const [key, found] of replay.appearances) {
      if (sent.has(`${shard}:${key}`)) continue
      // One that only repeats what the journal no longer holds changes nothing.
      const stray = found.find((one) => one.effect !== 'duplicate')
      if (stray === undefined || !own.has(stray.command.account)) continue
      const { command, seq } = stray
      if (history.venuePaysIn && command.type === CommandType.deposit) continue
      ledger.offence('as_sent', `shard ${shard} seq ${seq} holds ${key}, which no client sent`)
    }
  }
}

function checkReplicas(ledger: Ledger, history: History, byShard: ReadonlyMap<ShardIndex, JudgedShard>): void {
  for (const replica of history.replicas) {
    const replay = byShard.get(replica.shard)?.replay
    if (replay === undefined) throw new RangeError(`a replica of shard ${replica.shard}, which was not recorded`)
    ledger.examined('replicas_agree')
    const what = `replica ${replica.region} of shard ${replica.shard} at seq ${replica.seq}`
    if (replica.fault !== null) ledger.offence('replicas_agree', `${what} stopped itself: ${replica.fault}`)
    const expected = replay.stateHashes.get(replica.seq)
    if (expected === undefined)
      ledger.offence('replicas_agree', `${what} is beyond the replay, which ends at ${replay.seq}`)
    else if (expected !== replica.stateHash) {
      ledger.offence('replicas_agree', `${what} has state ${replica.stateHash}, replay gives ${expected}`)
    }
    if (replica.trialBalance !== null && replica.seq === replay.seq) {
      compareTrialBalance(ledger, what, replica.trialBalance, replay.trialBalance)
    }
  }
}

function compareTrialBalance(
  ledger: Ledger,
  what: string,
  claimed: readonly TrialBalance[],
  replayed: readonly TrialBalance[],
): void {
  ledger.examined('money_conserved')
  const text = (balances: readonly TrialBalance[]) =>
    balances
      .map((one) => [one.asset, one.available, one.held, one.fees, one.deposited, one.withdrawn].join(':'))
      .sort()
      .join(' ')
  if (text(claimed) !== text(replayed)) {
    ledger.offence('money_conserved', `${what} states other totals than the replay`)
  }
}

function checkSnapshots(ledger: Ledger, { record, walk, replay }: JudgedShard): void {
  let newest: { readonly name: string; readonly seq: number; readonly bytes: Uint8Array } | null = null
  for (const snapshot of record.snapshots) {
    if (record.base !== null && snapshot.seq < record.base.seq) continue
    ledger.examined('snapshots_agree')
    if (snapshot.seq > replay.seq) {
      ledger.offence('snapshots_agree', `snapshot ${snapshot.name} is beyond the journal, which ends at ${replay.seq}`)
      continue
    }
    compareSnapshot(ledger, snapshot.name, replay.stateHashes.get(snapshot.seq), () =>
      hashFromSnapshot(snapshot.bytes, []),
    )
    if (newest === null || snapshot.seq > newest.seq) newest = snapshot
  }
  if (replay.fault !== null || walk.sound.length === 0) return
  if (newest === null) {
    // The platform takes one a minute, a drill may be shorter: what a snapshot must hold can be told all the same.
    ledger.examined('snapshots_agree')
    newest = snapshotBefore(record, walk.sound, Math.ceil(walk.sound.length / 2))
  }
  const { name, bytes } = newest
  compareSnapshot(ledger, `${name} plus tail`, replay.stateHashes.get(replay.seq), () =>
    hashFromSnapshot(bytes, walk.sound),
  )
}

function compareSnapshot(ledger: Ledger, name: string, expected: string | undefined, hash: () => string): void {
  let actual: string
  try {
    actual = hash()
  } catch (error) {
    ledger.offence(
      'snapshots_agree',
      `${name} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    )
    return
  }
  if (actual !== expected) {
    ledger.offence('snapshots_agree', `${name} gives state ${actual}, replay ${expected ?? 'none'}`)
  }
}

/**
 * Deposits − withdrawals = Σ available + Σ held + Σ in flight, per asset over all shards; deposits and withdrawals are counted
 * from the events, apart from the engine's own totals. A transfer is in flight until the receiving shard has taken its number.
 */
function checkMoney(ledger: Ledger, byShard: ReadonlyMap<ShardIndex, JudgedShard>): void {
  const sums = new Map<number, { paidIn: number; owned: number; inFlight: number }>()
  const sumOf = (asset: number) => {
    let sum = sums.get(asset)
    if (sum === undefined) {
      sum = { paidIn: 0, owned: 0, inFlight: 0 }
      sums.set(asset, sum)
    }
    return sum
  }
  for (const { replay } of byShard.values()) {
    for (const base of replay.baseTrialBalance) sumOf(base.asset).paidIn += base.deposited - base.withdrawn
    for (const [asset, moved] of replay.movements) sumOf(asset).paidIn += moved.deposited - moved.withdrawn
    for (const balance of replay.trialBalance) sumOf(balance.asset).owned += balance.available + balance.held
    for (const transfer of replay.inFlight) {
      const received = byShard.get(transfer.toShard)?.replay.transfersReceived.get(replay.shard) ?? 0
      if (transfer.number > received) sumOf(transfer.asset).inFlight += transfer.amount
    }
  }
  for (const [asset, { paidIn, owned, inFlight }] of sums) {
    ledger.examined('money_conserved')
    if (paidIn !== owned + inFlight) {
      ledger.offence(
        'money_conserved',
        `asset ${asset}: ${paidIn} paid in, ${owned} owned and ${inFlight} in flight (${owned + inFlight - paidIn} too many)`,
      )
    }
  }
}

function checkReadings(ledger: Ledger, history: History, byShard: ReadonlyMap<ShardIndex, JudgedShard>): void {
  for (const reading of history.readings) {
    const order = byShard.get(reading.shard)?.replay.orders.get(reading.order)
    ledger.examined('answers_match')
    const what = `order ${reading.order}, read at ${reading.region}`
    if (order === undefined) ledger.offence('answers_match', `${what}, is not in the replay`)
    else if (order.cumQty !== reading.cumQty || order.open !== reading.open) {
      const state = (one: { cumQty: number; open: boolean }) => `${one.cumQty} filled and ${one.open ? 'open' : 'done'}`
      ledger.offence('answers_match', `${what}, is ${state(reading)}; replay gives ${state(order)}`)
    }
  }
}

function count(history: History, shards: readonly JudgedShard[]): Verdict['counts'] {
  const outcomes = { acknowledged: 0, rejected: 0, denied: 0, unknown: 0 }
  let duplicates = 0
  for (const { answer } of history.sendings) {
    outcomes[answer.outcome]++
    if (answer.outcome === 'acknowledged' && answer.duplicate) duplicates++
  }
  const sum = (of: (shard: JudgedShard) => number) => shards.reduce((total, shard) => total + of(shard), 0)
  return {
    sendings: history.sendings.length,
    ...outcomes,
    duplicates,
    batches: sum((shard) => shard.record.journal.length),
    commands: sum((shard) => shard.replay.commandCount),
    trades: sum((shard) => shard.replay.tradeCount),
    shardsWhole: shards.filter((shard) => shard.walk.whole).length,
  }
}

function silence(history: History): Verdict['silence'] {
  const times: number[] = []
  const byShard = new Map<ShardIndex, number[]>(history.shards.map((shard) => [shard.shard, []]))
  for (const { answer, answeredAt_ms, shard } of history.sendings) {
    if (answer.outcome !== 'acknowledged' || answeredAt_ms === null) continue
    times.push(answeredAt_ms)
    byShard.get(shard)?.push(answeredAt_ms)
  }
  return {
    overall: longestGap(times, history),
    byShard: new Map([...byShard].map(([shard, of]) => [shard, longestGap(of, history)])),
  }
}

/** The longest time between two acknowledgements, the later of them after the fault, the earlier while clients traded; without length where there is none. */
export function longestGap(
  times_ms: readonly number[],
  { faultAt_ms, stoppedAt_ms }: Pick<History, 'faultAt_ms' | 'stoppedAt_ms'>,
): Silence {
  const sorted = [...times_ms].sort((a, b) => a - b)
  let longest: Silence = { from_ms: 0, to_ms: 0 }
  for (let i = 1; i < sorted.length; i++) {
    const gap = { from_ms: sorted[i - 1] as number, to_ms: sorted[i] as number }
    if (gap.to_ms < (faultAt_ms ?? 0) || gap.from_ms > (stoppedAt_ms ?? Number.POSITIVE_INFINITY)) continue
    if (lengthOf_ms(gap) > lengthOf_ms(longest)) longest = gap
  }
  return longest
}
