// `wintrades migrate`: the schema of the databases brought to this checkout's release, before its processes come.

import { Command } from 'commander'
import { prepare } from '../deployment/deploy.ts'
import { migrate } from '../deployment/migration.ts'
import {
  aboutDeployment,
  changingDeployment,
  type ProcedureOptions,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { readServices } from '../deployment/swarm.ts'

export function migrateCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('migrate')))
    .description(
      'Brings the schema of the databases to what the release of this checkout needs, on the primary, and looks at it on every server. The release that runs ' +
        'goes on working with it. An update does this by itself.',
    )
    .action(async (options: ProcedureOptions) => {
      await runProcedure('migrate', options, async (context) => {
        const { docker, topology, say } = context
        if ((await readServices(docker, topology.stack)).length === 0)
          throw new Error(`of stack ${topology.stack} nothing runs: wintrades deploy makes the schema, too`)
        const kept = await prepare({
          ...context,
          placement: new Map(),
          reveal: revealTo(say),
        })
        const lines = await migrate(context, kept)
        for (const line of lines) say(line)
        const isDone = lines.some((line) => line.includes(' → '))
        return { outcome: isDone ? 'done' : 'unchanged', detail: `the schema is that of release ${kept.release}` }
      })
    })
}
