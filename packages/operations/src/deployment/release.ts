// The release that is deployed: the version, and a digest of everything that its images are made from, so that the same sources are the same release on
// every machine and nothing is built twice. Images of the platform's own are built where they are missing; all others are pulled.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { IMAGES, type ImageName, type Topology } from '@wintrades/topology'
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
const SERVER_IMAGES = ['mysql', 'redis', 'haproxy', 'varnish', 'prometheus'] as const
const OWN_IMAGES = ['app', 'operator'] as const
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
  const missing = await missingImages(docker, topology, release)
  for (const { image, how } of missing) if (how === 'pulled') await pull(docker, image, say)
  const builds = missing.filter(({ how }) => how === 'built')
  if (builds.length === 0) return
  const context = await stageSources(say)
  try {
    for (const { name, image } of builds) await build(docker, context, name, image, topology, say)
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

/** `how` it is had where it is missing. */
export type MissingImage = { readonly name: ImageName; readonly image: string; readonly how: 'pulled' | 'built' }

/** All that a node may need. */
export function neededImages({ images, monitoring }: Topology, release: string): readonly MissingImage[] {
  return [
    ...SERVER_IMAGES.filter((name) => name !== 'prometheus' || monitoring !== null).map((name) => ({
      name,
      image: images[name],
      how: 'pulled' as const,
    })),
    ...OWN_IMAGES.map((name) => ({ name, image: ownImage(images[name], release), how: 'built' as const })),
  ]
}

/** Images that the stack needs and this machine has not. */
export async function missingImages(
  docker: Docker,
  topology: Topology,
  release: string,
): Promise<readonly MissingImage[]> {
  const needed = neededImages(topology, release)
  const missing: MissingImage[] = []
  for (const one of needed) if (!(await isThere(docker, one.image))) missing.push(one)
  return missing
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
  if (hasRegistry(image)) await push(docker, image, say)
}

/** The other nodes pull it from there. */
async function push(docker: Docker, image: string, say: ImageProgress): Promise<void> {
  say(`pushing ${image}`)
  try {
    await docker.run(['push', '--quiet', image], { timeout_ms: PULL_TIMEOUT_MS })
  } catch (error) {
    // The next attempt shall find it missing, and push it too.
    await docker.run(['image', 'rm', image]).catch(() => '')
    throw new Error(
      `${image} cannot be pushed: ${(error as Error).message}; is that registry reachable, and are you logged in to it (docker login)?`,
      {
        cause: error,
      },
    )
  }
}

/** What other nodes cannot pull, in words; null where they can, or where there are none. */
export function missingElsewhere({ images }: Topology, release: string, nodes: number): string | null {
  const local = OWN_IMAGES.map((name) => ownImage(images[name], release)).filter((image) => !hasRegistry(image))
  if (nodes < 2 || local.length === 0) return null
  return `${local.join(' and ')} are in no registry: name one under images in topology.yml, or load them on every node (docker save … | docker load, there)`
}

/** The first part of a name is a registry where it looks like a host, as docker has it. */
export function hasRegistry(image: string): boolean {
  const [first = '', ...rest] = image.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
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

async function pull(docker: Docker, image: string, say: ImageProgress): Promise<void> {
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
