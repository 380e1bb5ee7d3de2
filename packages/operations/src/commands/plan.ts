// `wintrades plan`: what a deploy would change, and what stands in its way.

import { Command, InvalidArgumentError } from 'commander'
import { Docker } from '../deployment/docker.ts'
import { describePlan, planDeployment } from '../deployment/plan.ts'
import { aboutDeployment, type DeploymentOptions, readTopology } from '../deployment/procedure.ts'
import { StateDirectory } from '../deployment/state-directory.ts'

export type PlanCommandOptions = DeploymentOptions & { readonly place: ReadonlyMap<string, string> }

export function planCommand(): Command {
  return aboutDeployment(new Command('plan'))
    .description(
      'Shows what a deploy would change: nodes, images, secrets, and of every service what differs from what runs. Changes nothing. ' +
        'Ends with code 1 where something stands in its way.',
    )
    .option('--place <region=node>', 'the node that shall carry a region; may be repeated', parsePlace, new Map())
    .action(showPlan)
}

export async function showPlan(options: PlanCommandOptions): Promise<void> {
  const topology = readTopology(options)
  const state = new StateDirectory(topology.stack)
  const plan = await planDeployment({ docker: new Docker(), topology, state, placement: options.place })
  process.stdout.write(`${describePlan(topology.stack, plan).join('\n')}\n`)
  if (plan.faults.length > 0) process.exitCode = 1
}

export function parsePlace(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [region, node, ...rest] = text.split('=')
  if (region === undefined || node === undefined || node === '' || rest.length > 0)
    throw new InvalidArgumentError('must be REGION=NODE, such as eu-west=node-2')
  return new Map([...before, [region, node]])
}
