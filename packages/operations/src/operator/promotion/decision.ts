// How a decision is put together.

import type { Action, Decision } from './action.ts'
import type { Memory } from './observation.ts'

export function act(memory: Memory, action: Action, line: string): Decision {
  return { outcome: 'act', action, line, memory }
}

export function wait(memory: Memory, line: string): Decision {
  return { outcome: 'wait', action: null, line, memory }
}

export function refuse(memory: Memory, line: string): Decision {
  return { outcome: 'refuse', action: null, line: `Refused: ${line}`, memory }
}

export function because(reason: string, what: string): string {
  return `${reason}: ${what}`
}
