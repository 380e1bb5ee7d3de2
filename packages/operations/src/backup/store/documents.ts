// The catalogue's documents: JSON files that are replaced whole, carry a signature over their content, and are refused when it is not theirs.

import { readFile } from 'node:fs/promises'
import { writeFileAtomically } from '@wintrades/platform'
import { BackupDamage, explainFileError } from './faults.ts'
import { type BackupKeys, WrongKey } from './keys.ts'

type Signed = { readonly format: number; readonly key: string; readonly content: unknown; readonly signature: string }

const FORMAT = 1
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024

export function writeDocument(path: string, content: unknown, keys: BackupKeys): void {
  const text = JSON.stringify(content)
  const signed: Signed = { format: FORMAT, key: keys.id, content, signature: keys.sign(text) }
  try {
    writeFileAtomically(path, `${JSON.stringify(signed, null, 2)}\n`)
  } catch (error) {
    throw explainFileError(error, path)
  }
}

/** null: there is no such file. */
export async function readDocument<Content>(path: string, keys: BackupKeys): Promise<Content | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw explainFileError(error, path)
  }
  if (text.length > DOCUMENT_BYTES_MAX) throw damaged(path, 'it is too large')
  const signed = parse(path, text)
  if (signed.format !== FORMAT) throw damaged(path, `it has format ${signed.format}, this release reads ${FORMAT}`)
  if (signed.key !== keys.id) {
    throw new WrongKey(
      `${path} was written with another ENCRYPTION_KEY (id ${signed.key}; this one is ${keys.id}): give the key that was in use then`,
    )
  }
  if (!keys.isSignedBy(JSON.stringify(signed.content), signed.signature)) throw damaged(path, 'its signature is wrong')
  return signed.content as Content
}

function parse(path: string, text: string): Signed {
  try {
    const value = JSON.parse(text) as Partial<Signed> | null
    if (value !== null && typeof value === 'object' && typeof value.signature === 'string') return value as Signed
  } catch (error) {
    throw damaged(path, 'it is no JSON', error)
  }
  throw damaged(path, 'it is no document of a catalogue')
}

function damaged(path: string, what: string, cause?: unknown): BackupDamage {
  const message = `${path} is damaged: ${what}; restore it from another copy of the store`
  return new BackupDamage(message, cause === undefined ? {} : { cause })
}
