// Files that a person keeps, changed by a command together with what runs: either both change or neither.

import { existsSync, readFileSync } from 'node:fs'
import { writeFileAtomically } from '@wintrades/platform'

export type ChangedFile = { readonly path: string; readonly text: string }

/** While `work` runs the files are as changed; where it fails they are put back, which the error says. */
export async function withChangedFiles<Result>(
  files: readonly ChangedFile[],
  work: () => Promise<Result>,
): Promise<Result> {
  const before = files.map(({ path }) => ({ path, text: readFileSync(path, 'utf8') }))
  for (const { path, text } of files) writeFileAtomically(path, text, 0o644)
  try {
    return await work()
  } catch (error) {
    for (const { path, text } of before) writeFileAtomically(path, text, 0o644)
    const names = files.map(({ path }) => path).join(' and ')
    throw new Error(`${(error as Error).message}\n${names}: put back to what was written there`, { cause: error })
  }
}

/** The topology that a command may write to: one's own, never the example. */
export function requireOwnFile(path: string): string {
  if (path.endsWith('topology.example.yml'))
    throw new Error('the example topology is not to be changed: copy topology.example.yml to topology.yml first')
  if (!existsSync(path)) throw new Error(`${path} does not exist: copy topology.example.yml there first`)
  return path
}
