// Whether a database server may be taken away: an acknowledged commit needs two voters, so the others must be there first.

import type { Topology } from '@wintrades/topology'
import type { DatabaseStatus } from '../operator/database/reconciler.ts'
import { pause } from '../operator/reconciler.ts'
import type { BringUpContext } from './bring-up.ts'
import { readOperatorReport } from './operators.ts'

const LOOK_MS = 1_000

/** Why not all of these are the primary or follow it; null: they do. Pure. */
export function lackOf(database: DatabaseStatus | null | undefined, names: readonly string[]): string | null {
  if (database === null || database === undefined) return 'no operator answers'
  const { primary } = database
  if (primary === null) return database.line
  for (const name of names) {
    const status = database.servers.find((server) => server.name === name)
    if (status === undefined) return `the operators do not know ${name}`
    if (status.fault !== null) return `${name}: ${status.fault}`
    if (name !== primary && (status.state !== 'replica' || status.source !== primary))
      return `${name} is ${status.state} and does not follow ${primary}`
  }
  // To follow is not enough: a commit waits for somebody who acknowledges.
  const followers = database.servers.filter(
    ({ name, role }) => role === 'voter' && name !== primary && names.includes(name),
  )
  const acknowledging = database.servers.find(({ name }) => name === primary)?.acknowledging ?? 0
  return acknowledging < followers.length
    ? `${acknowledging} of ${followers.length} voters acknowledge what ${primary} commits`
    : null
}

export async function untilTheyServe(context: BringUpContext, names: readonly string[]): Promise<void> {
  const { topology, timeout_ms, say, signal } = context
  const deadline_ms = performance.now() + timeout_ms
  for (let told = ''; ; ) {
    const lack = lackOf((await readOperatorReport(topology))?.parts.database, names)
    if (lack === null) return
    if (performance.now() > deadline_ms)
      throw new Error(`the databases are not whole after ${Math.round(timeout_ms / 1_000)} s: ${lack}`)
    if (lack !== told) say(`  waiting: ${lack}`)
    told = lack
    await pause(LOOK_MS, signal)
    signal.throwIfAborted()
  }
}

export function votersOf({ database }: Topology): readonly string[] {
  return database.servers.filter(({ role }) => role === 'voter').map(({ name }) => name)
}
