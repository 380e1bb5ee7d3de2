// The schema of the databases brought to a release's, before its processes come: by a job with the image, secrets and settings of an app process.

import { appServiceOf } from '@wintrades/topology'
import type { BringUpContext } from './bring-up.ts'
import { readStack } from './compare-stacks.ts'
import { runJobs } from './jobs.ts'
import { type KeptRelease, stackVersionOf } from './kept-releases.ts'

type Mounted = { readonly source: string; readonly target: string; readonly uid?: string; readonly gid?: string }
type AppService = {
  readonly image: string
  readonly user: string
  readonly environment: Readonly<Record<string, string>>
  readonly secrets: readonly Mounted[]
  readonly configs: readonly Mounted[]
}

/** Resolves with what it did, a line each. */
export async function migrate(context: BringUpContext, kept: KeptRelease): Promise<readonly string[]> {
  const { topology, state } = context
  const [region] = topology.regions
  if (region === undefined) return []
  const { services = {}, secrets = {}, configs = {} } = readStack(stackVersionOf(state, kept))
  const app = services[appServiceOf(region.name)] as AppService
  const mounts = (kind: 'secret' | 'config', mounted: readonly Mounted[], names: typeof secrets) =>
    mounted.flatMap(({ source, target, uid = '0', gid = '0' }) => [
      `--${kind}`,
      `source=${names[source]?.name ?? source},target=${target},uid=${uid},gid=${gid},mode=0400`,
    ])
  // Configs are world-readable in the stack: they hold nothing secret, and the job is not root.
  const readable = (flags: readonly string[]) => flags.map((flag) => flag.replace('mode=0400', 'mode=0444'))
  const [words = []] = await runJobs(context, [
    {
      name: `${topology.stack}_migrate`,
      purpose: 'the schema was not migrated',
      flags: [
        ...['--user', app.user, '--network', `${topology.stack}_data`],
        ...Object.entries(app.environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        ...mounts('secret', app.secrets, secrets),
        ...readable(mounts('config', app.configs, configs)),
      ],
      image: app.image,
      command: ['node', 'services/app/src/migrate.ts'],
    },
  ])
  return words
}
