// A deployment that begins with the data of another one, which is gone: the volumes of two voters are filled from a backup store before any server starts.
// Two, because operators open no database that a single voter vouches for; all other servers are cloned from them.

import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BACKUPS_DIRECTORY, NODE_LABELS, operatorFileOf, SECRETS, type Topology, variableOf } from '@wintrades/topology'
import { type BringUpContext, DeployFailed } from './bring-up.ts'
import type { Docker } from './docker.ts'
import { type Job, runJobs } from './jobs.ts'
import { folderOf, type KeptRelease } from './kept-releases.ts'
import { ownImage } from './release.ts'
import { readServices } from './swarm.ts'

export type FromBackup = {
  /** The store, or a copy of it; at the same path on every node that gets a restored server. */
  readonly directory: string
  /** The ENCRYPTION_KEY that it was written with. */
  readonly key: string
  /** ISO 8601; null: everything that is archived. */
  readonly to: string | null
}

const RESTORED_VOTERS = 2
const VOLUME = '/var/lib/mysql'
const RUN_SECRETS = '/run/secrets'

/** Checked before anything is made. */
export function readFromBackup(directory: string, keyFile: string | undefined, to: string | null): FromBackup {
  if (keyFile === undefined)
    throw new Error('--from-backup needs --key-file: the ENCRYPTION_KEY that was shown at the first deploy')
  try {
    if (!statSync(join(directory, 'full')).isDirectory()) throw new Error('full is no directory')
  } catch (cause) {
    throw new Error(`${directory} is no backup store: it has no folder \`full\``, { cause })
  }
  return { directory, key: readKeyFile(keyFile), to }
}

/** 64 hexadecimal characters. */
export function readKeyFile(path: string): string {
  let key: string
  try {
    key = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new Error(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
  if (/^[0-9a-f]{64}$/i.test(key)) return key
  throw new Error(`${path} must hold the ENCRYPTION_KEY: 64 hexadecimal characters on one line`)
}

/** What would be in the way: a database is never written over. */
export async function requireNoDatabase(docker: Docker, topology: Topology): Promise<void> {
  const { stack, database } = topology
  const services = await readServices(docker, stack)
  if (services.length > 0)
    throw new DeployFailed(
      `stack ${stack} runs, and a backup is only restored where nothing is: docs/runbooks/restore-to-a-time.md says how what runs is put back to a time`,
    )
  const names = (await docker.run(['volume', 'ls', '--format', '{{.Name}}', '--filter', `name=^${stack}_`])).split('\n')
  const there = database.servers.map(({ name }) => `${stack}_${name}`).filter((volume) => names.includes(volume))
  if (there.length > 0)
    throw new DeployFailed(
      `${there.join(', ')} may hold a database still: without --from-backup a deploy goes on with it; if it is not wanted, docker volume rm ${there.join(' ')}`,
    )
}

/** One job a voter, on the node that will run it. Resolves with what the restores said. */
export async function restoreVoters(
  context: BringUpContext,
  kept: KeptRelease,
  from: FromBackup,
): Promise<readonly string[]> {
  const { docker, topology, state, say } = context
  const { stack, backups, database } = topology
  if (backups === null)
    throw new DeployFailed('topology.yml makes no backups (section backups): it is needed to read one')
  const voters = database.servers.filter(({ role }) => role === 'voter').slice(0, RESTORED_VOTERS)
  const configuration = `${stack}_restore_${randomUUID().slice(0, 8)}`
  await docker.run(['config', 'create', configuration, join(folderOf(state, kept), operatorFileOf(backups.region))])
  const jobs = voters.map(({ name }) => jobOf(topology, kept, { server: name, configuration, from }))
  for (const { name } of voters) say(`${name}: its data is restored from the backup`)
  try {
    const words = await runJobs(context, jobs)
    return words.flatMap((lines, i) =>
      lines
        .filter((line) => /^the last commit in it|^shard \d+ ends|to unpack/.test(line))
        .map((line) => `${voters[i]?.name}: ${line}`),
    )
  } finally {
    // Its last task may not have let go of it yet: the next deploy removes it.
    await docker.run(['config', 'rm', configuration]).catch(() => '')
  }
}

type Restore = { readonly server: string; readonly configuration: string; readonly from: FromBackup }

function jobOf({ stack, images }: Topology, kept: KeptRelease, { server, configuration, from }: Restore): Job {
  const directory = `${VOLUME}/data`
  const time = from.to === null ? '' : ` --to '${from.to}'`
  const secret = (name: string, target: string) => {
    const source = kept.environment[variableOf(name)]
    return ['--secret', `source=${source},target=${target},mode=0400`]
  }
  // The mark makes the server's container give the restored accounts this deployment's passwords.
  const script = `node packages/operations/src/cli.ts backup restore --directory ${directory}${time} && touch ${VOLUME}/restored`
  return {
    name: `${stack}_restore_${server}`,
    purpose: `${server} was not restored`,
    flags: [
      // Its files belong to another user afterwards.
      ...['--user', '0', '--constraint', `node.labels.${NODE_LABELS.server(server)} == true`],
      ...['--mount', `type=volume,source=${stack}_${server},target=${VOLUME}`],
      ...['--mount', `type=bind,source=${from.directory},target=${BACKUPS_DIRECTORY},readonly`],
      ...['--config', `source=${configuration},target=/etc/wintrades/operator.yml`],
      ...secret(SECRETS.encryption, SECRETS.encryption),
      ...secret(SECRETS.mysql('backup', 'a'), SECRETS.mysql('backup', 'a')),
      ...secret(SECRETS.authority, 'ca.pem'),
      ...['--env', 'APP_ENV=production', '--env', 'OPERATOR_FILE=/etc/wintrades/operator.yml'],
      ...['--env', `ENCRYPTION_KEY_FILE=${RUN_SECRETS}/${SECRETS.encryption}`],
    ],
    image: ownImage(images.operator, kept.release),
    command: ['bash', '-c', script],
  }
}
