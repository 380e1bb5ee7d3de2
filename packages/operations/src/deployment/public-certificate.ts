// The certificate that clients see: deployment/ssl/wintradesgo.crt and .key, brought by whoever runs the platform, and .pem, both in one as the load balancer
// reads them. Without them a self-signed one is made, which browsers warn of. What is there is checked, and its end reported.

import 'reflect-metadata'
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { writeFileAtomically } from '@wintrades/platform'
import { inRepository } from '../repository.ts'

const DAY_MS = 86_400_000
const SELF_SIGNED_DAYS = 397
export const WARN_DAYS = 30
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const

export type PublicCertificate = {
  readonly expiresAt: Date
  readonly isSelfSigned: boolean
  /** What a person should do; empty: nothing. */
  readonly warnings: readonly string[]
}

export function certificateFolder(): string {
  return process.env['WINTRADES_SSL'] || inRepository('deployment', 'ssl')
}

/** Certificate and key in one, PEM. */
export async function ensurePublicCertificate(
  domains: readonly string[],
  folder = certificateFolder(),
  now = new Date(),
): Promise<string> {
  const file = (end: string) => join(folder, `wintradesgo.${end}`)
  const hasCertificate = existsSync(file('crt'))
  if (hasCertificate !== existsSync(file('key'))) {
    const missing = hasCertificate ? 'key' : 'crt'
    throw new Error(
      `${file(missing)} is missing beside its other half: bring it, or remove both to have a self-signed one made`,
    )
  }
  if (!hasCertificate) await makeSelfSigned(domains, folder, now)
  readPublicCertificate(domains, folder, now)
  const both = joinedPublicCertificate(folder)
  if (!existsSync(file('pem')) || readFileSync(file('pem'), 'utf8') !== both) writeFileAtomically(file('pem'), both)
  return both
}

/** Certificate and key in one (PEM), as the files have them. */
export function joinedPublicCertificate(folder = certificateFolder()): string {
  return ['crt', 'key'].map((end) => `${readFileSync(join(folder, `wintradesgo.${end}`), 'utf8').trimEnd()}\n`).join('')
}

/** Throws what makes it unusable; null: there is none. */
export function readPublicCertificate(
  domains: readonly string[],
  folder = certificateFolder(),
  now = new Date(),
): PublicCertificate | null {
  const file = join(folder, 'wintradesgo.crt')
  if (!existsSync(file)) return null
  const certificate = parse(file)
  const keyFile = join(folder, 'wintradesgo.key')
  if (!certificate.checkPrivateKey(keyOf(keyFile)))
    throw new Error(`${keyFile} is not the key of ${file}: bring the two that belong together`)
  const expiresAt = certificate.validToDate
  if (expiresAt <= now)
    throw new Error(
      `${file} has expired on ${dayOf(expiresAt)}: bring a new one, or remove it and its key to have a self-signed one made`,
    )
  const isSelfSigned = certificate.issuer === certificate.subject
  const left_days = Math.floor((expiresAt.getTime() - now.getTime()) / DAY_MS)
  const unnamed = domains.filter(
    (domain) => (isIP(domain) > 0 ? certificate.checkIP(domain) : certificate.checkHost(domain)) === undefined,
  )
  return {
    expiresAt,
    isSelfSigned,
    warnings: [
      ...(left_days < WARN_DAYS
        ? [`the certificate of clients expires on ${dayOf(expiresAt)}, in ${left_days} days: bring a new one`]
        : []),
      ...(unnamed.length > 0 ? [`the certificate of clients is not for ${unnamed.join(', ')}`] : []),
      ...(isSelfSigned ? ['the certificate of clients is self-signed: browsers warn of it'] : []),
    ],
  }
}

function parse(file: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(file))
  } catch (cause) {
    throw new Error(`${file} is no certificate in PEM form: bring another one, or remove it and its key`, { cause })
  }
}

function keyOf(file: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(readFileSync(file))
  } catch (cause) {
    throw new Error(`${file} is no private key in PEM form without a password: bring another one`, { cause })
  }
}

async function makeSelfSigned(domains: readonly string[], folder: string, now: Date): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex'),
    name: `CN=${domains[0] ?? 'localhost'}`,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + SELF_SIGNED_DAYS * DAY_MS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        domains.map((domain) => ({ type: isIP(domain) > 0 ? ('ip' as const) : ('dns' as const), value: domain })),
      ),
    ],
  })
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  writeFileAtomically(join(folder, 'wintradesgo.key'), `${key}\n`)
  writeFileAtomically(join(folder, 'wintradesgo.crt'), `${certificate.toString('pem')}\n`, 0o644)
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10)
}
