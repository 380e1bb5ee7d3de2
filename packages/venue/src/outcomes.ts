// Finds, in an applied batch, the commands that one process sent, and the events of each.

import { BATCH, EVENT, EVENT_SLOTS, type EventType, HEADER } from '@wintrades/domain'

/** Per command four numbers: correlation, index in the batch, and its events' slots `[start, end)`. */
export const OUTCOME = { correlation: 0, command: 1, start: 2, end: 3, slots: 4 } as const

export const NO_OUTCOMES: Float64Array = new Float64Array(0)

/** `batch` is well-formed; in its order. */
export function outcomesOf(batch: Uint8Array, events: Float64Array, origin: number): Float64Array {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  const count = view.getUint32(BATCH.commandCount, true)
  let own = 0
  let at: number = BATCH.commands
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at + HEADER.origin, true) === origin) own++
    at += view.getUint16(at + HEADER.length, true)
  }
  if (own === 0) return NO_OUTCOMES
  const outcomes = new Float64Array(own * OUTCOME.slots)
  let next = 0
  let event = 0
  at = BATCH.commands
  while (event < events.length && (events[event + EVENT.command] as number) < 0) event += slotsAt(events, event)
  for (let i = 0; i < count; i++) {
    const start = event
    while (event < events.length && events[event + EVENT.command] === i) event += slotsAt(events, event)
    if (view.getUint32(at + HEADER.origin, true) === origin) {
      outcomes[next + OUTCOME.correlation] = view.getUint32(at + HEADER.correlation, true)
      outcomes[next + OUTCOME.command] = i
      outcomes[next + OUTCOME.start] = start
      outcomes[next + OUTCOME.end] = event
      next += OUTCOME.slots
    }
    at += view.getUint16(at + HEADER.length, true)
  }
  return outcomes
}

function slotsAt(events: Float64Array, at: number): number {
  return EVENT_SLOTS[events[at] as EventType] as number
}
