// The store and settings of backups, for commands: from the operators' file, with the key of the environment or of a file.

import { resolve } from 'node:path'
import { formatFileFault, loadConfig } from '@wintrades/platform'
import { readOperatorFile } from '../operator/configuration.ts'
import { readBackupKeys } from './configuration.ts'
import type { BackupSettings } from './settings.ts'
import { Catalogue } from './store/catalogue.ts'
import { BackupRefused } from './store/faults.ts'

export type Opened = { readonly catalogue: Catalogue; readonly settings: BackupSettings }

export async function openBackups(operatorFile: string, keyFile?: string): Promise<Opened> {
  const environment = loadConfig(process.env)
  if (!environment.ok) throw new BackupRefused(environment.faults.map((fault) => fault.message).join('\n'))
  const file = resolve(operatorFile)
  const read = readOperatorFile(file)
  if (!read.ok) {
    const faults = read.faults.map(formatFileFault).join('\n')
    throw new BackupRefused(`the operators' configuration cannot be used (operator.example.yml explains it)\n${faults}`)
  }
  const { backup: settings } = read.configuration
  if (settings === null) throw new BackupRefused(`${file} has no section \`backup\`: operator.example.yml shows one`)
  const keys = readBackupKeys(environment.config, keyFile === undefined ? null : resolve(keyFile))
  return { catalogue: await Catalogue.open(settings.directory, keys), settings }
}
