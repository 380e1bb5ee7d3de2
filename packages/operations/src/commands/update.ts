// `wintrades update` and `wintrades rollback`: another release, one region after the other, and back.

import { Command } from 'commander'
import { prepare } from '../deployment/deploy.ts'
import { findRelease, keptReleases, releaseBefore, requireCurrentRelease } from '../deployment/kept-releases.ts'
import {
  aboutDeployment,
  changingDeployment,
  type ProcedureOptions,
  readTopology,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { rollOut } from '../deployment/roll-out.ts'
import { StateDirectory } from '../deployment/state-directory.ts'

type RollbackOptions = ProcedureOptions & { readonly to?: string; readonly list?: boolean }

export function updateCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('update')))
    .description(
      'Brings the release of this checkout onto the running stack: one region after another, each healthy and trading before the next. ' +
        'Where one is not, all that were changed go back to what ran before.',
    )
    .action(async (options: ProcedureOptions) => {
      await runProcedure('update', options, async (context) => {
        const { state, say } = context
        const before = requireCurrentRelease(state)
        const kept = await prepare({
          ...context,
          placement: new Map(),
          reveal: revealTo(say),
        })
        await rollOut(context, kept, before, { trades: context.topology.tradingMode === 'paper' })
        return kept.id === before.id
          ? { outcome: 'unchanged', detail: `release ${kept.release} runs everywhere already` }
          : { outcome: 'done', detail: `every region runs release ${kept.release}, before ${before.release}` }
      })
    })
}

export function rollbackCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('rollback')))
    .description(
      'Brings back the release before the present one, or a named one of those that are kept, with its whole configuration.',
    )
    .option('--to <release>', 'a release or deployment, as --list shows it')
    .option('--list', 'show what is kept, and change nothing')
    .action(async (options: RollbackOptions) => {
      if (options.list === true) {
        for (const { id, release, at, isProven } of keptReleases(new StateDirectory(readTopology(options).stack)))
          process.stdout.write(`${at}  ${release}  ${id}${isProven ? '' : '  (never healthy as a whole)'}\n`)
        return
      }
      await runProcedure('rollback', options, async (context) => {
        const kept = keptReleases(context.state)
        const now = requireCurrentRelease(context.state)
        const target = options.to === undefined ? releaseBefore(kept, now) : findRelease(kept, options.to)
        if (target === null) throw new Error('no earlier release is kept here: wintrades rollback --list')
        await rollOut(context, target, now, { trades: context.topology.tradingMode === 'paper' })
        return { outcome: 'done', detail: `every region runs release ${target.release} of ${target.at}` }
      })
    })
}
