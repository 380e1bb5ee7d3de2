// What can be wrong with backups and with what is asked of them. Every message says what to do; none is a bug of the program.

/** A file of the store is not what was written there. */
export class BackupDamage extends Error {
  override readonly name = 'BackupDamage'
}

/** What is needed is not in the store. */
export class BackupMissing extends Error {
  override readonly name = 'BackupMissing'
}

/** It cannot be done here and now; nothing was changed. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused'
}

/** A restored copy is not what it has to be. */
export class VerificationFailed extends Error {
  override readonly name = 'VerificationFailed'
}

/** The system's word for what went wrong with a file, as something to act on. */
export function explainFileError(error: unknown, path: string): Error {
  const { code } = error as NodeJS.ErrnoException
  const because = { cause: error }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new BackupRefused(
      `no space left at ${path}: make room there, or let another volume be used; what was begun has been removed, and nothing older was touched`,
      because,
    )
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new BackupRefused(`${path} cannot be written (${code}): give it to the user that this runs as`, because)
  }
  if (code === 'ENOENT') return new BackupMissing(`${path} is not there`, because)
  if (code === 'EIO') return new BackupDamage(`${path} cannot be read (${code}): the disk is failing`, because)
  return error instanceof Error ? error : new Error(String(error))
}
