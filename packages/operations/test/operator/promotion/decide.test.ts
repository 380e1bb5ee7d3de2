// The promoter by example: what is seen, and the one thing that it does, with the line that it gives for it.

import { describe, expect, it } from 'vitest'
import { type Decision, decide, type Memory, NOTHING_REMEMBERED, union } from '../../../src/operator/promotion/index.ts'
import { type Change, FIRST, ofUs, oneOf, view } from './servers.ts'

const MINE = { number: 2, promoter: 'eu-west/7f3a' }
const THEIRS = { number: 2, promoter: 'us-east/91c0' }
const GONE: Change = { isReachable: false }
const WAITING: Change = { channel: { receiver: 'connecting' } }
const HELD: Change = { ...WAITING, lock: 'mine', term: MINE }
const FENCED: Change = { lock: 'mine', term: MINE, channel: { receiver: 'stopped' } }
const CLOSED: Change = { isReadOnly: true, isSuperReadOnly: true }
const ATTEMPT: Memory = { term: MINE, candidate: null }

function actionOf(decision: Decision): unknown {
  return decision.action
}

describe('nothing to do', () => {
  it('says who is the primary', () => {
    expect(decide(view({}), NOTHING_REMEMBERED)).toMatchObject({
      outcome: 'serving',
      action: null,
      line: 'us is the primary, of term 1',
    })
  })

  it('gives locks back', () => {
    expect(decide(view({ us: { lock: 'mine' } }), NOTHING_REMEMBERED).action).toEqual({ kind: 'release_locks' })
  })
})

describe('the primary is lost', () => {
  it('waits while a voter still hears it', () => {
    const decision = decide(view({ us: GONE, eu: WAITING }), NOTHING_REMEMBERED)
    expect(decision).toMatchObject({ outcome: 'wait', action: null })
    expect(decision.line).toContain('ap still hears us')
  })

  it('takes the locks in order', () => {
    const first = decide(view({ us: GONE, eu: WAITING, ap: WAITING }), NOTHING_REMEMBERED)
    expect(actionOf(first)).toEqual({ kind: 'take_lock', server: 'eu' })
    const second = decide(view({ us: GONE, eu: { ...WAITING, lock: 'mine' }, ap: WAITING }), NOTHING_REMEMBERED)
    expect(actionOf(second)).toEqual({ kind: 'take_lock', server: 'ap' })
  })

  it('gives back what is no majority', () => {
    const seen = view({ us: GONE, eu: { ...WAITING, lock: 'mine' }, ap: { ...WAITING, lock: 'other' } })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toEqual({ kind: 'release_locks' })
  })

  it('raises the terms', () => {
    const locked: Change = { ...WAITING, lock: 'mine' }
    const decision = decide(view({ us: GONE, eu: locked, ap: locked }), NOTHING_REMEMBERED)
    expect(actionOf(decision)).toMatchObject({ kind: 'raise_term', server: 'eu', from: { number: 1 }, to: MINE })
    expect(decision.memory.term).toEqual(MINE)
  })

  it('starts a term of its own where another operator was at the same one', () => {
    const seen = view({ us: GONE, eu: HELD, ap: { ...HELD, term: THEIRS } })
    expect(actionOf(decide(seen, ATTEMPT))).toMatchObject({ kind: 'raise_term', server: 'eu', to: { number: 3 } })
  })

  it('fences both before it reads anything from their sets', () => {
    expect(actionOf(decide(view({ us: GONE, eu: HELD, ap: FENCED }), ATTEMPT))).toMatchObject({
      kind: 'fence_replica',
      server: 'eu',
      guard: { kind: 'term', term: MINE },
    })
  })

  it('chooses the one that has everything, and lets it apply that first', () => {
    const ahead: Change = { ...FENCED, received: ofUs(11, 12), channel: { receiver: 'stopped', applier: 'stopped' } }
    expect(actionOf(decide(view({ us: GONE, eu: FENCED, ap: ahead }), ATTEMPT))).toMatchObject({
      kind: 'apply_relay_log',
      server: 'ap',
    })
  })

  it('writes the term before it opens', () => {
    const seen = view({ us: GONE, eu: FENCED, ap: { ...FENCED, executed: ofUs(1, 12) } })
    const decision = decide(seen, ATTEMPT)
    expect(actionOf(decision)).toEqual({ kind: 'write_term', server: 'ap', term: MINE })
    expect(decision.line).toBe('No voter that answers is open: ap has everything of eu: write term 2 there')
    expect(decision.memory.candidate).toEqual({ server: 'ap', life: '1' })
    const written = view({ us: GONE, eu: FENCED, ap: { ...FENCED, executed: ofUs(1, 12), row: MINE } })
    expect(actionOf(decide(written, decision.memory))).toEqual({ kind: 'open', server: 'ap', term: MINE })
  })

  it('takes a new term where its candidate restarted', () => {
    const memory: Memory = { term: MINE, candidate: { server: 'eu', life: '0' } }
    expect(actionOf(decide(view({ us: GONE, eu: FENCED, ap: FENCED }), memory))).toMatchObject({
      kind: 'raise_term',
      to: { number: 3 },
    })
  })
})

describe('refusals', () => {
  it('one voter is not enough', () => {
    const { outcome, action, line } = decide(view({ us: GONE, eu: GONE, ap: WAITING }), NOTHING_REMEMBERED)
    expect({ outcome, action }).toEqual({ outcome: 'refuse', action: null })
    expect(line).toContain('1 of 2 voters needed can be fenced; answering: ap; silent: us, eu')
  })

  it('an empty voter is no witness', () => {
    const { outcome, line } = decide(
      view({ us: GONE, eu: { ...WAITING, term: null }, ap: WAITING }),
      NOTHING_REMEMBERED,
    )
    expect(outcome).toBe('refuse')
    expect(line).toContain('empty, so no witness: eu')
  })

  it('sets that diverge', () => {
    const own: Change = { ...FENCED, lock: 'free', executed: union(ofUs(1, 9), oneOf('eu', 1)) }
    const { outcome, action, line } = decide(
      view({ us: GONE, eu: own, ap: { ...FENCED, lock: 'free' } }),
      NOTHING_REMEMBERED,
    )
    expect({ outcome, action }).toEqual({ outcome: 'refuse', action: null })
    expect(line).toContain('the transactions of eu, ap diverge')
  })

  it('a promotion to a voter that does not follow', () => {
    const { outcome, line } = decide(view({ eu: WAITING }, 'eu'), NOTHING_REMEMBERED)
    expect(outcome).toBe('refuse')
    expect(line).toBe('Refused: eu cannot be promoted now: it does not follow us')
  })
})

describe('a planned promotion', () => {
  const held: Change = { lock: 'mine', term: MINE }

  it('lets the third voter follow the target before anything is closed', () => {
    const locked: Change = { lock: 'mine' }
    const decided = (ap: Change) =>
      decide(view({ us: locked, eu: locked, ap: { ...locked, ...ap } }, 'eu'), NOTHING_REMEMBERED)
    expect(actionOf(decided({}))).toMatchObject({ kind: 'fence_replica', server: 'ap' })
    expect(actionOf(decided({ channel: { receiver: 'stopped' } }))).toMatchObject({
      kind: 'attach',
      server: 'ap',
      source: 'eu',
      term: { number: 1 },
    })
    const connecting = decided({ channel: { source: 'eu', receiver: 'connecting' } })
    expect(connecting).toMatchObject({ outcome: 'wait', action: null })
    expect(connecting.line).toContain('ap is connecting to eu, while eu acknowledges')
    expect(actionOf(decided({ channel: { source: 'eu' } }))).toMatchObject({ kind: 'raise_term', server: 'us' })
  })

  it('does not let it follow a target that lacks what it has', () => {
    const ap: Change = { lock: 'mine', channel: { receiver: 'stopped' }, executed: ofUs(1, 12) }
    expect(decide(view({ us: { lock: 'mine' }, eu: { lock: 'mine' }, ap }, 'eu'), NOTHING_REMEMBERED)).toMatchObject({
      outcome: 'wait',
      action: null,
    })
  })

  it('leaves who follows the target ahead where it is, while two others are fenced', () => {
    const us = { ...held, ...CLOSED }
    const ap: Change = { ...held, channel: { source: 'eu' } }
    expect(actionOf(decide(view({ us, eu: FENCED, ap }, 'eu'), ATTEMPT))).toMatchObject({
      kind: 'write_term',
      server: 'eu',
    })
    expect(actionOf(decide(view({ us: GONE, eu: FENCED, ap }, 'eu'), ATTEMPT))).toMatchObject({
      kind: 'fence_replica',
      server: 'ap',
    })
  })

  it('closes the primary first, while its replicas receive', () => {
    const ap: Change = { ...held, channel: { source: 'eu' } }
    expect(actionOf(decide(view({ us: held, eu: held, ap }, 'eu'), ATTEMPT))).toMatchObject({
      kind: 'fence_primary',
      server: 'us',
    })
  })

  it('lets the target receive the rest', () => {
    const us = { ...held, ...CLOSED, executed: ofUs(1, 12) }
    expect(decide(view({ us, eu: held, ap: held }, 'eu'), ATTEMPT)).toMatchObject({ outcome: 'wait', action: null })
  })

  it('opens the target where it has all', () => {
    const us = { ...held, ...CLOSED }
    expect(actionOf(decide(view({ us, eu: FENCED, ap: FENCED }, 'eu'), ATTEMPT))).toMatchObject({
      kind: 'write_term',
      server: 'eu',
    })
  })

  it('opens the old primary again where the target cannot have all', () => {
    const us = { ...held, ...CLOSED, executed: ofUs(1, 12) }
    expect(actionOf(decide(view({ us, eu: FENCED, ap: FENCED }, 'eu'), ATTEMPT))).toMatchObject({
      kind: 'write_term',
      server: 'us',
    })
  })
})

describe('beside a primary', () => {
  const locked: Change = { lock: 'mine' }
  const stopped: Change = { lock: 'mine', channel: { receiver: 'stopped' } }

  it('closes a second one of a lower term at once', () => {
    const eu: Change = { ...FENCED, isReadOnly: false, isSuperReadOnly: false, row: MINE }
    expect(actionOf(decide(view({ us: locked, eu }), NOTHING_REMEMBERED))).toEqual({
      kind: 'fence_primary',
      server: 'us',
      guard: { kind: 'row_below', number: 2 },
    })
  })

  it('kills it where its commits wait for ever', () => {
    const eu: Change = { ...FENCED, isReadOnly: false, isSuperReadOnly: false, row: MINE }
    const us: Change = { ...locked, owned: ofUs(11, 11), semiSync: { clients: 0 } }
    expect(actionOf(decide(view({ us, eu }), NOTHING_REMEMBERED))).toMatchObject({ kind: 'kill', server: 'us' })
  })

  it('attaches a voter that has nothing of its own', () => {
    expect(actionOf(decide(view({ us: locked, eu: locked, ap: stopped }), NOTHING_REMEMBERED))).toMatchObject({
      kind: 'attach',
      server: 'ap',
      source: 'us',
    })
  })

  it('attaches one that has what the primary is still committing', () => {
    const seen = view({
      us: { ...locked, owned: ofUs(11, 11) },
      eu: locked,
      ap: { ...stopped, received: ofUs(11, 11) },
    })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toMatchObject({ kind: 'attach', server: 'ap' })
  })

  it.each<[string, Change]>([
    ['has errant transactions', { ...stopped, executed: union(ofUs(1, 10), oneOf('ap', 1)) }],
    ['needs what is purged', { ...stopped, executed: ofUs(1, 3) }],
    ['is empty', { ...stopped, term: null, executed: ofUs(1, 1) }],
  ])('clones a voter that %s', (_why, ap) => {
    const seen = view({ us: { ...locked, purged: ofUs(1, 5) }, eu: locked, ap })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toMatchObject({ kind: 'clone', server: 'ap', donor: 'us' })
  })

  it('clones nothing while no other voter confirms the primary', () => {
    const seen = view({ us: locked, eu: GONE, ap: { ...stopped, executed: union(ofUs(1, 10), oneOf('ap', 1)) } })
    const { outcome, line } = decide(seen, NOTHING_REMEMBERED)
    expect(outcome).toBe('refuse')
    expect(line).toContain('it is not cloned while no other voter follows us in term 1')
  })

  it('stops a running follower that has transactions from elsewhere', () => {
    const seen = view({
      us: locked,
      eu: locked,
      ap: locked,
      us_reader: { lock: 'mine', executed: union(ofUs(1, 10), oneOf('ap', 1)) },
    })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toMatchObject({ kind: 'fence_replica', server: 'us_reader' })
  })

  it('does not let a reader acknowledge', () => {
    const seen = view({ us: locked, eu: locked, ap: locked, us_reader: { lock: 'mine', semiSync: { replica: true } } })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toMatchObject({ kind: 'fence_replica', server: 'us_reader' })
  })

  it('does not let a primary acknowledge alone', () => {
    const seen = view({ us: { ...locked, semiSync: { source: false } }, eu: locked, ap: locked })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toEqual({ kind: 'require_acknowledgements', server: 'us' })
  })

  it('takes a new term for a voter that an unfinished attempt left behind', () => {
    const seen = view({ us: locked, eu: locked, ap: { ...stopped, term: THEIRS } })
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toMatchObject({
      kind: 'raise_term',
      server: 'us',
      to: { number: 3 },
    })
  })
})

describe('a follower that is half open, because what was written under its term was interrupted', () => {
  const locked: Change = { lock: 'mine' }
  const halfOpen: Change = { lock: 'mine', isSuperReadOnly: false }

  it.each(['ap', 'us_reader'] as const)('%s is closed, although it has the row of the primary’s own term', (name) => {
    const seen = view({ us: locked, eu: locked, ap: locked, us_reader: locked, [name]: halfOpen })
    const { action } = decide(seen, NOTHING_REMEMBERED)
    expect(action).toMatchObject({ kind: 'fence_primary', server: name, guard: { kind: 'row_below' } })
    const guard = action?.kind === 'fence_primary' && action.guard.kind === 'row_below' ? action.guard.number : 0
    expect(guard).toBeGreaterThan(FIRST.number)
  })
})

describe('a clone that a person asks for', () => {
  const locked: Change = { lock: 'mine' }
  const all = { us: locked, eu: locked, ap: locked, us_reader: locked }

  it('is of a server that receives nothing: a good follower is stopped first', () => {
    const seen = view(all, null, 'ap')
    expect(actionOf(decide(seen, NOTHING_REMEMBERED))).toMatchObject({ kind: 'fence_replica', server: 'ap' })
    const stopped = view({ ...all, ap: { ...locked, channel: { receiver: 'stopped' } } }, null, 'ap')
    expect(actionOf(decide(stopped, NOTHING_REMEMBERED))).toMatchObject({ kind: 'clone', server: 'ap', donor: 'us' })
  })

  it('is refused before anything is stopped, while no other voter confirms the term', () => {
    const seen = view({ ...all, eu: { ...locked, channel: { receiver: 'connecting' } } }, null, 'ap')
    expect(decide(seen, NOTHING_REMEMBERED)).toMatchObject({
      outcome: 'refuse',
      line: expect.stringContaining(
        'A clone of ap was asked for, but it is not cloned while no other voter follows us',
      ),
    })
  })

  it('is never of the primary', () => {
    expect(decide(view({}, null, 'us'), NOTHING_REMEMBERED)).toMatchObject({ outcome: 'serving', action: null })
  })
})
