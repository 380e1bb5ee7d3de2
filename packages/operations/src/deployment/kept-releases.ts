// What was deployed, kept on the machine that deploys, newest first: the files as they were rendered, and the names of the secrets and of the release that
// they are filled in with. What is needed to bring an earlier release back exactly as it was; no secret is among it.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomically } from '@wintrades/platform'
import { FIXED_FILES, STACK_FILE, type Topology } from '@wintrades/topology'
import { digest, readFixedFile, renderFiles } from '../topology/deployment-files.ts'
import type { StackVersion } from './compare-stacks.ts'
import type { StateDirectory } from './state-directory.ts'

export type KeptRelease = {
  /** Names the folder: when it was first deployed, and a digest of everything in it. */
  readonly id: string
  readonly release: string
  readonly at: string
  /** Of `docker stack deploy`. */
  readonly environment: Readonly<Record<string, string>>
  /** All of it became healthy. */
  readonly isProven: boolean
}

const RECORD = 'release.json'
/** Holds the id of the release that runs. */
const CURRENT = 'current'
const KEPT_MAX = 4

/** Path → text of every file that `docker stack deploy` reads. */
export function renderRelease(topology: Topology): ReadonlyMap<string, string> {
  const files = new Map(FIXED_FILES.map((path) => [path as string, readFixedFile(path)]))
  for (const [path, text] of renderFiles(topology)) files.set(path, text)
  return files
}

export function environmentOf(
  release: string,
  secrets: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...secrets, WINTRADES_RELEASE: release }
}

/** Renders and keeps; the same as the newest one is that one. */
export function keepRelease(
  state: StateDirectory,
  topology: Topology,
  release: string,
  secrets: Readonly<Record<string, string>>,
): KeptRelease {
  const files = renderRelease(topology)
  const environment = environmentOf(release, secrets)
  const content = digest(JSON.stringify([[...files].sort(), Object.entries(environment).sort()]))
  const [newest] = keptReleases(state)
  if (newest?.id.endsWith(content) === true) return newest
  const at = new Date().toISOString()
  const kept: KeptRelease = {
    id: idOf(at, content),
    release,
    at,
    environment,
    isProven: false,
  }
  for (const [path, text] of files) {
    const file = join(folderOf(state, kept), path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, text)
  }
  record(state, kept)
  forgetOldest(state)
  return kept
}

/** The same release with another stack file, kept as one of its own. */
export function keepVariant(
  state: StateDirectory,
  base: KeptRelease,
  change: (stackFile: string) => string,
): KeptRelease {
  const text = change(stackFileOf(state, base))
  const at = new Date().toISOString()
  const kept: KeptRelease = { ...base, id: idOf(at, digest(`${base.id} ${text}`)), at, isProven: false }
  cpSync(folderOf(state, base), folderOf(state, kept), { recursive: true })
  writeFileSync(join(folderOf(state, kept), STACK_FILE), text)
  record(state, kept)
  forgetOldest(state)
  return kept
}

/** Newest first. */
export function keptReleases(state: StateDirectory): readonly KeptRelease[] {
  if (!existsSync(state.releases)) return []
  return readdirSync(state.releases)
    .sort()
    .reverse()
    .flatMap((id) => {
      try {
        return [JSON.parse(readFileSync(join(state.releases, id, RECORD), 'utf8')) as KeptRelease]
      } catch {
        return [] // broken off while it was written
      }
    })
}

/** Secrets that are no good any more are not gone back to: every kept release is filled in with the new ones. */
export function renewSecrets(state: StateDirectory, secrets: Readonly<Record<string, string>>): void {
  for (const kept of keptReleases(state)) {
    const known = Object.entries(secrets).filter(([variable]) => kept.environment[variable] !== undefined)
    record(state, { ...kept, environment: { ...kept.environment, ...Object.fromEntries(known) } })
  }
}

/** All of it is healthy: this is what runs. */
export function markCurrent(state: StateDirectory, kept: KeptRelease): void {
  record(state, { ...kept, isProven: true })
  writeFileAtomically(join(state.path, CURRENT), `${kept.id}\n`, 0o600)
}

/** What was brought up last as a whole, which after a rollback is not the newest; null: nothing yet. */
export function currentRelease(state: StateDirectory): KeptRelease | null {
  const file = join(state.path, CURRENT)
  if (!existsSync(file)) return null
  const id = readFileSync(file, 'utf8').trim()
  return keptReleases(state).find((kept) => kept.id === id) ?? null
}

/** For what changes a deployment that is there. */
export function requireCurrentRelease(state: StateDirectory): KeptRelease {
  const current = currentRelease(state)
  if (current === null) throw new Error('nothing is deployed from here yet: wintrades deploy comes first')
  return current
}

/** The newest before `now` that was healthy as a whole. */
export function releaseBefore(kept: readonly KeptRelease[], now: KeptRelease): KeptRelease | null {
  const older = kept.slice(kept.findIndex(({ id }) => id === now.id) + 1)
  return older.find(({ isProven }) => isProven) ?? null
}

export function findRelease(kept: readonly KeptRelease[], wanted: string): KeptRelease {
  const found = kept.find(({ id, release }) => id === wanted || release === wanted)
  if (found !== undefined) return found
  const known = kept.map(({ id, release }) => `${release} (${id})`).join(', ')
  throw new Error(`release ${wanted} is not kept here; kept are ${known || 'none'}`)
}

export function folderOf(state: StateDirectory, { id }: KeptRelease): string {
  return join(state.releases, id)
}

export function stackVersionOf(state: StateDirectory, kept: KeptRelease): StackVersion {
  return { file: stackFileOf(state, kept), environment: kept.environment }
}

export function stackFileOf(state: StateDirectory, kept: KeptRelease): string {
  return readFileSync(join(folderOf(state, kept), STACK_FILE), 'utf8')
}

function idOf(at: string, content: string): string {
  return `${at.replaceAll(/[-:]|\..*/g, '')}-${content}`
}

/** Never what runs: it is what a release that fails goes back to. */
function forgetOldest(state: StateDirectory): void {
  const current = currentRelease(state)
  for (const { id } of keptReleases(state).slice(KEPT_MAX)) {
    if (id !== current?.id) rmSync(join(state.releases, id), { recursive: true, force: true })
  }
}

function record(state: StateDirectory, kept: KeptRelease): void {
  writeFileAtomically(join(folderOf(state, kept), RECORD), `${JSON.stringify(kept, null, 2)}\n`, 0o600)
}
