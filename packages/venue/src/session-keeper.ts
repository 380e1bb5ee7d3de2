// Moves instruments through the phases of their calendars: the leader of a shard journals `set_phase` when one is due. Whoever changed a phase since the
// calendar last asked for one (an operator's halt, a volatility auction) is left alone until the calendar asks for the next.

import { CommandType, type Instrument, type Phase } from '@wintrades/domain'
import { encodeAll, OWN } from './encode.ts'
import type { Clock } from './ports.ts'
import { SessionSchedule } from './session-schedule.ts'
import type { ShardNode } from './shard-node.ts'

/** What was asked for is journaled long before; a leader that lost the lease meanwhile asked in vain. */
const REPEAT_US = 1_000_000

type Watched = {
  readonly instrument: Instrument
  readonly node: ShardNode
  readonly schedule: SessionSchedule
  /** Null: the shard does not have the instrument yet. Undefined: not looked at yet. */
  phase: Phase | null | undefined
  /** Batch time at which somebody changed the phase; 0: nobody did. */
  changedAt_us: number
  askedAt_us: number
}

export class SessionKeeper {
  readonly #watched: readonly Watched[]
  readonly #clock: Clock

  constructor(nodes: readonly ShardNode[], instruments: readonly Instrument[], clock: Clock) {
    this.#clock = clock
    const schedules = new Map<string, SessionSchedule>()
    this.#watched = instruments.flatMap((instrument) => {
      const { calendar } = instrument
      const node = nodes.find(({ shard }) => shard.index === instrument.shard)
      if (calendar === null || node === undefined) return []
      const schedule = schedules.get(calendar.name) ?? new SessionSchedule(calendar)
      schedules.set(calendar.name, schedule)
      return [{ instrument, node, schedule, phase: undefined, changedAt_us: 0, askedAt_us: Number.NEGATIVE_INFINITY }]
    })
  }

  /** To be called when the shards are recovered: what appears afterwards is new, and was put into its phase by nobody. */
  look(): void {
    for (const one of this.#watched) observe(one)
  }

  /** To be called several times a second. */
  turn(): void {
    const now_us = this.#clock.now_us()
    for (const one of this.#watched) {
      observe(one)
      if (one.phase == null || !one.node.leading || now_us - one.askedAt_us < REPEAT_US) continue
      const { phase, since_us } = one.schedule.dueAt(now_us)
      if (one.phase === phase || one.changedAt_us >= since_us) continue
      one.askedAt_us = now_us
      const command = { ...OWN, type: CommandType.set_phase, instrument: one.instrument.id, phase } as const
      const { records, count } = encodeAll([command])
      one.node.submitOwn(records, count)
    }
  }
}

function observe(one: Watched): void {
  const { instrument, node, schedule, phase: before } = one
  const { engine } = node.replica
  const phase = engine.phaseOf(instrument.id)
  if (phase === before) return
  one.phase = phase
  if (phase === null || before === null) return
  // Found in the phase that its calendar had then, it follows it; in another one, it was put there.
  const isFound = before === undefined
  one.changedAt_us = isFound && schedule.dueAt(engine.timestamp).phase === phase ? 0 : engine.timestamp
}
