// `wintrades render`: writes every file of a deployment from topology.yml, or checks that they are what it would write.

import { resolve } from 'node:path'
import { Command } from 'commander'
import { REPOSITORY } from '../repository.ts'
import { compareDeployment, type DeploymentFile, writeDeployment } from '../topology/deployment-files.ts'
import { requireDeployment, topologyFile } from '../topology/read-files.ts'

type RenderOptions = { readonly topology: string; readonly output: string; readonly check?: boolean }

const DONE: Readonly<Record<DeploymentFile['state'], string>> = {
  current: 'is current',
  missing: 'written',
  different: 'written anew',
  'left over': 'removed',
}

export function renderCommand(): Command {
  return new Command('render')
    .description('Writes docker-compose.global.yml and the files under deployment/ from topology.yml.')
    .option('--topology <path>', 'what is deployed where', topologyFile())
    .option('--output <directory>', 'where the files are', REPOSITORY)
    .option('--check', 'write nothing; exit with 1 if a file is not what would be written')
    .action((options: RenderOptions) => {
      const directory = resolve(options.output)
      const files = compareDeployment(requireDeployment(resolve(options.topology)), directory)
      if (options.check === true) return check(files)
      writeDeployment(files, directory)
      for (const { path, state } of files) process.stdout.write(`${path}: ${DONE[state]}\n`)
    })
}

function check(files: readonly DeploymentFile[]): void {
  const faults = files.filter(({ state }) => state !== 'current')
  for (const { path, state } of faults) process.stdout.write(`${path}: is ${state}\n`)
  process.stdout.write(
    faults.length === 0
      ? `${files.length} files are current\n`
      : `${faults.length} of ${files.length} files are not current: run wintrades render\n`,
  )
  process.exitCode = faults.length === 0 ? 0 : 1
}
