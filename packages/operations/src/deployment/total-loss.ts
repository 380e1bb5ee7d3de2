// The drill of a complete loss: while clients trade, everything of a deployment but a copy of its backups is killed and removed, and then brought back from that copy.
// What was archived by then has to be there again, each order once; told is what was lost with the rest, and how long it took.

import { mkdirSync, readdirSync } from 'node:fs'
import { operatorServiceOf, type Topology } from '@wintrades/topology'
import { BackupKeys, Catalogue } from '../backup/index.ts'
import type { DrillResult, Figure } from '../drill/report.ts'
import { pause } from '../operator/reconciler.ts'
import type { BringUpContext } from './bring-up.ts'
import { deploy } from './deploy.ts'
import { destroy } from './destroy.ts'
import { DockerFault } from './docker.ts'
import { tradersOf } from './drills.ts'
import { currentRelease } from './kept-releases.ts'
import { readBackupStatus } from './operators.ts'
import { ownImage } from './release.ts'
import type { SecretsListener } from './secrets.ts'
import { readNodes } from './swarm.ts'
import { tradeInEveryRegion } from './trade-check.ts'

export type TotalLossOptions = {
  /** How long clients trade before, once there is a full backup. */
  readonly seconds: number
  /** Where the copy of the backups goes: an empty folder, or none. */
  readonly store: string
  /** The ENCRYPTION_KEY that the backups were written with, hexadecimal. */
  readonly key: string
  readonly reveal: SecretsListener['reveal']
}

const LOOK_MS = 1_000
const COPY_MS = 600_000
const ATTEMPTS = 5
/** Of what was acknowledged last before the loss: the copying itself, and what the archiver had not got yet. */
const LOST_SECONDS_MAX = 60
/** Documents first: what they name is there already, and what comes after them is only not needed. */
const COPY = 'cp -a /from/*.json /to/ && cp -a /from/full /from/binlogs /to/'

export async function runTotalLoss(
  context: BringUpContext,
  options: TotalLossOptions,
): Promise<Omit<DrillResult, 'verdict'>> {
  const { topology, signal } = context
  const began_ms = performance.now()
  const timeline: { at_ms: number; text: string }[] = []
  const tell = (text: string) => {
    timeline.push({ at_ms: performance.now() - began_ms, text })
    context.say(`${((performance.now() - began_ms) / 1_000).toFixed(3).padStart(9)} s  ${text}`)
  }
  await requireReplaceable(context)
  makeEmpty(options.store)
  const traders = await tradersOf(topology)
  try {
    tell('clients trade')
    await untilBackedUp(context)
    tell('there is a full backup, and the archive')
    await pause(options.seconds * 1_000, signal)
    const archivedUntil = await copyOfStore(context, options)
    tell(`the backups are copied; every commit until ${archivedUntil.toISOString()} is archived in the copy`)
    signal.throwIfAborted()
    await killEverything(context)
    const lostAt_ms = performance.now()
    tell('every process is killed')
    await traders.stop()
    await destroy({ ...context, say: tell }, true)
    tell('data and secrets are gone')
    const { key, store: directory, reveal } = options
    const again = { ...context, say: tell, region: null, placement: new Map<string, string>(), trades: true, reveal }
    try {
      await deploy({ ...again, fromBackup: { directory, key, to: null } })
      await tradeInEveryRegion(topology, tell, signal)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Error(
        `${why}\nthe backups are in ${directory}, whole: wintrades destroy --volumes, then wintrades deploy --from-backup ${directory} with the same --key-file`,
        { cause },
      )
    }
    const recovery_seconds = (performance.now() - lostAt_ms) / 1_000
    tell('clients log in, and ask for every order again')
    await traders.logInAgain()
    const acknowledged = traders.acknowledged.map(({ clientOrderId, at_ms }) => ({
      clientOrderId,
      at_ms: Date.now() - (performance.now() - at_ms),
    }))
    const orders = await traders.readAll()
    return { ...judgeLoss({ acknowledged, orders, archivedUntil, recovery_seconds }), timeline }
  } finally {
    await traders.close()
  }
}

export type Loss = {
  /** Times in milliseconds since 1970. */
  readonly acknowledged: readonly { readonly clientOrderId: string; readonly at_ms: number }[]
  /** Those of them that are there again. */
  readonly orders: readonly { readonly orderId: string; readonly clientOrderId: string }[]
  readonly archivedUntil: Date
  readonly recovery_seconds: number
}

export function judgeLoss({
  acknowledged,
  orders,
  archivedUntil,
  recovery_seconds,
}: Loss): Omit<DrillResult, 'verdict' | 'timeline'> {
  const there = new Set(orders.map(({ clientOrderId }) => clientOrderId))
  const archived = acknowledged.filter(({ at_ms }) => at_ms <= archivedUntil.getTime())
  const kept = archived.filter(({ clientOrderId }) => there.has(clientOrderId))
  const missing = acknowledged.filter(({ clientOrderId }) => !there.has(clientOrderId))
  const last_ms = Math.max(...acknowledged.map(({ at_ms }) => at_ms))
  // From the first order that is gone to the last one there was.
  const lost_seconds = missing.length === 0 ? 0 : (last_ms - Math.min(...missing.map(({ at_ms }) => at_ms))) / 1_000
  const conditions = [
    {
      text: `every order acknowledged until ${archivedUntil.toISOString()} is there again: ${kept.length} of ${archived.length}`,
      passed: archived.length > 0 && kept.length === archived.length,
    },
    { text: 'none is there twice', passed: new Set(orders.map(({ orderId }) => orderId)).size === orders.length },
    {
      text: `lost are at most the last ${LOST_SECONDS_MAX} s before the loss: ${lost_seconds.toFixed(3)} s, ${missing.length} orders`,
      passed: lost_seconds <= LOST_SECONDS_MAX,
    },
  ]
  const figure = (what: string, value: number, unit: string, reference: number | null): Figure => {
    return { name: `total-loss.${what}`, value, unit, reference }
  }
  return {
    passed: conditions.every(({ passed }) => passed),
    conditions,
    figures: [
      figure('recovery', recovery_seconds, 's', null),
      figure('lost', lost_seconds, 's', LOST_SECONDS_MAX),
      figure('acknowledged', acknowledged.length, 'orders', null),
      figure('missing', missing.length, 'orders', null),
    ],
  }
}

/** What is removed here can be brought back here. */
async function requireReplaceable({ docker, topology }: BringUpContext): Promise<void> {
  if (topology.backups === null) throw new Error('this deployment makes no backups: section backups of topology.yml')
  if ((await readNodes(docker)).length > 1)
    throw new Error('volumes of other nodes cannot be removed from here: this drill is for a deployment on one node')
}

function makeEmpty(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (readdirSync(directory).length > 0) throw new Error(`${directory} is not empty: --store names a new folder`)
}

async function untilBackedUp({ docker, topology, timeout_ms, signal }: BringUpContext): Promise<void> {
  const deadline_ms = performance.now() + timeout_ms
  for (;;) {
    const status = await readBackupStatus(docker, topology)
    if (status !== null && status.newest !== null && status.archive !== null) return
    if (performance.now() > deadline_ms)
      throw new Error(`there is no full backup within ${timeout_ms / 1_000} s: ${backupOperator(topology)} tells why`)
    await pause(LOOK_MS, signal)
    signal.throwIfAborted()
  }
}

function backupOperator({ backups }: Topology): string {
  return `wintrades logs ${backups === null ? '' : operatorServiceOf(backups.region)}`
}

/** Answers up to when everything is in it, as who has the key reads it: nothing is destroyed that could not be opened again. */
async function copyOfStore(
  { docker, topology, state }: BringUpContext,
  { store, key }: TotalLossOptions,
): Promise<Date> {
  const current = currentRelease(state)
  if (current === null) throw new Error('nothing was deployed from this machine: its state is needed')
  const image = ownImage(topology.images.operator, current.release)
  const mounts = ['--volume', `${topology.stack}_backups:/from:ro`, '--volume', `${store}:/to`]
  const flags = ['run', '--rm', '--user', '0', ...mounts, '--entrypoint', 'sh']
  for (let attempt = 1; ; attempt += 1) {
    await docker.run([...flags, image, '-c', COPY], { timeout_ms: COPY_MS })
    const catalogue = await Catalogue.open(store, new BackupKeys(Buffer.from(key, 'hex')))
    const { full, faults } = await catalogue.list()
    const archive = await catalogue.archive()
    if (full.length > 0 && faults.length === 0 && archive !== null) return new Date(archive.completeUntil)
    // The keeper may remove what is no longer kept while it is copied.
    if (attempt === ATTEMPTS) throw new Error(`the copy cannot be used: ${faults[0] ?? 'no full backup is in it'}`)
  }
}

/** At once, as when all machines lose their power. */
async function killEverything({ docker, topology }: BringUpContext): Promise<void> {
  const filters = ['--filter', `label=com.docker.stack.namespace=${topology.stack}`, '--filter', 'status=running']
  const ids = (await docker.run(['ps', '--quiet', ...filters])).split('\n').filter((id) => id !== '')
  try {
    await docker.run(['kill', ...ids])
  } catch (error) {
    // One that has ended since is no reason to stop: the others are killed all the same.
    if (!(error instanceof DockerFault) || !/no such container|is not running/i.test(error.output)) throw error
  }
}
