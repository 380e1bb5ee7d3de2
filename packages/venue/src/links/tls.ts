// TLS for links: both sides show a certificate of the private authority, TLS 1.3 only. Promises that new files are taken up without a restart,
// and that files which do not fit together are refused with the reason while the former ones stay in use.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { Logger } from '@wintrades/platform'

export type LinkTlsFiles = {
  readonly certificateFile: string
  readonly keyFile: string
  /** Of the authority that has signed the certificates of all processes. */
  readonly caFile: string
}

/** Files that no link can be made with: says which and why. */
export class LinkTlsFault extends Error {
  override readonly name = 'LinkTlsFault'
}

const RELOAD_MS = 5_000

export class LinkTls {
  readonly #files: LinkTlsFiles
  readonly #logger: Logger
  #version: string
  #options: SecureContextOptions
  #context: SecureContext
  #timer: NodeJS.Timeout | undefined

  constructor(files: LinkTlsFiles, logger: Logger) {
    this.#files = files
    this.#logger = logger
    this.#version = versionOf(files)
    this.#options = readOptions(files)
    this.#context = createSecureContext(this.#options)
  }

  get options(): SecureContextOptions {
    return this.#options
  }

  get context(): SecureContext {
    return this.#context
  }

  /** Calls when other files have been taken up. */
  watch(changed: () => void, interval_ms: number = RELOAD_MS): void {
    this.#timer = setInterval(() => this.#reload(changed), interval_ms)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #reload(changed: () => void): void {
    try {
      const version = versionOf(this.#files)
      if (version === this.#version) return
      const options = readOptions(this.#files)
      this.#context = createSecureContext(options)
      this.#options = options
      this.#version = version
      this.#logger.info('the certificate of links was changed', { file: this.#files.certificateFile })
      changed()
    } catch (error) {
      this.#logger.error('the new certificate of links cannot be used; the former one stays in use', { error })
    }
  }
}

/** Whether a certificate is of one of these hosts: names or addresses. */
export function isOfHost(certificate: X509Certificate | undefined, hosts: readonly string[]): boolean {
  if (certificate === undefined) return false
  return hosts.some((host) =>
    isIP(host) > 0 ? certificate.checkIP(host) !== undefined : certificate.checkHost(host) !== undefined,
  )
}

function readOptions({ certificateFile, keyFile, caFile }: LinkTlsFiles): SecureContextOptions {
  const cert = read(certificateFile)
  const key = read(keyFile)
  const ca = read(caFile)
  const certificate = parse(certificateFile, 'certificate', () => new X509Certificate(cert))
  const privateKey: KeyObject = parse(keyFile, 'private key', () => createPrivateKey(key))
  const authority = parse(caFile, 'certificate', () => new X509Certificate(ca))
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new LinkTlsFault(`${keyFile} is not the key of ${certificateFile}: give both of one pair`)
  }
  if (!certificate.verify(authority.publicKey)) {
    throw new LinkTlsFault(`${certificateFile} was not signed by ${caFile}: give the authority that signed it`)
  }
  return { cert, key, ca, minVersion: 'TLSv1.3' }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LinkTlsFault(`${file} cannot be read: ${reason}`, { cause: error })
  }
}

function parse<Value>(file: string, what: string, make: () => Value): Value {
  try {
    return make()
  } catch (error) {
    throw new LinkTlsFault(`${file} is no ${what} in PEM form`, { cause: error })
  }
}

function versionOf({ certificateFile, keyFile, caFile }: LinkTlsFiles): string {
  return [certificateFile, keyFile, caFile]
    .map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .join()
}
