// Commands that the venue makes itself.

import {
  type AccountId,
  type Command,
  CommandType,
  commandBytes,
  encodeCommand,
  type Markets,
  type ShardIndex,
} from '@wintrades/domain'
import { ENGINE_VERSION, type Engine } from '@wintrades/engine'

/** The envelope of the venue's own commands: nobody waits for their outcome. */
export const OWN = { origin: 0, correlation: 0, account: 0 as AccountId } as const

export function encodeAll(commands: readonly Command[]): { readonly records: Uint8Array; readonly count: number } {
  const records = new Uint8Array(commands.reduce((bytes, command) => bytes + commandBytes(command), 0))
  const view = new DataView(records.buffer)
  let at = 0
  for (const command of commands) at += encodeCommand(command, view, at)
  return { records, count: commands.length }
}

/** What `markets.yml` says of a shard and its engine does not know yet, or knows otherwise. */
export function missingDefinitions(markets: Markets, shard: ShardIndex, engine: Engine): Command[] {
  const known = engine.definitions()
  const commands: Command[] = []
  // A journal that begins here follows the newest rules at once; an older one is told to when every process knows them.
  if (engine.seq === 0 && engine.version < ENGINE_VERSION) {
    commands.push({ ...OWN, type: CommandType.activate_version, version: ENGINE_VERSION })
  }
  for (const { id, scale } of markets.assets) {
    if (known.assets.some((one) => one.asset === id && one.scale === scale)) continue
    commands.push({ ...OWN, type: CommandType.define_asset, asset: id, scale })
  }
  for (const { shard: home, definition } of markets.instruments) {
    if (home !== shard) continue
    const there = known.instruments.find((one) => one.instrument === definition.instrument)
    if (there !== undefined && isSame(there, definition)) continue
    // The phase is the market's, not the file's, once the instrument is there.
    const phase = there?.phase ?? definition.phase
    commands.push({ ...OWN, type: CommandType.define_instrument, ...definition, phase })
  }
  return commands
}

function isSame<Definition extends object>(left: Definition, right: Definition): boolean {
  return Object.entries(right).every(([key, value]) => key === 'phase' || left[key as keyof Definition] === value)
}
