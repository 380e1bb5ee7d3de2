// The lab's container images, built once from Debian packages: no registry is asked. An image is named by its recipe, so that a changed
// recipe is a new image. On a machine with a registry the same tests can run with other images, named in LAB_IMAGE_MYSQL, LAB_IMAGE_REDIS, ….

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './shell.ts'
import { until } from './until.ts'

export type ImageName = 'mysql' | 'redis' | 'haproxy' | 'node' | 'varnish' | 'prometheus' | 'checks'

type Recipe = {
  readonly suite: string
  readonly packages: readonly string[]
  /** Run by `sh -e` in the new root: what the packages lack. */
  readonly prepare: string
  readonly changes: readonly string[]
  /** File in the image → file of this machine, and what tells one from another. */
  readonly copies?: Readonly<Record<string, { readonly file: string; readonly version: string }>>
}

const MIRROR = 'http://deb.debian.org/debian'
const BUILD_TIMEOUT_MS = 900_000
const TRIM = 'rm -rf /var/cache/apt/* /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*'

type RecipeName = 'mysql' | 'redis' | 'varnish' | 'programs' | 'node'

/** What an image is made from. */
const RECIPE_OF: Readonly<Record<ImageName, RecipeName>> = {
  mysql: 'mysql',
  redis: 'redis',
  varnish: 'varnish',
  haproxy: 'programs',
  prometheus: 'programs',
  checks: 'programs',
  node: 'node',
}

const RECIPES: Readonly<Record<RecipeName, Recipe>> = {
  // Only sid has MySQL 9.7. Its -core packages bring the programs, not the user and the folders.
  mysql: {
    suite: 'sid',
    packages: ['mysql-server-core', 'mysql-client-core'],
    prepare: `groupadd -r -g 999 mysql; useradd -r -u 999 -g mysql -d /var/lib/mysql -s /usr/sbin/nologin mysql
      install -d -o mysql -g mysql /var/lib/mysql /run/mysqld; rm -rf /usr/bin/mysql_embedded; ${TRIM}`,
    changes: ['ENV LANG=C.UTF-8'],
  },
  redis: {
    suite: 'trixie',
    packages: ['redis-server', 'redis-tools'],
    prepare: TRIM,
    changes: ['ENV LANG=C.UTF-8'],
  },
  varnish: { suite: 'trixie', packages: ['varnish'], prepare: TRIM, changes: ['ENV LANG=C.UTF-8'] },
  // Only sid has HAProxy 3.2 and Prometheus 3. One image for all that comes from there: to make one takes a minute.
  programs: {
    suite: 'sid',
    packages: ['haproxy', 'prometheus', 'shellcheck', 'docker-cli'],
    prepare: TRIM,
    changes: ['ENV LANG=C.UTF-8'],
  },
  // What the images of the platform itself are built on.
  node: {
    suite: 'trixie',
    packages: ['ca-certificates', 'libatomic1', 'libstdc++6'],
    prepare: TRIM,
    changes: ['ENV LANG=C.UTF-8'],
    copies: { 'usr/local/bin/node': { file: process.execPath, version: process.version } },
  },
}

/** The image's name, built first if it is not there. Several processes may ask at once: one builds. */
export async function ensureImage(name: ImageName, say: (line: string) => void): Promise<string> {
  const given = process.env[`LAB_IMAGE_${name.toUpperCase()}`]
  if (given) return given
  const recipeName = RECIPE_OF[name]
  const recipe = RECIPES[recipeName]
  const tag = `wintrades-lab/${recipeName}:${digestOf(recipe)}`
  if (await exists(tag)) return tag
  const giveBack = await takeLock(recipeName)
  try {
    if (!(await exists(tag))) await build(tag, recipe, say)
  } finally {
    giveBack()
  }
  return tag
}

async function build(tag: string, recipe: Recipe, say: (line: string) => void): Promise<void> {
  say(`building ${tag} from Debian ${recipe.suite} (once, about a minute)`)
  const began_ms = performance.now()
  const root = await mkdtemp(join(tmpdir(), 'wintrades-image-'))
  const options = { timeout_ms: BUILD_TIMEOUT_MS }
  try {
    await run(
      'debootstrap',
      ['--variant=minbase', `--include=${recipe.packages.join(',')}`, recipe.suite, root, MIRROR],
      options,
    )
    await run('chroot', [root, 'sh', '-e', '-c', recipe.prepare], options)
    for (const [target, { file }] of Object.entries(recipe.copies ?? {})) {
      await run('install', ['-D', '-m', '755', file, join(root, target)], options)
    }
    const changes = recipe.changes.map((change) => `--change '${change}'`).join(' ')
    await run('sh', ['-e', '-c', `tar -C '${root}' -c . | docker import ${changes} - '${tag}'`], options)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
  say(`built ${tag} in ${Math.round((performance.now() - began_ms) / 1_000)} s`)
}

function digestOf(recipe: Recipe): string {
  const copies = Object.entries(recipe.copies ?? {}).map(([target, { version }]) => [target, version])
  const named = recipe.copies === undefined ? recipe : { ...recipe, copies }
  return createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 12)
}

async function exists(tag: string): Promise<boolean> {
  return (await run('docker', ['images', '--quiet', tag])) !== ''
}

/** A folder that only one can make; one whose owner is gone is taken over. */
async function takeLock(name: string): Promise<() => void> {
  const path = join(tmpdir(), `wintrades-image-${name}.lock`)
  const owner = join(path, 'pid')
  const take = () => {
    try {
      mkdirSync(path)
      writeFileSync(owner, String(process.pid))
      return true
    } catch {
      if (existsSync(owner) && !isAlive(Number(readFileSync(owner, 'utf8'))))
        rmSync(path, { recursive: true, force: true })
      return false
    }
  }
  await until(`the lock ${path}`, take, { timeout_ms: BUILD_TIMEOUT_MS, every_ms: 500 })
  return () => rmSync(path, { recursive: true, force: true })
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}
