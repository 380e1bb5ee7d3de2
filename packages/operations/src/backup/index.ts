// Backups of the data tier: what a program or a command needs to make, keep, check and restore them.

export { BinlogArchiver } from './binlog/archiver.ts'
export { chooseBackup } from './binlog/select.ts'
export { type CreateOptions, createBackup, type Progress } from './create.ts'
export { type RestoreOptions, type RestoreResult, restoreInto, restoreToDirectory } from './restore.ts'
export { planRetention, type RetentionPlan, type RetentionRules } from './retention.ts'
export { ScratchServer } from './scratch/server.ts'
export { BACKUP_DEFAULTS, type BackupServer, type BackupSettings } from './settings.ts'
export { Catalogue, type FullBackup, type Segment } from './store/catalogue.ts'
export { BackupDamage, BackupMissing, BackupRefused, VerificationFailed } from './store/faults.ts'
export { BackupKeys, WrongKey } from './store/keys.ts'
