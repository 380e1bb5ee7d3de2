// The checker on histories with the faults it exists for: each must be caught by name, and an honest history must pass.

import { BATCH, NEW_ORDER, type OrderId, type Quantity, RejectCode, type Seq, TRANSFER } from '@wintrades/domain'
import { beforeEach, describe, expect, it } from 'vitest'
import { type CheckName, checkHistory, longestGap } from '../../src/drill/checker.ts'
import type { Answer, History, JournalEntry, Sending, ShardRecord } from '../../src/drill/history.ts'
import { checkFigures, renderVerdict } from '../../src/drill/report.ts'
import { ALICE, BOB, BTC, EU, indexOfSeq, RecordedVenue, rechain, Side, US, USD } from './recorded-venue.ts'

let venue: RecordedVenue

beforeEach(() => {
  venue = new RecordedVenue()
  venue.deposit(US, ALICE, USD, 1_000_000, 'fund-alice')
  venue.deposit(US, BOB, BTC, 10_000, 'fund-bob')
})

/** A bit of everything an honest venue does. */
function honestHistory(): { history: History; buy: Sending; sell: Sending } {
  const buy = venue.order(ALICE, Side.buy, 100, 50, 'buy-1')
  const sell = venue.order(BOB, Side.sell, 100, 20, 'sell-1')
  venue.snapshot(US)
  venue.takeOver(US, 'eu-west')
  venue.order(BOB, Side.sell, 101, 5, 'sell-2')
  const resting = venue.order(ALICE, Side.buy, 90, 1, 'buy-2')
  venue.cancel(ALICE, orderOf(resting), 'cancel-buy-2')
  venue.order(ALICE, Side.buy, 100, 50, 'buy-1')
  venue.order(ALICE, Side.buy, 100, 500_000, 'buy-too-much')
  venue.transferOut(US, ALICE, 700, 'move-1')
  venue.transferOut(US, ALICE, 300, 'move-2')
  venue.transferIn(EU, ALICE, 700, 'move-1', 1)
  venue.snapshot(EU)
  venue.order(BOB, Side.sell, 102, 5, 'sell-3')
  return { history: venue.history(), buy, sell }
}

function orderOf(sending: Sending): OrderId {
  if (sending.answer.outcome !== 'acknowledged') throw new Error(`not acknowledged: ${sending.clientId}`)
  return sending.answer.order as OrderId
}

function seqOf(sending: Sending): Seq {
  if (sending.answer.outcome !== 'acknowledged') throw new Error(`not acknowledged: ${sending.clientId}`)
  return sending.answer.seq
}

function failed(history: History): CheckName[] {
  return checkHistory(history)
    .checks.filter((check) => !check.passed)
    .map((check) => check.name)
}

function withShard(history: History, change: (record: ShardRecord) => ShardRecord): History {
  return { ...history, shards: history.shards.map((record) => (record.shard === US ? change(record) : record)) }
}

function withJournal(history: History, change: (entries: readonly JournalEntry[]) => readonly JournalEntry[]): History {
  return withShard(history, (record) => ({ ...record, journal: change(record.journal) }))
}

function withAnswer(history: History, clientId: string, answer: (was: Answer) => Answer): History {
  return {
    ...history,
    sendings: history.sendings.map((one) => (one.clientId === clientId ? { ...one, answer: answer(one.answer) } : one)),
  }
}

/** Changes bytes of the batch with a seq and makes every hash right again. */
function tampered(history: History, seq: Seq, change: (view: DataView) => void): History {
  return withJournal(history, (entries) => {
    const at = indexOfSeq(entries, seq)
    return rechain(
      entries.map((entry, i) => {
        if (i !== at) return entry
        const bytes = entry.bytes.slice()
        change(new DataView(bytes.buffer))
        return { ...entry, bytes }
      }),
    )
  })
}

describe('an honest history', () => {
  it('passes every check, and each check has something to examine', () => {
    const { history } = honestHistory()
    const denied: Sending = {
      ...(history.sendings[0] as Sending),
      clientId: 'denied-1',
      answer: { outcome: 'denied', code: 'RATE_LIMITED' },
    }
    const unknown: Sending = { ...denied, clientId: 'unknown-1', answeredAt_ms: null, answer: { outcome: 'unknown' } }
    const verdict = checkHistory({ ...history, sendings: [...history.sendings, denied, unknown] })
    expect(renderVerdict(verdict)).not.toContain('✘')
    expect(verdict.passed).toBe(true)
    expect(verdict.checks.filter((check) => check.examined === 0)).toEqual([])
    expect(verdict.counts).toMatchObject({
      rejected: 1,
      denied: 1,
      unknown: 1,
      duplicates: 1,
      trades: 1,
      shardsWhole: 2,
    })
  })

  it('passes when the journal starts at a snapshot', () => {
    const { history } = honestHistory()
    const [base] = history.shards[US]?.snapshots ?? []
    if (base === undefined) throw new Error('no snapshot')
    const pruned = withShard(history, (record) => ({
      ...record,
      base,
      journal: record.journal.slice(indexOfSeq(record.journal, base.seq) + 1),
    }))
    const recent = {
      ...pruned,
      sendings: pruned.sendings.filter(
        (one) => one.shard !== US || one.answer.outcome !== 'acknowledged' || one.answer.seq > base.seq,
      ),
    }
    const known = { ...recent, sendings: recent.sendings.filter((one) => one.clientId !== 'buy-1') }
    const verdict = checkHistory(known)
    expect(renderVerdict(verdict)).not.toContain('✘')
    expect(verdict.counts.shardsWhole).toBe(1)
  })
})

describe('a planted fault is caught by name', () => {
  it('acknowledged before append, then lost: acknowledged_once', () => {
    const { history } = honestHistory()
    expect(failed(withJournal(history, (entries) => entries.slice(0, -1)))).toContain('acknowledged_once')
  })

  it('acknowledged before append, not lost: durable_first', () => {
    const { history, buy } = honestHistory()
    const slow = withJournal(history, (entries) =>
      entries.map((entry, i) =>
        i === indexOfSeq(entries, seqOf(buy)) ? { ...entry, committedAt_ms: (buy.answeredAt_ms ?? 0) + 1 } : entry,
      ),
    )
    expect(failed(slow)).toEqual(['durable_first'])
  })

  it('no de-duplication, seen by the client as two orders: answers_match', () => {
    const { history } = honestHistory()
    const first = history.sendings.find((one) => one.clientId === 'sell-2') as Sending
    const second = { ...first, answer: { ...first.answer, order: 9_999 as OrderId } as Answer }
    expect(failed({ ...history, sendings: [...history.sendings, second] })).toEqual(['answers_match'])
  })

  it('no de-duplication, seen in the journal as two effects: acknowledged_once', () => {
    // The engine forgets an id after a day of batch time: the same id a week later takes effect a second time.
    venue.deposit(US, ALICE, USD, 5, 'twice')
    venue.now_ms += 7 * 24 * 60 * 60 * 1_000
    for (const later of ['later-1', 'later-2', 'later-3']) venue.deposit(US, ALICE, USD, 5, later)
    venue.append(US, [venue.newDeposit(ALICE, USD, 5, 'twice')])
    const history = venue.history()
    expect(failed(history)).toEqual(['acknowledged_once'])
    const unheard = withAnswer(history, 'twice', () => ({ outcome: 'unknown' }))
    expect(failed(unheard)).toEqual(['unknown_at_most_once'])
  })

  it('no fence: a batch of an older epoch after a newer one', () => {
    const { history } = honestHistory()
    const last = history.shards[US]?.journal.length ?? 0
    const stale = tampered(history, last as Seq, (view) => view.setUint32(BATCH.epoch, 1, true))
    expect(failed(stale)).toEqual(['one_writer_per_epoch'])
  })

  it('no fence: two writers in one epoch', () => {
    const { history } = honestHistory()
    const two = withJournal(history, (entries) =>
      entries.map((entry, i) => (i === entries.length - 1 ? { ...entry, holder: 'asia-pacific' } : entry)),
    )
    expect(failed(two)).toEqual(['one_writer_per_epoch'])
  })

  it('a lost batch in the middle: sequence_unbroken', () => {
    const { history, sell } = honestHistory()
    const gap = withJournal(history, (entries) => entries.filter((_, i) => i !== indexOfSeq(entries, seqOf(sell))))
    expect(failed(gap)).toEqual(expect.arrayContaining(['sequence_unbroken', 'chain_intact', 'acknowledged_once']))
  })

  it('one flipped bit in the journal: chain_intact', () => {
    const { history, buy } = honestHistory()
    const flipped = withJournal(history, (entries) =>
      entries.map((entry, i) => {
        if (i !== indexOfSeq(entries, seqOf(buy))) return entry
        const bytes = entry.bytes.slice()
        bytes[BATCH.commands + NEW_ORDER.quantity] ^= 1
        return { ...entry, bytes }
      }),
    )
    expect(failed(flipped)).toContain('chain_intact')
  })

  it('a batch of another journal: chain_intact', () => {
    const { history } = honestHistory()
    const foreign = history.shards[EU]?.journal[0] as JournalEntry
    expect(failed(withJournal(history, (entries) => [...entries, foreign]))).toContain('chain_intact')
  })

  it('an altered order whose hashes were made right again: as_sent, and no replica agrees', () => {
    const { history, buy } = honestHistory()
    const altered = tampered(history, seqOf(buy), (view) =>
      view.setUint32(BATCH.commands + NEW_ORDER.quantity, 30, true),
    )
    expect(failed(altered)).toEqual(expect.arrayContaining(['as_sent', 'replicas_agree', 'snapshots_agree']))
  })

  it('an altered amount of money: as_sent and money_conserved', () => {
    const { history } = honestHistory()
    const move = history.sendings.find((one) => one.clientId === 'move-1') as Sending
    const altered = tampered(history, seqOf(move), (view) =>
      view.setUint32(BATCH.commands + TRANSFER.amount, 600, true),
    )
    expect(failed(altered)).toEqual(expect.arrayContaining(['as_sent', 'money_conserved', 'replicas_agree']))
  })

  it('a transfer that arrives twice: money_conserved', () => {
    // The receiver counts what it took; a sender that forgot its second transfer has paid out what it still owns.
    venue.transferOut(US, ALICE, 700, 'move-1')
    venue.transferIn(EU, ALICE, 700, 'move-1', 1)
    venue.transferIn(EU, ALICE, 700, 'move-2', 2)
    expect(failed(venue.history())).toEqual(['money_conserved'])
  })

  it('a denied command in the journal: denied_absent', () => {
    const { history } = honestHistory()
    const denied = withAnswer(history, 'sell-3', () => ({ outcome: 'denied', code: 'RATE_LIMITED' }))
    expect(failed(denied)).toEqual(['denied_absent'])
  })

  it('a rejected command that took effect: rejected_without_effect', () => {
    const { history } = honestHistory()
    const rejected = withAnswer(history, 'sell-3', () => ({ outcome: 'rejected', code: RejectCode.funds_insufficient }))
    expect(failed(rejected)).toEqual(['rejected_without_effect', 'answers_match'])
  })

  it('a reject code that the engine did not give: answers_match', () => {
    const { history } = honestHistory()
    const other = withAnswer(history, 'buy-too-much', () => ({ outcome: 'rejected', code: RejectCode.price_band }))
    expect(failed(other)).toEqual(['answers_match'])
  })

  it('a command from nowhere: as_sent', () => {
    const { history } = honestHistory()
    const forgotten = { ...history, sendings: history.sendings.filter((one) => one.clientId !== 'sell-3') }
    expect(failed(forgotten)).toEqual(['as_sent'])
  })

  it('a wrong filled quantity: answers_match', () => {
    const { history } = honestHistory()
    const wrong = withAnswer(history, 'sell-1', (was) => ({ ...was, cumQty: 19 as Quantity }) as Answer)
    expect(failed(wrong)).toEqual(['answers_match'])
    const { buy } = { buy: history.sendings.find((one) => one.clientId === 'buy-1') as Sending }
    const reading = { shard: US, order: orderOf(buy), region: 'eu-west', cumQty: 20 as Quantity, open: true }
    expect(failed({ ...history, readings: [reading] })).toEqual([])
    expect(failed({ ...history, readings: [{ ...reading, cumQty: 19 as Quantity }] })).toEqual(['answers_match'])
    expect(failed({ ...history, readings: [{ ...reading, open: false }] })).toEqual(['answers_match'])
  })

  it('a replica in another state: replicas_agree', () => {
    const { history } = honestHistory()
    const [first, ...others] = history.replicas
    if (first === undefined) throw new Error('no replica')
    expect(failed({ ...history, replicas: [{ ...first, stateHash: '00'.repeat(16) }, ...others] })).toEqual([
      'replicas_agree',
    ])
    expect(failed({ ...history, replicas: [{ ...first, fault: 'state hash differs at seq 9' }, ...others] })).toEqual([
      'replicas_agree',
    ])
    expect(failed({ ...history, replicas: [{ ...first, seq: (first.seq + 1) as Seq }, ...others] })).toEqual([
      'replicas_agree',
    ])
  })

  it('a replica that states other totals: money_conserved', () => {
    const { history } = honestHistory()
    const replicas = history.replicas.map((replica) =>
      replica.shard === US && replica.trialBalance !== null
        ? { ...replica, trialBalance: replica.trialBalance.map((one) => ({ ...one, held: one.held + 1 })) }
        : replica,
    )
    expect(failed({ ...history, replicas })).toEqual(['money_conserved'])
  })

  it('without any snapshot: one that the replay makes itself', () => {
    const bare = withShard(honestHistory().history, (record) => ({ ...record, snapshots: [] }))
    const check = checkHistory(bare).checks.find((one) => one.name === 'snapshots_agree')
    expect(check?.passed).toBe(true)
    expect(check?.examined).toBeGreaterThan(0)
  })

  it('a damaged snapshot, and a snapshot of another state: snapshots_agree', () => {
    const { history } = honestHistory()
    const damaged = withShard(history, (record) => ({
      ...record,
      snapshots: record.snapshots.map((one) => {
        const bytes = one.bytes.slice()
        bytes[bytes.length >> 1] ^= 0x10
        return { ...one, bytes }
      }),
    }))
    expect(failed(damaged)).toEqual(['snapshots_agree'])
    const other = new RecordedVenue()
    other.deposit(US, ALICE, USD, 5, 'fund-alice')
    const foreign = withShard(history, (record) => ({ ...record, snapshots: [other.snapshot(US)] }))
    expect(failed(foreign)).toEqual(['snapshots_agree'])
  })
})

describe('evidence', () => {
  it('names the first offending items and counts the rest', () => {
    const { history } = honestHistory()
    const lost = withJournal(history, (entries) => entries.slice(0, 2))
    const check = checkHistory(lost).checks.find((one) => one.name === 'acknowledged_once')
    expect(check?.evidence.length).toBeLessThanOrEqual(5)
    expect(check?.evidence[0]).toBe(
      'deposit fund-bob of account 12 (shard 0, asked us-east) was acknowledged and is not in the journal',
    )
    expect(check?.offences).toBeGreaterThan(5)
    expect(renderVerdict(checkHistory(lost))).toContain('✘ every acknowledged command is in the journal')
    expect(checkFigures('drill', checkHistory(lost)).find((one) => one.name.includes('acknowledged_once'))?.value).toBe(
      check?.offences,
    )
  })

  it('takes the longest silence that ends after the fault and begins while clients trade', () => {
    const times = [0, 500, 510, 520, 900, 910]
    expect(longestGap(times, { faultAt_ms: 515, stoppedAt_ms: null })).toEqual({ from_ms: 520, to_ms: 900 })
    expect(longestGap(times, { faultAt_ms: 505, stoppedAt_ms: 515 })).toEqual({ from_ms: 500, to_ms: 510 })
    expect(longestGap(times, { faultAt_ms: null, stoppedAt_ms: null })).toEqual({ from_ms: 0, to_ms: 500 })
    expect(longestGap([], { faultAt_ms: null, stoppedAt_ms: null })).toEqual({ from_ms: 0, to_ms: 0 })
  })
})
