// The keys of the backups, all derived from ENCRYPTION_KEY by HKDF-SHA-256: one for each file (with the file's own salt), one that authenticates
// the catalogue. Promises that no two files share a key, so that a nonce is only ever used once with one.

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

const KEY_BYTES = 32
const CHECK_BYTES = 16
const NO_SALT = new Uint8Array(0)

export type FileKey = {
  readonly key: Uint8Array
  /** Stands in the file's header: tells a wrong key from a damaged file, and nothing about the key. */
  readonly check: Uint8Array
}

/** Made with another ENCRYPTION_KEY. */
export class WrongKey extends Error {
  override readonly name = 'WrongKey'
}

export class BackupKeys {
  /** Names the ENCRYPTION_KEY without telling it: what a catalogue says its files were made with. */
  readonly id: string
  readonly #master: Uint8Array
  readonly #catalogue: Uint8Array

  /** `encryptionKey`: the 32 bytes of ENCRYPTION_KEY. */
  constructor(encryptionKey: Uint8Array) {
    if (encryptionKey.length !== KEY_BYTES) throw new RangeError('ENCRYPTION_KEY has 32 bytes')
    this.#master = encryptionKey
    this.#catalogue = derive(encryptionKey, NO_SALT, 'wintrades backup catalogue v1', KEY_BYTES)
    this.id = Buffer.from(derive(encryptionKey, NO_SALT, 'wintrades backup key id v1', 6)).toString('hex')
  }

  ofFile(salt: Uint8Array): FileKey {
    return {
      key: derive(this.#master, salt, 'wintrades backup file v1', KEY_BYTES),
      check: derive(this.#master, salt, 'wintrades backup file check v1', CHECK_BYTES),
    }
  }

  /** Hex; over the text of a document of the catalogue. */
  sign(text: string): string {
    return createHmac('sha256', this.#catalogue).update(text).digest('hex')
  }

  isSignedBy(text: string, signature: string): boolean {
    const expected = Buffer.from(this.sign(text), 'hex')
    const given = Buffer.from(signature, 'hex')
    return expected.length === given.length && timingSafeEqual(expected, given)
  }
}

function derive(key: Uint8Array, salt: Uint8Array, purpose: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, purpose, bytes))
}
