// A private certificate authority in a directory, and server certificates under it: made where missing, renewed before they expire, made anew where
// names changed. Keys are files of mode 0600 and go nowhere else. Who presents and who checks certificates is configured elsewhere.

import 'reflect-metadata'
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { writeFileAtomically } from '@wintrades/platform'

export type CertificateRequest = {
  readonly name: string
  /** Every host name and address under which others connect to it. */
  readonly hosts: readonly string[]
}

export type CertificateReport = {
  readonly name: string
  readonly file: string
  readonly expiresAt: Date
  readonly action: 'kept' | 'made' | 'renewed'
}

/** A file of the authority that cannot be used: says which and what to do. */
export class CertificateFault extends Error {
  override readonly name = 'CertificateFault'
}

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3_650
const SERVER_DAYS = 397
/** Renewed when so little is left: time for several tries and for a person. */
export const RENEW_DAYS = 45
/** Clocks differ. */
const BACKDATE_MS = 3_600_000
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const

/** `ca.pem` and `ca.key` in the directory, and `NAME/ca.pem`, `NAME/server.pem`, `NAME/server.key` for every request. */
export async function ensureCertificates(
  directory: string,
  requests: readonly CertificateRequest[],
  now: Date = new Date(),
): Promise<readonly CertificateReport[]> {
  const authority = await openAuthority(directory, now)
  const reports: CertificateReport[] = []
  for (const request of requests) {
    const file = fileOf(directory, request)
    const isThere = existsSync(file)
    if (whyCertificateAnew(directory, request, now) === null)
      reports.push({ name: request.name, file, expiresAt: expiryOf(file), action: 'kept' })
    else reports.push({ ...(await issue(directory, authority, request, now)), action: isThere ? 'renewed' : 'made' })
  }
  return reports
}

/** New ones, whatever is there: after a key was seen by somebody, for example. */
export async function renewCertificates(
  directory: string,
  requests: readonly CertificateRequest[],
  now: Date = new Date(),
): Promise<readonly CertificateReport[]> {
  const authority = await openAuthority(directory, now)
  const reports: CertificateReport[] = []
  for (const request of requests)
    reports.push({ ...(await issue(directory, authority, request, now)), action: 'renewed' })
  return reports
}

/** When a certificate in a PEM file ends. */
export function expiryOf(file: string): Date {
  return readCertificate(file).validToDate
}

type Authority = { readonly certificate: x509.X509Certificate; readonly pem: string; readonly key: webcrypto.CryptoKey }

async function openAuthority(directory: string, now: Date): Promise<Authority> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const certificateFile = join(directory, 'ca.pem')
  const keyFile = join(directory, 'ca.key')
  if (existsSync(certificateFile) !== existsSync(keyFile)) {
    const missing = existsSync(certificateFile) ? keyFile : certificateFile
    throw new CertificateFault(
      `${missing} is missing beside its other half: restore it, or remove both to begin a new authority`,
    )
  }
  if (!existsSync(certificateFile)) await makeAuthority(certificateFile, keyFile, now)
  const pem = readFileSync(certificateFile, 'utf8')
  if (readCertificate(certificateFile).validToDate.getTime() < now.getTime() + SERVER_DAYS * DAY_MS) {
    throw new CertificateFault(
      `${certificateFile} ends before a new certificate would: see docs/runbooks/certificate-expired.md`,
    )
  }
  return { certificate: new x509.X509Certificate(pem), pem, key: await readKey(keyFile) }
}

async function makeAuthority(certificateFile: string, keyFile: string, now: Date): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: 'CN=WinTrades private authority',
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  // The key first: a certificate without its key is of no use, and says so at the next start.
  writeFileAtomically(keyFile, await pemOfKey(keys.privateKey))
  writeFileAtomically(certificateFile, `${certificate.toString('pem')}\n`, 0o644)
}

async function issue(
  directory: string,
  authority: Authority,
  request: CertificateRequest,
  now: Date,
): Promise<Omit<CertificateReport, 'action'>> {
  const folder = join(directory, request.name)
  const file = fileOf(directory, request)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const expiresAt = new Date(now.getTime() + SERVER_DAYS * DAY_MS)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `CN=${request.name}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: expiresAt,
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // A server is a client too, of the one that it replicates from.
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(namesOf(request)),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  })
  writeFileAtomically(join(folder, 'ca.pem'), authority.pem, 0o644)
  writeFileAtomically(join(folder, 'server.key'), await pemOfKey(keys.privateKey))
  writeFileAtomically(file, `${certificate.toString('pem')}\n`, 0o644)
  return { name: request.name, file, expiresAt }
}

function fileOf(directory: string, { name }: CertificateRequest): string {
  return join(directory, name, 'server.pem')
}

/** Why `ensureCertificates` would make one; null: the certificate there serves. */
export function whyCertificateAnew(
  directory: string,
  request: CertificateRequest,
  now: Date = new Date(),
): string | null {
  const file = fileOf(directory, request)
  const authorityFile = join(directory, 'ca.pem')
  if ([file, join(directory, request.name, 'server.key'), authorityFile].some((one) => !existsSync(one)))
    return 'missing'
  const certificate = readCertificate(file)
  const isOurs = certificate.verify(readCertificate(authorityFile).publicKey)
  if (!isOurs) return 'of another authority'
  if (certificate.validToDate.getTime() - now.getTime() < RENEW_DAYS * DAY_MS) return 'expires soon'
  const isNamed = (host: string) =>
    isIP(host) > 0 ? certificate.checkIP(host) !== undefined : certificate.checkHost(host) !== undefined
  return request.hosts.every(isNamed) ? null : 'names changed'
}

function namesOf({ name, hosts }: CertificateRequest): x509.JsonGeneralNames {
  return [...new Set([name, ...hosts])].map((host) => ({ type: isIP(host) > 0 ? 'ip' : 'dns', value: host }))
}

function readCertificate(file: string): NodeCertificate {
  try {
    return new NodeCertificate(readFileSync(file))
  } catch (error) {
    throw new CertificateFault(
      `${file} is no certificate in PEM form: restore it, or remove it to have a new one made`,
      { cause: error },
    )
  }
}

async function readKey(file: string): Promise<webcrypto.CryptoKey> {
  try {
    const der = createPrivateKey(readFileSync(file)).export({ type: 'pkcs8', format: 'der' })
    return await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), CURVE, false, ['sign'])
  } catch (error) {
    throw new CertificateFault(`${file} is no private key of the authority: restore it from where it is kept`, {
      cause: error,
    })
  }
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

/** Positive, and of 16 random bytes. */
function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}
