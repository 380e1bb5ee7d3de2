// `wintrades docs`: writes the reference pages that come from the code, so that they cannot differ from it.

import { readFileSync, writeFileSync } from 'node:fs'
import { configurationReference } from '@wintrades/platform'
import { Command } from 'commander'
import { inRepository } from '../repository.ts'

const PAGES: readonly { readonly path: string; readonly write: () => string }[] = [
  { path: 'docs/configuration.md', write: configurationReference },
]

export function docsCommand(): Command {
  return new Command('docs').description('Writes the reference pages that come from the code.').action(() => {
    for (const page of PAGES) {
      const path = inRepository(page.path)
      const text = page.write()
      const current = readCurrent(path) === text
      if (!current) writeFileSync(path, text)
      process.stdout.write(`${page.path}: ${current ? 'is current' : 'written'}\n`)
    }
  })
}

function readCurrent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
