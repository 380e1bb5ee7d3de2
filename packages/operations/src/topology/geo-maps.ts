// The maps from addresses to continents, made from a data package: fetched with npm, its licence looked at, read, written. Promises to write nothing that
// is not whole.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { writeFileAtomically } from '@wintrades/platform'
import { type ContinentMap, GEO_MAPS, mapFileOf, renderContinentMap } from '@wintrades/topology'

export const GEO_PACKAGE = '@ip-location-db/asn-country'

/** Data may be used for whatever, and passed on, without naming anybody. */
const LICENCES = ['CC0-1.0', 'PDDL-1.0']
const VERSIONS = [4, 6] as const
const FETCH_TIMEOUT_MS = 300_000
/** Fewer than the smallest real one by far: a package that holds no data any more. */
const NETWORKS_MIN = 1_000

export type GeoUpdate = { readonly source: string; readonly maps: Readonly<Record<4 | 6, ContinentMap>> }

/** `from`: the unpacked package; null: it is fetched. */
export async function updateGeoMaps(repository: string, from: string | null): Promise<GeoUpdate> {
  if (from !== null) return writeMaps(repository, from)
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-geo-'))
  try {
    return writeMaps(repository, await fetchPackage(directory))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function writeMaps(repository: string, packageDirectory: string): GeoUpdate {
  const { name, version, license } = readManifest(packageDirectory)
  if (!LICENCES.includes(license))
    throw new Error(
      `${name} ${version} is licensed ${license}, not ${LICENCES.join(' or ')}: use an older version, with --from`,
    )
  const source = `Made by \`wintrades geo update\` from ${name} ${version} (${license}).`
  const [map4, map6] = VERSIONS.map((ip) =>
    renderContinentMap({ version: ip, text: readTable(packageDirectory, ip) }, source),
  )
  const maps = { 4: map4 as ContinentMap, 6: map6 as ContinentMap }
  for (const ip of VERSIONS) {
    if (maps[ip].networks < NETWORKS_MIN)
      throw new Error(
        `${name} ${version} has next to no networks of IPv${ip} (${maps[ip].networks}): nothing was changed`,
      )
  }
  for (const ip of VERSIONS) {
    const path = join(repository, mapFileOf(GEO_MAPS[ip]))
    mkdirSync(dirname(path), { recursive: true })
    writeFileAtomically(path, maps[ip].text, 0o644)
  }
  return { source, maps }
}

async function fetchPackage(directory: string): Promise<string> {
  const run = promisify(execFile)
  const options = { cwd: directory, timeout: FETCH_TIMEOUT_MS, shell: process.platform === 'win32' }
  try {
    await run('npm', ['pack', '--silent', GEO_PACKAGE], options)
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error)
      .trim()
      .split('\n')[0]
    throw new Error(
      `npm could not fetch ${GEO_PACKAGE} (${said}): is the package registry reachable? --from takes an unpacked one`,
    )
  }
  const archive = readdirSync(directory).find((name) => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`npm fetched ${GEO_PACKAGE} and left no archive`)
  await run('tar', ['-xzf', archive], options)
  return join(directory, 'package')
}

type Manifest = { readonly name: string; readonly version: string; readonly license: string }

function readManifest(directory: string): Manifest {
  const { name, version, license } = JSON.parse(read(join(directory, 'package.json'))) as Partial<Manifest>
  return { name: String(name), version: String(version), license: String(license) }
}

function readTable(directory: string, ip: 4 | 6): string {
  return read(join(directory, `asn-country-ipv${ip}.csv`))
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new Error(`${path} cannot be read (${code}): it is to be a file of the package ${GEO_PACKAGE}`)
  }
}
