// Which of the fenced voters may be opened: one that has everything of another, so that the two are a quorum that has seen every
// acknowledged commit. Null: no two of them agree, and nobody may be opened.

import { contains } from './gtid-set.ts'
import { everything, isApplied, type Memory, quorumOf, rowNumber, type ServerState, type View } from './observation.ts'

export function chooseCandidate(fenced: readonly ServerState[], view: View, memory: Memory): ServerState | null {
  const ranked = fenced
    .map((voter) => ({ voter, ranks: ranksOf(voter, fenced, view, memory) }))
    .filter(({ ranks }) => (ranks[0] as number) >= quorumOf(view))
    .sort((a, b) => compare(b.ranks, a.ranks))
  return ranked[0]?.voter ?? null
}

/** The most first: voters whose transactions it has, itself included, term row, then preferences; the configured order decides last, as sorting keeps it. */
function ranksOf(voter: ServerState, fenced: readonly ServerState[], view: View, memory: Memory): readonly number[] {
  const mine = everything(voter)
  const others = fenced.filter((other) => other !== voter && contains(mine, everything(other)))
  const isAble = isApplied(voter) || voter.channel.applier !== 'failed'
  return [
    others.length + 1,
    Number(isAble),
    rowNumber(voter),
    Number(memory.candidate?.server === voter.name),
    Number(view.promoteTo === voter.name),
    Number(isApplied(voter)),
  ]
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((rank, index) => rank !== b[index])
  return at < 0 ? 0 : (a[at] as number) - (b[at] as number)
}
