// The part that keeps backups, with the venue's markets and the key: what only the process knows where to find.

import { readMarkets } from '@wintrades/domain'
import { type BackupSettings, backupReconciler, readBackupKeys } from '@wintrades/operations/backup'
import type { Reconciler } from '@wintrades/operations/operator'
import { type Config, formatFileFault, type Logger, readYamlFile } from '@wintrades/platform'

const EXIT_MISCONFIGURED = 2

export function backupPart(config: Config, settings: BackupSettings, logger: Logger): Reconciler {
  const read = readYamlFile(config.marketsFile, readMarkets)
  if (!read.ok) {
    for (const fault of read.faults) logger.error('configuration', { fault: formatFileFault(fault) })
    process.exit(EXIT_MISCONFIGURED)
  }
  try {
    return backupReconciler({ settings, keys: readBackupKeys(config), markets: read.markets, logger })
  } catch (error) {
    logger.error('configuration', { error })
    process.exit(EXIT_MISCONFIGURED)
  }
}
