// The drill `restore`: makes a backup of the data tier as it runs, restores it to a scratch server with everything that is archived, and proves it. Shows
// how long a restore takes before anybody needs one. Changes nothing but the store, which has one backup more.

import type { Markets } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { Figure } from '../drill/report.ts'
import { BinlogArchiver } from './binlog/archiver.ts'
import { createBackup } from './create.ts'
import { takeLock, viewTier } from './servers.ts'
import type { BackupSettings } from './settings.ts'
import type { Catalogue, FullBackup } from './store/catalogue.ts'
import { type VerifyResult, verifyBackup } from './verify/verify.ts'

export type RestoreDrillOptions = {
  readonly catalogue: Catalogue
  readonly settings: BackupSettings
  readonly markets: Markets
  readonly logger: Logger
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/** Throws where a promise is not kept. */
export async function runRestoreDrill(options: RestoreDrillOptions): Promise<readonly Figure[]> {
  const { settings, catalogue, logger, say, signal } = options
  const lock = await takeLock('archive', settings, await viewTier(settings))
  say(
    lock === null
      ? 'an operator archives the binlog'
      : 'no operator archives the binlog: this drill does, while it runs',
  )
  const stop = new AbortController()
  const archiver = lock === null ? null : new BinlogArchiver({ catalogue, settings, logger })
  const archiving = archiver?.run(AbortSignal.any([signal, stop.signal]))
  try {
    const progress = stepsOf(say)
    const backup = await createBackup({ catalogue, settings, progress, signal })
    say(`backup ${backup.id} of ${backup.source.name} in ${backup.took_seconds} s`)
    const result = await verifyBackup({ ...options, backup: backup.id, to: null, progress })
    for (const one of result.proof.shards)
      say(`✔ ${one.shard}: replayed to batch ${one.seq}, state ${one.stateHash.slice(0, 16)}`)
    say('✔ everything acknowledged before the check is there, the chain is whole, money is conserved')
    return figuresOf(backup, result)
  } finally {
    stop.abort()
    await archiving
    lock?.release()
  }
}

/** A step is told once, not each time that its figures change. */
function stepsOf(say: (line: string) => void): (step: string) => void {
  let last = ''
  return (step) => {
    const name = step.replace(/[\d(].*$/, '').trim()
    if (name !== last) say(`  ${name}`)
    last = name
  }
}

function figuresOf(backup: FullBackup, { verification, restored, proof }: VerifyResult): readonly Figure[] {
  const figure = (name: string, value: number, unit: string): Figure => ({
    name: `restore.${name}`,
    value,
    unit,
    reference: null,
  })
  return [
    figure('backup', backup.took_seconds, 's'),
    figure('plain_bytes', backup.plainBytes, 'bytes'),
    figure('stored_bytes', backup.storedBytes, 'bytes'),
    figure('unpack', restored.took_seconds.unpack, 's'),
    figure('apply_and_prove', restored.took_seconds.apply, 's'),
    figure('transactions', restored.transactions, 'transactions'),
    figure(
      'batches',
      proof.shards.reduce((sum, one) => sum + one.batches, 0),
      'batches',
    ),
    figure('check', verification.took_seconds, 's'),
  ]
}
