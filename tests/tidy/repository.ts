// What the tidiness checks look at: the files that git tracks or would track, read once.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export type SourceFile = { readonly path: string; readonly text: string }

const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: ROOT })

/** Text files; paths are relative to the repository, with `/`. */
export const FILES: readonly SourceFile[] = listed
  .toString()
  .split('\0')
  .filter(
    (path) => path !== '' && /(\.(ts|md|json|yml|yaml|cmd|css|html|sh)|(^|\/)(wintrades|run|LICENSE))$/.test(path),
  )
  .filter((path) => existsSync(join(ROOT, path)))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))

export const CODE: readonly SourceFile[] = FILES.filter((file) => file.path.endsWith('.ts'))

/** `path:line: what` for every match; an empty list is what a check expects. */
export function findMatches(files: readonly SourceFile[], pattern: RegExp, what: string): string[] {
  return files.flatMap((file) =>
    file.text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}: ${what}`] : [])),
  )
}
