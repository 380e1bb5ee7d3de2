// operator.yml → typed configuration, or every fault at once with its line. Sections belong to the operator's parts; each part reads its own.

import { type ContentFault, type FileFault, readYamlFile } from '@wintrades/platform'
import { Fields } from '@wintrades/topology'
import { readBackupSection } from '../backup/configuration.ts'
import type { BackupSettings } from '../backup/settings.ts'
import { type DatabaseConfiguration, readDatabaseSection } from './database/configuration.ts'
import { type HistoryConfiguration, readHistorySection } from './history/configuration.ts'
import { type RedisConfiguration, readRedisSection } from './redis/configuration.ts'
import { readTrafficSection, type TrafficConfiguration } from './traffic/configuration.ts'

export type OperatorConfiguration = {
  readonly http: { readonly host: string; readonly port: number; readonly keyFile: string }
  /** Where operators are asked: region → address. */
  readonly operators: Readonly<Record<string, string>>
  readonly database: DatabaseConfiguration | null
  readonly history: HistoryConfiguration
  readonly redis: RedisConfiguration | null
  /** null: there are no load balancers to keep agreed. */
  readonly balancers: TrafficConfiguration | null
  /** null: this operator keeps no backups. */
  readonly backup: BackupSettings | null
}

export type ConfigurationResult =
  | { readonly ok: true; readonly configuration: OperatorConfiguration }
  | { readonly ok: false; readonly faults: readonly FileFault[] }

const OPERATORS_MAX = 32
const EXAMPLE = 'operator.example.yml'

export function readOperatorFile(file: string): ConfigurationResult {
  return readYamlFile(file, check)
}

function check(
  raw: unknown,
):
  | { readonly ok: true; readonly configuration: OperatorConfiguration }
  | { readonly ok: false; readonly faults: readonly ContentFault[] } {
  const faults: ContentFault[] = []
  const fields = new Fields(raw, '', faults, EXAMPLE)
  const database = fields.has('database') ? readDatabaseSection(fields.inner('database')) : null
  const configuration: OperatorConfiguration = {
    http: readHttp(fields.inner('http')),
    operators: fields.has('operators') ? readOperators(fields.inner('operators')) : {},
    database,
    history: readHistorySection(
      fields.has('history') ? fields.inner('history') : new Fields({}, 'history', faults, EXAMPLE),
    ),
    redis: fields.has('redis') ? readRedisSection(fields.inner('redis')) : null,
    balancers: fields.has('balancers') ? readTrafficSection(fields.inner('balancers')) : null,
    backup: fields.has('backup') ? readBackupSection(fields.inner('backup'), database) : null,
  }
  // Read even where they are missing, so that a fault about another key names them.
  for (const key of ['operators', 'database', 'history', 'redis', 'balancers', 'backup']) fields.optional(key)
  fields.end()
  return faults.length > 0 ? { ok: false, faults } : { ok: true, configuration }
}

function readHttp(fields: Fields): OperatorConfiguration['http'] {
  const http = {
    host: fields.host('host', '127.0.0.1'),
    port: fields.integer('port', 0, 65_535, 8_300),
    keyFile: fields.path('key_file'),
  }
  fields.end()
  return http
}

function readOperators(fields: Fields): Readonly<Record<string, string>> {
  const regions = fields.keys()
  if (regions.length > OPERATORS_MAX) return fields.fault(regions[0] ?? '', `is one of more than ${OPERATORS_MAX}`, {})
  const address = /^https?:\/\/[A-Za-z0-9_.:[\]-]{1,260}$/
  return Object.fromEntries(
    regions.map((region) => [region, fields.text(region, address, 'an address such as http://operator-us:8300')]),
  )
}
