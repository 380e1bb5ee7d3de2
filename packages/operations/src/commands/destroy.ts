// `wintrades destroy`: removes a deployment. What it takes with it is said first, and the name of the stack has to be typed.

import { Command } from 'commander'
import { requireTyped } from '../deployment/confirm.ts'
import { destroy, readRemains } from '../deployment/destroy.ts'
import { Docker } from '../deployment/docker.ts'
import {
  aboutDeployment,
  changingDeployment,
  type ProcedureOptions,
  readTopology,
  runProcedure,
} from '../deployment/procedure.ts'

type DestroyOptions = ProcedureOptions & {
  readonly volumes?: boolean
  readonly confirm?: string
  readonly dryRun?: boolean
}

export function destroyCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('destroy')))
    .description(
      'Removes the stack: services, networks, configs. Data and secrets stay, and a deploy goes on with them, unless --volumes.',
    )
    .option('--volumes', 'data of this node and all secrets too: journal, accounts, backups. Nothing brings them back')
    .option('--confirm <stack>', 'the name of the stack, typed once more, instead of being asked')
    .option('--dry-run', 'say what would go, and remove nothing')
    .action(async (options: DestroyOptions) => {
      const { stack } = readTopology(options)
      const withData = options.volumes === true
      for (const line of await readRemains(new Docker(), stack, withData)) process.stdout.write(`${line}\n`)
      if (options.dryRun === true) return
      await requireTyped(stack, options.confirm)
      await runProcedure(`destroy${withData ? ' with its data' : ''}`, options, async (context) => {
        await destroy(context, withData)
        return {
          outcome: 'done',
          detail: `stack ${stack} is gone${withData ? ', with its data and secrets' : '; its data and secrets are kept'}`,
        }
      })
    })
}
