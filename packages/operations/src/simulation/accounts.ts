// The accounts of the simulated market: registered through the ordinary API once, then kept in a file (mode 0600) so that a restart goes
// on with them. Nothing about them is special; whoever reads the file can trade as them.

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { writeFileAtomically } from '@wintrades/platform'
import { ApiClient, type ApiKey, valueOrThrow } from '../client/index.ts'
import { type Funds, fundsIn } from './reading.ts'

export type Role = 'maker' | 'taker'

export type SimulationAccount = {
  readonly role: Role
  /** The shard whose instruments it trades, and the region it connects to. */
  readonly region: string
  readonly email: string
  readonly password: string
  readonly key: ApiKey
  /** What it had in its region when it was new: the treasury keeps it near that. */
  readonly funds: Funds
}

type Kept = { readonly version: 1; readonly accounts: readonly SimulationAccount[] }

const SCOPES = ['read', 'trade', 'transfer'] as const
const FUNDS_POLL_MS = 250
const FUNDS_TIMEOUT_MS = 15_000

/** One account per region and role: those of the file that the platform still knows, or new ones. */
export async function openAccounts(options: {
  readonly file: string
  readonly baseUrl: string
  readonly regions: readonly string[]
}): Promise<readonly SimulationAccount[]> {
  const known = readAccounts(options.file)
  const accounts: SimulationAccount[] = []
  for (const region of options.regions) {
    for (const role of ['maker', 'taker'] as const) {
      const earlier = known.find((one) => one.role === role && one.region === region)
      const valid = earlier !== undefined && (await isKnown(options.baseUrl, earlier))
      accounts.push(valid ? earlier : await register(options.baseUrl, role, region))
    }
  }
  if (accounts.some((account) => !known.includes(account))) writeAccounts(options.file, accounts)
  return accounts
}

export function readAccounts(file: string): readonly SimulationAccount[] {
  if (!existsSync(file)) return []
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Partial<Kept>
  if (kept.version === 1 && Array.isArray(kept.accounts)) return kept.accounts
  throw new Error(`${file} is not a file of simulation accounts; remove it and start again`)
}

export function writeAccounts(file: string, accounts: readonly SimulationAccount[]): void {
  mkdirSync(dirname(file), { recursive: true })
  const kept: Kept = { version: 1, accounts }
  writeFileAtomically(file, `${JSON.stringify(kept, null, 2)}\n`, 0o600)
}

/** False: the platform does not know this key (its data is new). Throws when nobody can tell. */
async function isKnown(baseUrl: string, account: SimulationAccount): Promise<boolean> {
  const client = new ApiClient({ baseUrls: [baseUrl], key: account.key })
  try {
    const result = await client.balances()
    if (result.ok) return true
    if (result.error.status === 401 || result.error.status === 403) return false
    throw new Error(`cannot ask for balances: ${result.error.code}: ${result.error.message}`)
  } finally {
    await client.close()
  }
}

async function register(baseUrl: string, role: Role, region: string): Promise<SimulationAccount> {
  const client = new ApiClient({ baseUrls: [baseUrl], region })
  try {
    const email = `simulation-${role}-${randomBytes(6).toString('hex')}@simulation.invalid`
    const password = randomBytes(24).toString('base64url')
    valueOrThrow(await client.register(email, password), 'register')
    valueOrThrow(await client.login(email, password), 'log in')
    const request = { label: `simulated ${role}`, scopes: SCOPES }
    const { keyId, secret } = valueOrThrow(await client.createKey(request), 'create an API key')
    return { role, region, email, password, key: { keyId, secret }, funds: await firstFunds(client, region) }
  } finally {
    await client.close()
  }
}

/** The demo funds of a new account: this region may see them a moment after it was registered. */
async function firstFunds(client: ApiClient, region: string): Promise<Funds> {
  const deadline_ms = performance.now() + FUNDS_TIMEOUT_MS
  for (;;) {
    const funds = fundsIn(valueOrThrow(await client.balances(), 'read balances'), region)
    if (Object.keys(funds).length > 0) return funds
    if (performance.now() > deadline_ms) {
      throw new Error(`the new account got no demo funds in ${region}; the simulated market needs TRADING_MODE=paper`)
    }
    await new Promise((resolve) => setTimeout(resolve, FUNDS_POLL_MS))
  }
}
