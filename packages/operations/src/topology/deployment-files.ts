// The files of a deployment as they stand in a folder, beside what the topology says they should be.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomically } from '@wintrades/platform'
import { MARKETS_FILE, renderDeployment, type Topology } from '@wintrades/topology'
import { inRepository } from '../repository.ts'
import { marketsFile } from './read-files.ts'

export type FileState = 'current' | 'missing' | 'different' | 'left over'

export type DeploymentFile = {
  /** In the repository, with `/`. */
  readonly path: string
  readonly state: FileState
  /** null: it should not be there. */
  readonly text: string | null
}

/** Folders whose files of this ending are all rendered: one that is not among them is of a server or region that is gone. */
const FOLDERS = [
  { folder: 'deployment/mysql', ending: '.cnf' },
  { folder: 'deployment/operator', ending: '.yml' },
  { folder: 'deployment/prometheus', ending: 'prometheus.yml' },
] as const

const DIGEST_CHARACTERS = 12

/** Every file, with how it stands in `directory`. What does not change with the topology is read from the repository. */
export function compareDeployment(topology: Topology, directory: string): readonly DeploymentFile[] {
  const rendered = renderFiles(topology)
  const files = [...rendered].map(([path, text]): DeploymentFile => {
    const found = readText(join(directory, path))
    return { path, text, state: found === null ? 'missing' : found === text ? 'current' : 'different' }
  })
  const leftOver = FOLDERS.flatMap(({ folder, ending }) =>
    namesIn(join(directory, folder))
      .map((name) => `${folder}/${name}`)
      .filter((path) => path.endsWith(ending) && !rendered.has(path)),
  )
  return [...files, ...leftOver.map((path): DeploymentFile => ({ path, text: null, state: 'left over' }))]
}

/** Path in the repository → text. */
export function renderFiles(topology: Topology): ReadonlyMap<string, string> {
  return renderDeployment(topology, { read: readFixedFile, digest })
}

/** Of what does not change with the topology. */
export function readFixedFile(path: string): string {
  return readFileSync(path === MARKETS_FILE ? marketsFile() : inRepository(path), 'utf8')
}

export function writeDeployment(files: readonly DeploymentFile[], directory: string): void {
  for (const { path, text, state } of files) {
    const target = join(directory, path)
    if (text === null) rmSync(target)
    else if (state !== 'current') {
      mkdirSync(dirname(target), { recursive: true })
      writeFileAtomically(target, text, 0o644)
    }
  }
}

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_CHARACTERS)
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
