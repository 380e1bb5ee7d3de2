// The release that is deployed: the version, and a digest of everything that its images are made from, so that the same sources are the same release on
// every machine and nothing is built twice. Images of the platform's own are built where they are missing; all others are pulled.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { IMAGES, type Topology } from '@wintrades/topology'
import { inRepository, REPOSITORY, readVersion } from '../repository.ts'
import type { Docker } from './docker.ts'

/** What .dockerignore lets through. */
const SOURCES = ['package.json', 'package-lock.json', 'markets.yml', 'deployment/images']
const SOURCE_FOLDERS = ['packages', 'services']
const DIGEST_CHARACTERS = 10
const BUILD_TIMEOUT_MS = 1_800_000
const PULL_TIMEOUT_MS = 1_200_000
const INSTALL_TIMEOUT_MS = 600_000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const DOCKERFILE = join('deployment', 'images', 'Dockerfile')

export function releaseOf(): string {
  const digest = createHash('sha256')
  for (const file of sourceFiles())
    digest
      .update(`${relative(REPOSITORY, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return `${readVersion()}-${digest.digest('hex').slice(0, DIGEST_CHARACTERS)}`
}

function sourceFiles(): string[] {
  const files = SOURCES.flatMap((name) => filesIn(inRepository(name)))
  for (const folder of SOURCE_FOLDERS) {
    for (const name of readdirSync(inRepository(folder))) {
      files.push(inRepository(folder, name, 'package.json'), ...filesIn(inRepository(folder, name, 'src')))
    }
  }
  return files.sort()
}

function filesIn(path: string): string[] {
  if (lstatSync(path).isFile()) return [path]
  return readdirSync(path, { withFileTypes: true, recursive: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  )
}

export type ImageProgress = (line: string) => void

/** Builds what is built from here and is not there yet; pulls the rest. Names an image with what keeps it from being had. */
export async function ensureImages(
  docker: Docker,
  topology: Topology,
  release: string,
  say: ImageProgress,
): Promise<void> {
  const own = { app: ownImage(topology.images.app, release), operator: ownImage(topology.images.operator, release) }
  for (const name of [
    'mysql',
    'redis',
    'haproxy',
    'varnish',
    ...(topology.monitoring === null ? [] : (['prometheus'] as const)),
  ] as const) {
    await ensurePulled(docker, topology.images[name], say)
  }
  const missing: (keyof typeof own)[] = []
  for (const target of ['app', 'operator'] as const) if (!(await isThere(docker, own[target]))) missing.push(target)
  if (missing.length === 0) return
  const context = await stageSources(say)
  try {
    for (const target of missing) await build(docker, context, target, own[target], topology, say)
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

async function build(
  docker: Docker,
  context: string,
  target: string,
  image: string,
  topology: Topology,
  say: ImageProgress,
): Promise<void> {
  say(`building ${image}`)
  const began_ms = performance.now()
  const base = process.env['WINTRADES_NODE_IMAGE']
  const args = [
    ...(base === undefined || base === '' ? [] : ['--build-arg', `NODE_IMAGE=${base}`]),
    '--build-arg',
    `MYSQL_IMAGE=${topology.images.mysql}`,
  ]
  const command = ['build', '--file', DOCKERFILE, '--target', target, '--tag', image, ...args, '.']
  // The classic builder is everywhere where docker is.
  const environment = { DOCKER_BUILDKIT: process.env['DOCKER_BUILDKIT'] ?? '0' }
  await docker.run(command, { directory: context, timeout_ms: BUILD_TIMEOUT_MS, environment })
  say(`built ${image} in ${Math.round((performance.now() - began_ms) / 1_000)} s`)
}

/** A folder with all that the images consist of, packages installed for them: by this machine, which knows its registry. */
async function stageSources(say: ImageProgress): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'wintrades-images-'))
  try {
    for (const file of [...sourceFiles(), inRepository('.npmrc'), inRepository('tests', 'package.json')]) {
      const target = join(context, relative(REPOSITORY, file))
      await mkdir(dirname(target), { recursive: true })
      await copyFile(file, target)
    }
    say('installing the packages of the images')
    const cpu = process.arch
    const args = ['ci', '--omit=dev', '--ignore-scripts', '--os=linux', `--cpu=${cpu}`, '--libc=glibc']
    await new Promise<void>((resolve, reject) => {
      execFile(
        'npm',
        args,
        { cwd: context, timeout: INSTALL_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX },
        (error, _out, err) => {
          if (error === null) resolve()
          else
            reject(
              new Error(
                `npm ci failed: ${err.split('\n').find((line) => line.includes('error')) ?? error.message}; is the package registry reachable?`,
              ),
            )
        },
      )
    })
    return context
  } catch (error) {
    await rm(context, { recursive: true, force: true })
    throw error
  }
}

/** Without a tag it gets that of the release. */
export function ownImage(image: string, release: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1)
  return name.includes(':') || name.includes('@') ? image : `${image}:${release}`
}

async function ensurePulled(docker: Docker, image: string, say: ImageProgress): Promise<void> {
  if (await isThere(docker, image)) return
  say(`pulling ${image}`)
  try {
    await docker.run(['pull', '--quiet', image], { timeout_ms: PULL_TIMEOUT_MS })
  } catch (error) {
    const isOfficial = (Object.values(IMAGES) as readonly string[]).includes(image)
    const way = isOfficial
      ? 'name a mirror under images in topology.yml'
      : 'check its name under images in topology.yml'
    throw new Error(`${image} cannot be had: ${(error as Error).message}; ${way}`, { cause: error })
  }
}

async function isThere(docker: Docker, image: string): Promise<boolean> {
  return (await docker.run(['images', '--quiet', image])) !== ''
}
