// The section `redis` of operator.yml, and its list of nodes as the file has it now: nodes are added and taken out by editing it.

import { readFileSync, statSync } from 'node:fs'
import type { Fields } from '@wintrades/topology'
import type { RedisAccess } from './node-connection.ts'
import type { ListedNode } from './watch.ts'

export type RedisConfiguration = {
  readonly nodes: readonly ListedNode[]
  readonly replicasPerMaster: number
  readonly account: { readonly user: string; readonly passwordFile: string }
  /** null: connections are not encrypted. */
  readonly authorityFile: string | null
  /** null: a node's certificate names its address. */
  readonly certificateName: string | null
}

const NODES_MAX = 64

export function readRedisSection(fields: Fields): RedisConfiguration {
  const account = fields.inner('account')
  const configuration: RedisConfiguration = {
    nodes: fields.list('nodes', NODES_MAX, readNode),
    replicasPerMaster: fields.integer('replicas_per_master', 0, 5, 1),
    account: {
      user: account.text('user', /^[A-Za-z0-9_]{1,32}$/, 'the name of a user such as wintrades_operator'),
      passwordFile: account.path('password_file'),
    },
    authorityFile: fields.has('authority_file') ? fields.path('authority_file') : null,
    certificateName: fields.has('certificate_name') ? fields.host('certificate_name') : null,
  }
  account.end()
  for (const key of ['authority_file', 'certificate_name']) fields.optional(key)
  if (configuration.nodes.length === 0) fields.fault('nodes', 'must list at least one node', null)
  for (const [what, of] of [
    ['name', ({ name }: ListedNode) => name],
    ['host and port', ({ host, port }: ListedNode) => `${host}:${port}`],
  ] as const) {
    const all = configuration.nodes.map(of)
    const twice = all.find((one, index) => all.indexOf(one) !== index)
    if (twice !== undefined) fields.fault('nodes', `must have each ${what} once; ${twice} is there twice`, null)
  }
  fields.end()
  return configuration
}

function readNode(fields: Fields): ListedNode {
  return {
    name: fields.text('name', /^[A-Za-z0-9_.-]{1,60}$/, 'a name such as redis-1'),
    region: fields.region('region'),
    host: fields.host('host'),
    port: fields.integer('port', 1, 65_535, 6_379),
  }
}

export function redisAccess({
  account,
  authorityFile,
  certificateName,
}: RedisConfiguration): Omit<RedisAccess, 'clientName'> {
  return {
    user: account.user,
    password: () => readFileSync(account.passwordFile, 'utf8').trimEnd(),
    ca: authorityFile === null ? null : readFileSync(authorityFile, 'utf8'),
    certificateName,
  }
}

/** A list that follows a file: read again when that changes; a faulty one is told, and the last good one stands. */
export function followNodes(
  file: string,
  first: readonly ListedNode[],
  read: (file: string) => readonly ListedNode[] | { readonly fault: string },
  say: (line: string) => void,
): () => readonly ListedNode[] {
  let nodes = first
  let seen = changeOf(file)
  return () => {
    const change = changeOf(file)
    if (change === null || change === seen) return nodes
    seen = change
    const result = read(file)
    if ('fault' in result) say(`${result.fault}: the nodes listed before stand`)
    else {
      nodes = result
      say(`${file} has changed: ${nodes.length} redis nodes are listed`)
    }
    return nodes
  }
}

/** null: it cannot be seen, as while it is being replaced. */
function changeOf(file: string): string | null {
  try {
    const { mtimeMs, size, ino } = statSync(file)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return null
  }
}
