// The lab's passwords and certificates: one set a lab, made as an installation makes them, so that servers cloned from each other still agree.

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureCertificates } from '@wintrades/operations/certificates'

export const ACCOUNTS = ['app', 'read', 'operator', 'replication', 'backup', 'exporter'] as const

export type Account = (typeof ACCOUNTS)[number]

/** One after the other: two servers started at once would begin two authorities. */
let certifying: Promise<unknown> = Promise.resolve()

export class LabCredentials {
  /** Files `mysql_app_a`, … as a deployment mounts them. */
  readonly secrets: string
  readonly #tls: string

  constructor(labDirectory: string) {
    this.secrets = join(labDirectory, 'secrets')
    this.#tls = join(labDirectory, 'tls')
    if (existsSync(this.secrets)) return
    mkdirSync(this.secrets, { recursive: true })
    for (const name of [...ACCOUNTS.flatMap((account) => [`${account}_a`, `${account}_b`]), 'lab_admin']) {
      writeFileSync(join(this.secrets, `mysql_${name}`), `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 })
    }
  }

  /** The password of `wintrades_ACCOUNT_a` (or `_b`). */
  passwordOf(account: Account, copy: 'a' | 'b' = 'a'): string {
    return readFileSync(this.passwordFileOf(account, copy), 'utf8').trimEnd()
  }

  passwordFileOf(account: Account, copy: 'a' | 'b' = 'a'): string {
    return join(this.secrets, `mysql_${account}_${copy}`)
  }

  get adminPassword(): string {
    return readFileSync(join(this.secrets, 'mysql_lab_admin'), 'utf8').trimEnd()
  }

  /** The authority that every server of the lab is certified by. */
  get authorityFile(): string {
    return join(this.#tls, 'ca.pem')
  }

  /** The folder with `ca.pem`, `server.pem` and `server.key` of a server. */
  async certify(name: string, hosts: readonly string[]): Promise<string> {
    certifying = certifying.then(() => ensureCertificates(this.#tls, [{ name, hosts }]))
    await certifying
    return join(this.#tls, name)
  }
}
