// `wintrades scale REGION=N | cache=N | content=N …`: writes the number into the topology, which stays the truth, and brings those services up.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { bringUp, converge } from '../deployment/bring-up.ts'
import { untilCacheIsInOrder } from '../deployment/cache-readiness.ts'
import { requireOwnFile, withChangedFiles } from '../deployment/changed-files.ts'
import { keepVariant, markCurrent, requireCurrentRelease } from '../deployment/kept-releases.ts'
import {
  aboutDeployment,
  changingDeployment,
  type ProcedureOptions,
  readTopology,
  runProcedure,
} from '../deployment/procedure.ts'
import { parseScale, scaleStack, scaleTopology, serviceOf } from '../deployment/scale.ts'
import { MAIN_ENVIRONMENT, requireDeployment, topologyFile } from '../topology/read-files.ts'

export function scaleCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('scale')))
    .description(
      'Changes how many processes a region has, how many nodes the cache, how many caches of content. Clients notice nothing.',
    )
    .argument('<what=number...>', 'such as eu-west=5, cache=9 or content=3')
    .option('--dry-run', 'say what would change, and change nothing')
    .action(async (words: string[], options: ProcedureOptions & { readonly dryRun?: boolean }) => {
      const file = requireOwnFile(resolve(options.topology ?? topologyFile(options.environment ?? MAIN_ENVIRONMENT)))
      const regions = readTopology(options).regions.map(({ name }) => name)
      const scales = words.map((word) => parseScale(word, regions))
      const scaled = () => scaleTopology(readFileSync(file, 'utf8'), scales)
      if (options.dryRun === true) {
        for (const change of scaled().changes) process.stdout.write(`${change}\n`)
        return
      }
      await runProcedure(`scale ${words.join(' ')}`, options, async (context) => {
        // Read under the lock: somebody else may have changed it until then.
        const { text, changes } = scaled()
        for (const change of changes) context.say(change)
        if (changes.length === 0) return { outcome: 'unchanged', detail: 'it is so already' }
        const current = requireCurrentRelease(context.state)
        const services = scales.map(serviceOf)
        await withChangedFiles([{ path: file, text }], async () => {
          // Also checks that the numbers agree with everything else.
          requireDeployment(file)
          const kept = keepVariant(context.state, current, (stackFile) => scaleStack(stackFile, scales))
          try {
            await bringUp(context, kept, services)
            await converge(context, services)
          } catch (error) {
            await bringUp(context, current, services)
            throw error
          }
          markCurrent(context.state, kept)
        })
        for (const { kind, count } of scales) if (kind === 'cache') await untilCacheIsInOrder(context, count)
        return { outcome: 'done', detail: changes.join('; ') }
      })
    })
}
