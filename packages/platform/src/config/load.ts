// Environment → typed configuration, or every fault at once. Promises that no message holds a secret's value.

import { readFileSync } from 'node:fs'
import { neverLog } from '../logger.ts'
import { type AnyVariable, type Config, VARIABLES } from './variables.ts'

export type ConfigFault = { readonly variable: string; readonly message: string }

export type ConfigResult =
  | {
      readonly ok: true
      readonly config: Config
      /** Variables that were given although nothing reads them yet, each with the part that will. */
      readonly notUsedYet: readonly { readonly variable: string; readonly part: string }[]
    }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

export type Environment = Readonly<Record<string, string | undefined>>

const SECRET_FILE_BYTES_MAX = 8_192
const SHOWN_CHARS_MAX = 80

/** Checks every variable; an empty value counts as not given. */
export function loadConfig(environment: Environment): ConfigResult {
  const faults: ConfigFault[] = []
  const notUsedYet: { variable: string; part: string }[] = []
  const values: Record<string, unknown> = {}
  for (const [key, variable] of Object.entries<AnyVariable>(VARIABLES)) {
    const read = readVariable(variable, environment)
    if (read.fault !== null) faults.push({ variable: variable.name, message: read.fault })
    else values[key] = read.value
    if (read.given && variable.notUsedYet !== undefined) {
      notUsedYet.push({ variable: variable.name, part: variable.notUsedYet })
    }
  }
  if (faults.length === 0) faults.push(...crossCheck(values as Config))
  if (faults.length > 0) return { ok: false, faults }
  return { ok: true, config: values as Config, notUsedYet }
}

type Read = { readonly value: unknown; readonly fault: string | null; readonly given: boolean }

function readVariable(variable: AnyVariable, environment: Environment): Read {
  const source = variable.secret ? readSecret(variable.name, environment) : { text: environment[variable.name] ?? '' }
  if ('fault' in source) return { value: null, fault: source.fault, given: true }
  const given = source.text !== ''
  const text = given ? source.text : variable.default
  if (text === null) return { value: null, fault: null, given }
  if (variable.secret) neverLog(text)
  const parsed = variable.kind.parse(text)
  if (parsed.ok) return { value: parsed.value, fault: null, given }
  const shown = variable.secret ? 'its value is not shown' : `it is ${shorten(text)}`
  return { value: null, fault: `${variable.name} must be ${parsed.fault}; ${shown}`, given }
}

/** The variable itself, or the content of the file that `<NAME>_FILE` names, without its last line end. */
function readSecret(name: string, environment: Environment): { readonly text: string } | { readonly fault: string } {
  const text = environment[name] ?? ''
  const file = environment[`${name}_FILE`] ?? ''
  if (file === '') return { text }
  if (text !== '') return { fault: `${name} and ${name}_FILE are both set; keep one of them` }
  try {
    const content = readFileSync(file)
    if (content.length > SECRET_FILE_BYTES_MAX) {
      return { fault: `${name}_FILE names ${shorten(file)}, which is larger than ${SECRET_FILE_BYTES_MAX} bytes` }
    }
    return { text: content.toString('utf8').replace(/\r?\n$/, '') }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return { fault: `${name}_FILE must name a file that can be read; ${shorten(file)} cannot (${code})` }
  }
}

/** Rules between variables. */
function crossCheck(config: Config): ConfigFault[] {
  const faults: ConfigFault[] = config.databaseHosts === null ? [] : checkDatabase(config)
  if (config.environment === 'production' && config.tradingMode === 'live') {
    for (const key of ['jwtSecret', 'encryptionKey', 'operatorApiKey'] as const) {
      const name = VARIABLES[key].name
      if (config[key] === null) {
        const message = `${name} (or ${name}_FILE) must be given when APP_ENV=production and TRADING_MODE=live`
        faults.push({ variable: name, message })
      }
    }
  }
  faults.push(...checkLinkFiles(config))
  if (config.drain_ms > config.stopTimeout_ms / 2) {
    const message = `DRAIN_MS must be at most half of STOP_TIMEOUT_MS, which is ${config.stopTimeout_ms}; it is ${config.drain_ms}`
    faults.push({ variable: VARIABLES.drain_ms.name, message })
  }
  if (config.cacheDriver === 'redis' && config.redisHost === null) {
    const message = 'REDIS_HOST must be given when CACHE_DRIVER=redis: a list host[:port],… of nodes'
    faults.push({ variable: VARIABLES.redisHost.name, message })
  }
  return faults
}

function checkDatabase({ databasePassword, databaseTls, databaseCaFile }: Config): ConfigFault[] {
  const faults: ConfigFault[] = []
  if (databasePassword === null) {
    const message = 'DB_PASSWORD_FILE (or DB_PASSWORD) must be given when DB_HOST is'
    faults.push({ variable: 'DB_PASSWORD', message })
  }
  if (databaseTls === 'off') return faults
  const fault = databaseCaFile === null ? 'is not given' : unreadable(databaseCaFile)
  if (fault !== null) {
    const message = `DB_CA_FILE must name the certificate of the CA of the MySQL servers when DB_TLS=on; it ${fault}`
    faults.push({ variable: 'DB_CA_FILE', message })
  }
  return faults
}

/** All or none: a process that encrypts only half of its links is a mistake. */
function checkLinkFiles({ linkCertificateFile, linkCertificateKeyFile, linkCaFile }: Config): ConfigFault[] {
  const files = [
    [VARIABLES.linkCertificateFile.name, linkCertificateFile],
    [VARIABLES.linkCertificateKeyFile.name, linkCertificateKeyFile],
    [VARIABLES.linkCaFile.name, linkCaFile],
  ] as const
  const missing = files.flatMap(([name, file]) => (file === null ? [name] : []))
  if (missing.length === 0 || missing.length === files.length) return []
  const all = files.map(([name]) => name).join(', ')
  return missing.map((name) => ({ variable: name, message: `${name} is not given; give all of ${all}, or none` }))
}

function unreadable(path: string): string | null {
  try {
    if (readFileSync(path, 'latin1').includes('-----BEGIN CERTIFICATE-----')) return null
    return `names ${shorten(path)}, which holds no certificate`
  } catch (error) {
    return `names ${shorten(path)}, which cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`
  }
}

function shorten(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text)
}
