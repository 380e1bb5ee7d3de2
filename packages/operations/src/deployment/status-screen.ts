// A deployment's status as one screen for a person. Pure.

import { appServiceOf, operatorServiceOf, type Topology } from '@wintrades/topology'
import { table } from '../supervisor/panel.ts'
import { type StackStatus, shardsOf } from './stack-status.ts'

export function describeStack(topology: Topology, status: StackStatus): readonly string[] {
  return [
    ...headLines(status),
    '',
    ...regionTable(topology, status),
    '',
    ...shardTable(status),
    '',
    ...databaseLines(status),
    '',
    ...restLines(topology, status),
  ]
}

/** Every service is as it shall be, every shard is led, a primary serves. */
export function isWell(status: StackStatus): boolean {
  const shards = shardsOf(status)
  return (
    status.services.length > 0 &&
    status.services.every(({ progress }) => progress.state === 'done') &&
    shards.length > 0 &&
    shards.every(({ leader, fault }) => leader !== null && fault === null) &&
    status.operator?.parts.database?.outcome === 'serving'
  )
}

function headLines({ stack, nodes, services, lock }: StackStatus): readonly string[] {
  const releases = [...new Set(services.filter(({ name }) => name.startsWith('app_')).map(({ image }) => tagOf(image)))]
  const down = nodes.filter(({ isReady }) => !isReady).map(({ hostname }) => hostname)
  return [
    `stack ${stack}, release ${releases.join(' and ') || 'none'}`,
    `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}${down.length === 0 ? ', ready' : `; down: ${down.join(', ')}`}`,
    ...(lock === null ? [] : [`${lock.who} is at it since ${lock.at}: ${lock.why}`]),
  ]
}

function regionTable({ regions }: Topology, { services, operator, regions: views }: StackStatus): readonly string[] {
  const counts = (name: string) => {
    const progress = services.find((service) => service.name === name)?.progress
    return progress === undefined ? 'none' : `${progress.running}/${progress.wanted}`
  }
  const rows = regions.map(({ name }) => {
    const answeredBy = views.find(({ region }) => region === name)?.answeredBy ?? 'nobody'
    const sentTo = operator?.parts.traffic?.wishes[name] ?? name
    const note = sentTo === name ? '' : `clients sent to ${sentTo}`
    return [name, counts(appServiceOf(name)), counts(operatorServiceOf(name)), answeredBy, note]
  })
  return table(['region', 'app', 'operator', 'clients answered by', ''], rows)
}

function shardTable(status: StackStatus): readonly string[] {
  const shards = shardsOf(status)
  if (shards.length === 0) return ['  no region answers: nothing is known of the shards']
  return table(
    ['shard', 'leader', 'epoch', 'seq', ''],
    shards.map(({ name, leader, epoch, seq, fault }) => [
      name,
      leader ?? 'none',
      String(epoch),
      String(seq),
      fault ?? 'healthy',
    ]),
  )
}

function databaseLines({ operator }: StackStatus): readonly string[] {
  const database = operator?.parts.database
  if (database === undefined || database === null) return ['  no operator answers: nothing is known of the databases']
  const rows = database.servers.map((server) => [
    server.name,
    server.region,
    server.role,
    server.state,
    server.lag_ms === null ? '–' : `${server.lag_ms} ms`,
    server.fault ?? '',
  ])
  return [...table(['database', 'region', 'role', 'state', 'lag', ''], rows), `  ${database.line}`]
}

function restLines({ regions }: Topology, { services, operator, certificate, audit }: StackStatus): readonly string[] {
  const ofRegions = new Set(regions.flatMap(({ name }) => [appServiceOf(name), operatorServiceOf(name)]))
  const others = services.filter(({ name, progress }) => !ofRegions.has(name) || progress.state !== 'done')
  return [
    `cache: ${operator?.parts.redis?.line ?? 'no operator answers'}`,
    `traffic: ${operator?.lines.findLast(({ part }) => part === 'traffic')?.text ?? 'no operator answers'}`,
    `services: ${others.map(({ name, progress }) => `${name} ${progress.line}`).join('; ')}`,
    `certificate of clients: ${certificate === null ? 'none' : certificate.warnings.join('; ') || 'valid'}`,
    ...audit.map(
      ({ at, who, what, outcome, took_seconds }) =>
        `${at}  ${who}  ${what}: ${outcome} (${Math.round(took_seconds)} s)`,
    ),
  ]
}

function tagOf(image: string): string {
  return image.slice(image.lastIndexOf(':') + 1)
}
