// The operator's part that keeps backups: follows the binlog all the time, makes the nightly full backup, checks it by a restore, removes what is no
// longer to be kept, and takes archived binlogs off the servers. One operator does it at a time; the others wait for its lock.

import type { Markets } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import { pause, type Reconciler } from '../operator/reconciler.ts'
import { BinlogArchiver } from './binlog/archiver.ts'
import { purgeServers } from './binlog/purge.ts'
import { createBackup } from './create.ts'
import { planRetention } from './retention.ts'
import { isBackupDue, isVerificationDue } from './schedule.ts'
import { takeLock, viewTier } from './servers.ts'
import type { BackupSettings } from './settings.ts'
import { Catalogue, type FullBackup, type Verification } from './store/catalogue.ts'
import type { BackupKeys } from './store/keys.ts'
import { verifyBackup } from './verify/verify.ts'

export type BackupReconcilerOptions = {
  readonly settings: BackupSettings
  readonly keys: BackupKeys
  readonly markets: Markets
  readonly logger: Logger
  readonly now?: () => Date
}

const TURN_MS = 10_000
const PURGE_MS = 60_000

type Task = 'archive' | 'full' | 'verify' | 'retention' | 'purge' | 'store'

export type BackupStatus = {
  /** Whether this operator does it; another may. */
  readonly isActive: boolean
  readonly doing: string | null
  readonly newest: FullBackup | null
  readonly verified: Verification | null
  readonly archive: BinlogArchiver['figures'] | null
  readonly faults: Readonly<Partial<Record<Task, string>>>
}

export function backupReconciler(options: BackupReconcilerOptions): Reconciler {
  const keeper = new BackupKeeper(options)
  return {
    name: 'backup',
    run: (signal) => keeper.run(signal),
    status: () => keeper.status,
    metrics: (metrics) => registerMetrics(metrics, () => keeper.status, options.now ?? (() => new Date())),
  }
}

export class BackupKeeper {
  readonly #options: BackupReconcilerOptions
  readonly #now: () => Date
  readonly #faults = new Map<Task, string>()
  #archiver: BinlogArchiver | null = null
  #isActive = false
  #doing: string | null = null
  #newest: FullBackup | null = null
  #verified: Verification | null = null
  #failedAt: Date | null = null
  #purgedAt_ms = Number.NEGATIVE_INFINITY

  constructor(options: BackupReconcilerOptions) {
    this.#options = options
    this.#now = options.now ?? (() => new Date())
  }

  get status(): BackupStatus {
    return {
      isActive: this.#isActive,
      doing: this.#doing,
      newest: this.#newest,
      verified: this.#verified,
      archive: this.#archiver?.figures ?? null,
      faults: Object.fromEntries(this.#faults),
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt('store', () => this.#keepWhileLocked(signal))
      await pause(TURN_MS, signal)
    }
  }

  async #keepWhileLocked(signal: AbortSignal): Promise<void> {
    const { settings, keys, logger } = this.#options
    const catalogue = await Catalogue.open(settings.directory, keys)
    await this.#read(catalogue)
    const lock = await takeLock('archive', settings, await viewTier(settings))
    if (lock === null) return
    logger.info('this operator keeps the backups', { directory: settings.directory })
    this.#isActive = true
    const until = AbortSignal.any([signal, lock.lost])
    const archiver = new BinlogArchiver({ catalogue, settings, logger: logger.child('archive') })
    this.#archiver = archiver
    const archiving = archiver.run(until)
    try {
      while (!until.aborted) {
        await this.#turn(catalogue, archiver, until)
        await pause(TURN_MS, until)
      }
    } finally {
      this.#isActive = false
      lock.release()
      await archiving
      this.#archiver = null
    }
  }

  /** What is due, one after the other. */
  async #turn(catalogue: Catalogue, archiver: BinlogArchiver, signal: AbortSignal): Promise<void> {
    const { settings } = this.#options
    await this.#attempt('store', () => this.#read(catalogue))
    if (isBackupDue(this.#now(), this.#newest, settings.nightlyAt, this.#failedAt)) {
      await this.#attempt('full', () => this.#create(catalogue, signal))
      await this.#attempt('retention', () => this.#retain(catalogue, archiver))
    }
    if (isVerificationDue(this.#now(), this.#newest, this.#verified, settings.verifyEvery_hours)) {
      await this.#attempt('verify', () => this.#verify(catalogue, signal))
    }
    if (performance.now() - this.#purgedAt_ms >= PURGE_MS) {
      this.#purgedAt_ms = performance.now()
      await this.#attempt('purge', () => this.#purge(archiver))
    }
  }

  /** A fault is said once, kept for the metrics until it is over, and keeps nothing else from being done. */
  async #attempt(task: Task, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#faults.delete(task)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (this.#faults.get(task) !== message) this.#options.logger.error('backups', { task, error })
      this.#faults.set(task, message)
    } finally {
      this.#doing = null
    }
  }

  async #read(catalogue: Catalogue): Promise<void> {
    const { full, faults } = await catalogue.list()
    this.#newest = full.at(-1) ?? null
    this.#verified = await catalogue.verification()
    if (faults.length > 0) throw new Error(faults.join('; '))
  }

  async #create(catalogue: Catalogue, signal: AbortSignal): Promise<void> {
    const { settings, logger } = this.#options
    this.#failedAt = this.#now()
    const backup = await createBackup({ catalogue, settings, progress: (step) => this.#say(`backup: ${step}`), signal })
    this.#failedAt = null
    this.#newest = backup
    const { id, source, storedBytes, took_seconds } = backup
    logger.info('a full backup was made', { backup: id, source: source.name, storedBytes, took_seconds })
  }

  async #verify(catalogue: Catalogue, signal: AbortSignal): Promise<void> {
    const { settings, markets, logger } = this.#options
    const progress = (step: string) => this.#say(`check: ${step}`)
    try {
      const result = await verifyBackup({
        catalogue,
        settings,
        markets,
        logger,
        backup: null,
        to: null,
        progress,
        signal,
      })
      const { backup, took_seconds, restoredTo } = result.verification
      logger.info('a backup was restored and is good', { backup, took_seconds, restoredTo })
    } finally {
      this.#verified = await catalogue.verification()
    }
  }

  async #retain(catalogue: Catalogue, archiver: BinlogArchiver): Promise<void> {
    const { settings, logger } = this.#options
    const { full, segments } = await catalogue.list()
    const plan = planRetention(full, segments, settings.retention)
    if (plan.removeFull.length > 0) await catalogue.remove({ full: plan.removeFull })
    const gone = new Set(plan.removeSegments)
    if (gone.size > 0) await archiver.remove(segments.filter((one) => gone.has(one.id)))
    if (plan.removeFull.length + gone.size > 0) {
      logger.info('backups that are no longer kept were removed', { backups: plan.removeFull, binlogs: gone.size })
    }
  }

  async #purge(archiver: BinlogArchiver): Promise<void> {
    for (const { server, to } of await purgeServers(this.#options.settings, archiver.archived)) {
      this.#options.logger.info('archived binlogs were removed from a server', { server, oldest: to })
    }
  }

  #say(doing: string): void {
    this.#doing = doing
  }
}

function registerMetrics(metrics: Metrics, read: () => BackupStatus, now: () => Date): void {
  /** Without a value it is not shown: an alert asks for its absence. */
  const gauge = (name: string, help: string, value: (status: BackupStatus) => number | null) => {
    metrics.gauge(`wintrades_backup_${name}`, help, [], (one) => {
      const current = value(read())
      if (current === null) one.remove()
      else one.set(current)
    })
  }
  const age_seconds = (at: string | undefined) => (at === undefined ? null : (now().getTime() - Date.parse(at)) / 1_000)
  gauge('active', '1: this operator keeps the backups', ({ isActive }) => (isActive ? 1 : 0))
  gauge('faults', 'Tasks whose last attempt failed', ({ faults }) => Object.keys(faults).length)
  gauge('age_seconds', 'Since the state that the newest full backup has', ({ newest }) =>
    age_seconds(newest?.consistentAt),
  )
  gauge('duration_seconds', 'Making the newest full backup', ({ newest }) => newest?.took_seconds ?? null)
  gauge('stored_bytes', 'Of the newest full backup', ({ newest }) => newest?.storedBytes ?? null)
  gauge('verified', '1: the last check by a restore passed', ({ verified }) =>
    verified === null ? null : verified.passed ? 1 : 0,
  )
  gauge('verified_age_seconds', 'Since the last check by a restore', ({ verified }) => age_seconds(verified?.at))
  gauge(
    'verification_duration_seconds',
    'The last check by a restore',
    ({ verified }) => verified?.took_seconds ?? null,
  )
  gauge('archive_lag_seconds', 'Every older commit is archived', ({ archive }) =>
    archive === null || archive.completeUntil_ms === 0 ? null : (now().getTime() - archive.completeUntil_ms) / 1_000,
  )
  gauge('archived_transactions', 'Since this operator archives', ({ archive }) => archive?.transactions ?? null)
  gauge('archived_bytes', 'Since this operator archives, before compression', ({ archive }) => archive?.bytes ?? null)
  gauge(
    'refuted_transactions',
    'Archived, but never acknowledged: lost with a former primary',
    ({ archive }) => archive?.refuted ?? null,
  )
}
