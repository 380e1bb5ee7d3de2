// Compiles every module of the programs once, while the image is built, so that no container has to (NODE_COMPILE_CACHE). Imports only what does nothing
// when it is imported: the programs themselves would start.

import { readdirSync } from 'node:fs'
import { createRequire, flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const ROOT = join(import.meta.dirname, '..', '..')
const require = createRequire(join(ROOT, 'package.json'))
const PACKAGES = readdirSync(join(ROOT, 'packages'))

for (const name of PACKAGES) {
  // What fails here would fail at the start of a container: better that the image is not built.
  await import(pathToFileURL(require.resolve(`@wintrades/${name}`)).href)
}
flushCompileCache()
process.stdout.write(`compiled what ${PACKAGES.length} packages consist of\n`)
