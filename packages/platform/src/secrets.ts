// The platform's secrets: what the environment gives, and what it does not give is generated once in the data directory
// (files of mode 0600) and shared by every process there. Promises that none of them reaches a log.

import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kind } from './config/kinds.ts'
import { key256, secretText } from './config/kinds.ts'
import type { Config } from './config/variables.ts'
import { createFileAtomically } from './files.ts'
import { neverLog } from './logger.ts'

/** A key that signs access tokens, and the id (`kid`) that tokens name it by. */
export type SigningKey = { readonly kid: string; readonly key: Uint8Array }

export type Secrets = {
  /** The first signs; all of them verify. */
  readonly jwtKeys: readonly SigningKey[]
  /** 32 bytes. */
  readonly encryptionKey: Uint8Array
  readonly operatorApiKey: string
  /** 32 bytes. */
  readonly linkKey: Uint8Array
  /** Files that this call created. */
  readonly generated: readonly string[]
}

/** A secret's file that cannot be used: says which, never what is in it. */
export class SecretFault extends Error {
  override readonly name = 'SecretFault'
}

/** Reads or generates every secret. Several processes may do so at once: all get the same. */
export function loadSecrets(config: Config): Secrets {
  const directory = secretsDirectory(config.dataDirectory)
  const generated: string[] = []
  const stored = <Value>(name: string, kind: Kind<Value>): Value => {
    const path = join(directory, name)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    chmodSync(directory, 0o700)
    if (createFileAtomically(path, `${randomBytes(32).toString('hex')}\n`)) generated.push(path)
    return readSecretFile(path, kind)
  }
  const jwtSecret = config.jwtSecret ?? stored('jwt.key', secretText(32))
  const jwtSecrets = config.jwtSecretPrevious === null ? [jwtSecret] : [jwtSecret, config.jwtSecretPrevious]
  return {
    jwtKeys: jwtSecrets.map(signingKey),
    encryptionKey: config.encryptionKey ?? stored('encryption.key', key256()),
    operatorApiKey: config.operatorApiKey ?? stored('operator-api.key', secretText(24)),
    linkKey: config.linkKey ?? stored('link.key', key256()),
    generated,
  }
}

export function secretsDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'secrets')
}

function readSecretFile<Value>(path: string, kind: Kind<Value>): Value {
  const text = readFileSync(path, 'utf8').trimEnd()
  neverLog(text)
  const parsed = kind.parse(text)
  if (parsed.ok) return parsed.value
  throw new SecretFault(`${path} must hold ${parsed.fault}; restore it, or remove it to have a new one generated`)
}

function signingKey(text: string): SigningKey {
  const kid = createHash('sha256').update('wintrades-jwt-kid\n').update(text).digest('hex').slice(0, 16)
  return { kid, key: new TextEncoder().encode(text) }
}
