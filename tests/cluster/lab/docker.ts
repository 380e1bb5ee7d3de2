// The Docker daemon that the lab uses: the one that runs, or one that is started here and ended again with the tests.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './shell.ts'
import { until } from './until.ts'

/** Debian packages without which there is no lab, and a program of each. */
const NEEDED: readonly (readonly [string, string])[] = [
  ['docker.io', '/usr/sbin/dockerd'],
  ['iptables', '/usr/sbin/iptables'],
  ['iproute2', '/usr/sbin/ip'],
  ['debootstrap', '/usr/sbin/debootstrap'],
  ['python3-minimal', '/usr/bin/python3'],
]
const INSTALL_TIMEOUT_MS = 600_000
const START_TIMEOUT_MS = 60_000

/** This machine cannot have a lab; says why and what to do. */
export class LabUnavailable extends Error {
  override readonly name = 'LabUnavailable'
}

/** Resolves when there is a daemon; the answer ends it if it was started here. */
export async function ensureDocker(say: (line: string) => void): Promise<() => Promise<void>> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new LabUnavailable('the lab makes network namespaces and containers: it needs Linux and root')
  }
  await installMissing(say)
  if (await answers()) return async () => {}
  say('starting the Docker daemon')
  const log = join(mkdtempSync(join(tmpdir(), 'wintrades-dockerd-')), 'dockerd.log')
  const output = openSync(log, 'a')
  const daemon = spawn('/usr/sbin/dockerd', [], { stdio: ['ignore', output, output], detached: true })
  daemon.unref()
  try {
    await until('the Docker daemon answers', answers, { timeout_ms: START_TIMEOUT_MS })
  } catch (error) {
    const said = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n')
    throw new LabUnavailable(`the Docker daemon does not start: ${said}`, { cause: error })
  }
  return () => end(daemon)
}

async function installMissing(say: (line: string) => void): Promise<void> {
  const missing = NEEDED.filter(([, program]) => !existsSync(program)).map(([name]) => name)
  if (missing.length === 0) return
  if (!existsSync('/usr/bin/apt-get')) {
    throw new LabUnavailable(`install ${missing.join(', ')} first (here is no apt-get to do it with)`)
  }
  say(`installing ${missing.join(', ')}`)
  const options = { timeout_ms: INSTALL_TIMEOUT_MS }
  await run('apt-get', ['update', '-q'], options)
  await run(
    'env',
    ['DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-qy', '--no-install-recommends', ...missing],
    options,
  )
}

async function answers(): Promise<boolean> {
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout_ms: 10_000 })
    return true
  } catch {
    return false
  }
}

async function end(daemon: ChildProcess): Promise<void> {
  daemon.kill('SIGTERM')
  await until('the Docker daemon has ended', () => daemon.exitCode !== null || daemon.signalCode !== null, {
    timeout_ms: START_TIMEOUT_MS,
  })
}
