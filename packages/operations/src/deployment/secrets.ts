// The secrets of a deployment: what is missing in the swarm is made, once; what is there is kept and never read. Names end in a digest of the content, so
// that a changed secret is a new one, and services take it over one task after the other.

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { neverLog } from '@wintrades/platform'
import { type Secret, secretsOf, type Topology, variableOf } from '@wintrades/topology'
import {
  type CertificateReport,
  type CertificateRequest,
  ensureCertificates,
  whyCertificateAnew,
} from '../operator/certificates/authority.ts'
import type { Docker } from './docker.ts'
import { balancerUsers } from './password-digest.ts'
import { ensurePublicCertificate, joinedPublicCertificate, readPublicCertificate } from './public-certificate.ts'
import type { StateDirectory } from './state-directory.ts'

export type StoredSecret = {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly createdAt: string
}

export type SecretsResult = {
  /** Environment of `docker stack deploy`: where the stack file has the names from. */
  readonly environment: Readonly<Record<string, string>>
  readonly made: readonly string[]
  readonly certificates: readonly CertificateReport[]
}

const STACK_LABEL = 'wintrades.stack'
const NAME_LABEL = 'wintrades.secret'
/** A certificate is made anew where its host names changed or it is about to expire; everything else is made once. */
const DIGEST_CHARACTERS = 12

/** Of these a person needs to know the value. */
const SHOWN: Readonly<Record<string, string>> = {
  api_key: 'key of the operator, for deposits, hand-overs and the kill switch (X-API-Key)',
  encryption_key: 'ENCRYPTION_KEY: without it no backup can be read',
}

type RawSecret = {
  readonly ID: string
  readonly CreatedAt: string
  readonly Spec: { readonly Name: string; readonly Labels?: Record<string, string> }
}

export async function readSecrets(docker: Docker, stack: string): Promise<readonly StoredSecret[]> {
  const ids = (await docker.run(['secret', 'ls', '--quiet', '--filter', `label=${STACK_LABEL}=${stack}`]))
    .split('\n')
    .filter((id) => id !== '')
  const secrets = await docker.inspect<RawSecret>('secret', ids)
  return secrets.map(({ ID, CreatedAt, Spec }) => ({
    id: ID,
    name: Spec.Name,
    labels: Spec.Labels ?? {},
    createdAt: CreatedAt,
  }))
}

/** The newest of each; older ones are of tasks that have not been replaced yet. */
export function currentSecrets(stored: readonly StoredSecret[]): ReadonlyMap<string, StoredSecret> {
  const current = new Map<string, StoredSecret>()
  for (const secret of stored) {
    const name = secret.labels[NAME_LABEL]
    if (name === undefined) continue
    const other = current.get(name)
    if (other === undefined || other.createdAt < secret.createdAt) current.set(name, secret)
  }
  return current
}

export type SecretsListener = {
  readonly say: (line: string) => void
  /** What a person has to keep: what it is for, and its value. Told just before it is kept, so that nothing is kept that was never told. */
  readonly reveal: (purpose: string, value: string) => void
}

/** What is not to be as it is, or as it would be made. */
export type SecretWishes = {
  /** Content that somebody brings. */
  readonly given?: ReadonlyMap<string, string>
  /** Made another time, whatever there is. */
  readonly anew?: ReadonlySet<string>
}

export async function ensureSecrets(
  docker: Docker,
  topology: Topology,
  state: StateDirectory,
  { say, reveal }: SecretsListener,
  { given = new Map(), anew = new Set() }: SecretWishes = {},
): Promise<SecretsResult> {
  const { stack } = topology
  const wanted = secretsOf(topology)
  const stored = await readSecrets(docker, stack)
  const current = currentSecrets(stored)
  const certificates = await certify(state, wanted, current)
  const environment: Record<string, string> = {}
  const made: string[] = []
  // Of the two, one has the digest of the other: they are made together or not at all.
  const isKept = (name: string) => current.has(name) && !anew.has(name)
  const balancer = wanted.every(({ name, content }) => !content.kind.startsWith('balancer-') || isKept(name))
    ? null
    : newPassword(18)
  for (const secret of wanted) {
    const there = isKept(secret.name) ? current.get(secret.name) : undefined
    const brought = given.get(secret.name)
    if (brought !== undefined && there !== undefined && there.name !== nameOf(stack, secret.name, brought))
      throw new Error(
        `the swarm has another ${secret.name} of ${stack} already: if nothing needs that any more, docker secret rm ${there.name}`,
      )
    const content = brought ?? (await contentOf(secret, there !== undefined, { state, reveal, balancer }))
    const name = content === null ? (there as StoredSecret).name : nameOf(stack, secret.name, content)
    environment[variableOf(secret.name)] = name
    // An older one has this name too, if its content has come back.
    if (content === null || stored.some((one) => one.name === name)) continue
    await create(docker, stack, secret.name, name, content)
    made.push(secret.name)
    say(`secret ${secret.name} made`)
  }
  return { environment, made, certificates }
}

/** What `ensureSecrets` would do; nothing is made. The environment names what is to be made too. */
export async function planSecrets(
  docker: Docker,
  topology: Topology,
  state: StateDirectory,
): Promise<Pick<SecretsResult, 'environment' | 'made'>> {
  const wanted = secretsOf(topology)
  const stored = await readSecrets(docker, topology.stack)
  const current = currentSecrets(stored)
  requireAuthority(state, current)
  const environment: Record<string, string> = {}
  const made: string[] = []
  for (const secret of wanted) {
    const content = knownContent(secret, state, wanted)
    const there = current.get(secret.name)?.name
    const name = content === null ? there : content === '' ? undefined : nameOf(topology.stack, secret.name, content)
    environment[variableOf(secret.name)] = name ?? 'to be made'
    if (name === undefined || !stored.some((one) => one.name === name)) made.push(secret.name)
  }
  return { environment, made }
}

/** As it is in files of this machine; empty: it would be made; null: it is in the swarm alone. */
function knownContent({ name, content }: Secret, state: StateDirectory, wanted: readonly Secret[]): string | null {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '')
  switch (content.kind) {
    case 'authority':
      return read(join(state.certificates, 'ca.pem'))
    case 'certificate':
    case 'certificate-key': {
      const service = serviceOf(name)
      const hosts = requestsOf(wanted).find((request) => request.name === service)?.hosts ?? []
      if (whyCertificateAnew(state.certificates, { name: service, hosts }) !== null) return ''
      return read(join(state.certificates, service, content.kind === 'certificate' ? 'server.pem' : 'server.key'))
    }
    case 'public-certificate':
      return readPublicCertificate(content.domains) === null ? '' : joinedPublicCertificate()
    default:
      return null
  }
}

type Making = {
  readonly state: StateDirectory
  readonly reveal: SecretsListener['reveal']
  /** The operators' password at the load balancers; null: what is there stays. */
  readonly balancer: string | null
}

/** Null: what is there stays. */
async function contentOf(
  secret: Secret,
  isThere: boolean,
  { state, reveal, balancer }: Making,
): Promise<string | null> {
  const { content, name } = secret
  switch (content.kind) {
    case 'password':
      return isThere ? null : tell(name, randomBytes(24).toString('base64url'), reveal)
    case 'key':
      return isThere ? null : tell(name, randomBytes(32).toString('hex'), reveal)
    case 'authority':
      return readFileSync(join(state.certificates, 'ca.pem'), 'utf8')
    case 'certificate':
      return readFileSync(join(state.certificates, serviceOf(name), 'server.pem'), 'utf8')
    case 'certificate-key':
      return readFileSync(join(state.certificates, serviceOf(name), 'server.key'), 'utf8')
    case 'public-certificate':
      return await ensurePublicCertificate(content.domains)
    case 'balancer-password':
      return balancer
    case 'balancer-users': {
      if (balancer === null) return null
      const password = newPassword(18)
      reveal(`password of ${content.person} for the load balancer's figures`, password)
      return balancerUsers(content.list, { [content.person]: password, [content.program]: balancer })
    }
  }
}

function newPassword(bytes: number): string {
  const password = randomBytes(bytes).toString('base64url')
  neverLog(password)
  return password
}

function tell(name: string, value: string, reveal: SecretsListener['reveal']): string {
  neverLog(value)
  const purpose = SHOWN[name]
  if (purpose !== undefined) reveal(purpose, value)
  return value
}

async function certify(
  state: StateDirectory,
  wanted: readonly Secret[],
  current: ReadonlyMap<string, StoredSecret>,
): Promise<readonly CertificateReport[]> {
  // Looked at before anything is made: with a new authority the next run would find one, and replace that of the whole swarm.
  requireAuthority(state, current)
  return await ensureCertificates(state.certificates, requestsOf(wanted))
}

/** The certificates under the private authority that a topology needs. */
export function requestsOf(wanted: readonly Secret[]): readonly CertificateRequest[] {
  return wanted.flatMap(({ name, content }) =>
    content.kind === 'certificate' ? [{ name: serviceOf(name), hosts: content.hosts }] : [],
  )
}

function requireAuthority(state: StateDirectory, current: ReadonlyMap<string, StoredSecret>): void {
  if (current.has('authority') && !existsSync(join(state.certificates, 'ca.key'))) {
    throw new Error(
      `the swarm has certificates of an authority whose key is not in ${state.certificates}: bring that directory here from the machine that deployed before (or name it in WINTRADES_STATE)`,
    )
  }
}

/** `app_us_east_certificate_key` → `app_us_east`. */
function serviceOf(secret: string): string {
  return secret.replace(/_certificate(_key)?$/, '')
}

async function create(docker: Docker, stack: string, secret: string, name: string, content: string): Promise<void> {
  const labels = [`${STACK_LABEL}=${stack}`, `${NAME_LABEL}=${secret}`].flatMap((label) => ['--label', label])
  await docker.run(['secret', 'create', ...labels, name, '-'], { input: content })
}

function nameOf(stack: string, secret: string, content: string): string {
  return `${stack}_${secret}_${digestOf(content)}`
}

function digestOf(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, DIGEST_CHARACTERS)
}

/** Removes what no service uses any more; what is in use, docker keeps by itself. */
export async function pruneSecrets(docker: Docker, stack: string, used: ReadonlySet<string>): Promise<number> {
  let removed = 0
  for (const { id, name } of await readSecrets(docker, stack)) {
    if (used.has(name)) continue
    // A task that is stopping may hold it still: the next deploy removes it.
    const isGone = await docker.run(['secret', 'rm', id]).then(
      () => true,
      () => false,
    )
    if (isGone) removed += 1
  }
  return removed
}
