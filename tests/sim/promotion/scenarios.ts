// The short stories that are explored to the end: each with one thing that always happens, and everything that may come between.

import { EVENTS, type Scenario } from './rounds.ts'

const {
  killPrimary,
  killEu,
  killAll,
  restartAll,
  killOperator,
  delay,
  arrive,
  isolateUs,
  isolateEu,
  heal,
  planEu,
  wipeAp,
} = EVENTS

const SERVERS = [killPrimary, killEu, restartAll]
const OPERATORS = [killOperator, delay, arrive]

export const SCENARIOS: Readonly<Record<string, Omit<Scenario, 'depth'>>> = {
  'the primary is killed': {
    promoters: 2,
    turns: 24,
    script: [{ at: 1, event: killPrimary }],
    events: [...SERVERS, ...OPERATORS, isolateUs, isolateEu, heal],
  },
  'the primary is cut off, alive and written to': {
    promoters: 3,
    turns: 24,
    script: [{ at: 1, event: isolateUs }],
    events: [...SERVERS, ...OPERATORS, isolateEu, heal],
  },
  'a planned promotion': {
    promoters: 2,
    turns: 30,
    script: [{ at: 1, event: planEu }],
    events: [...SERVERS, ...OPERATORS, isolateUs, heal, wipeAp],
  },
  'a full cold stop': {
    promoters: 2,
    turns: 24,
    script: [
      { at: 1, event: killAll },
      { at: 3, event: restartAll },
    ],
    events: [...SERVERS, ...OPERATORS, heal],
  },
}
