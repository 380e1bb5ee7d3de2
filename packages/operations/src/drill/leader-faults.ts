// Faults that take a shard's leader away: `kill` its process, `stall` it until it is no longer the leader and let it go on, `hand-over` the
// shard as an operator would.

import { setTimeout as pause } from 'node:timers/promises'
import { requestHandOver } from './hand-over.ts'
import type { DrillFault, FaultGround } from './trading-drill.ts'
import { findLeader } from './watch.ts'

export type LeaderFault = 'kill' | 'stall' | 'hand-over'

const STALL_MS = 6_000
const NAMES: Readonly<Record<LeaderFault, string>> = {
  kill: 'region_loss',
  stall: 'region_stall',
  'hand-over': 'hand_over',
}
const SILENCE_SECONDS_MAX: Readonly<Record<LeaderFault, number>> = { kill: 2, stall: 5, 'hand-over': 0.3 }

export function leaderFault(kind: LeaderFault): DrillFault {
  return {
    name: NAMES[kind],
    silence_seconds_max: SILENCE_SECONDS_MAX[kind],
    make: async (ground) => {
      await make(kind, ground)
      return [ground.shard]
    },
  }
}

async function make(kind: LeaderFault, { target, shard, timeline }: FaultGround): Promise<void> {
  const { name } = shard
  const leader = await findLeader(target, shard.index)
  if (leader === null) throw new Error(`nobody leads ${name}`)
  const { process: victim, health } = leader
  if (kind === 'kill') {
    process.kill(victim.pid, 'SIGKILL')
    timeline.note(`kill -9 ${victim.pid}: ${victim.region}, leader of ${name} in epoch ${health.epoch}`)
  } else if (kind === 'stall') {
    process.kill(victim.pid, 'SIGSTOP')
    timeline.note(`stopped ${victim.pid}: ${victim.region}, leader of ${name} in epoch ${health.epoch}`)
    await pause(STALL_MS)
    process.kill(victim.pid, 'SIGCONT')
    timeline.note(`${victim.region} goes on, not knowing that it was replaced`)
  } else {
    const to = target.regions().find((one) => one.region !== victim.region)
    if (to === undefined) throw new Error('there is no other region')
    timeline.note(`hand-over of ${name} from ${victim.region} to ${to.region} asked for`)
    await requestHandOver(target)(name, victim.region, to.region)
    timeline.note(`hand-over of ${name} confirmed`)
  }
}
