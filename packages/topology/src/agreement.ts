// What must agree between the parts of a topology, and with markets.yml. Each rule says where it is broken and what to write.

import { isAddress, overlap, parseNetwork } from './addresses.ts'
import type { ContentFault } from './fields.ts'
import { CONTINENTS, type Topology } from './model.ts'
import type { ShardRegions } from './read.ts'
import { serverIdOf } from './stack/database.ts'

const VOTERS = 3
const REDIS_MASTERS_MIN = 3
const CONNECTIONS_PER_MB = 16

export function findDisagreements(topology: Topology, shards: readonly ShardRegions[]): readonly ContentFault[] {
  const faults: ContentFault[] = []
  const fault = (path: string, message: string) => faults.push({ path, message })
  checkRegions(topology, fault)
  checkShards(topology, shards, fault)
  checkContinents(topology, fault)
  checkNetworks(topology, fault)
  checkPorts(topology, fault)
  checkDatabase(topology, fault)
  checkServices(topology, fault)
  return faults
}

type Report = (path: string, message: string) => void

function checkRegions({ regions, defaultRegion, domains, backups, monitoring }: Topology, fault: Report): void {
  const names = regions.map(({ name }) => name)
  if (regions.length === 0) fault('regions', 'must list at least one region; topology.example.yml has three')
  if (domains.length === 0) fault('domains', 'must list at least one host name, such as localhost')
  regions.forEach(({ name, next }, index) => {
    if (names.indexOf(name) < index) fault(`regions[${index}].name`, `is there twice: ${name}`)
    const others = names.filter((other) => other !== name)
    const isWhole = next.length === others.length && others.every((other) => next.includes(other))
    if (!isWhole)
      fault(`regions[${index}].next`, `must be every other region, nearest first: ${others.join(', ')} in some order`)
  })
  const known = `a region of this file: ${names.join(', ')}`
  if (!names.includes(defaultRegion)) fault('default_region', `must be ${known}; it is ${defaultRegion}`)
  for (const [path, section] of [
    ['backups.region', backups],
    ['monitoring.region', monitoring],
  ] as const) {
    if (section !== null && !names.includes(section.region)) fault(path, `must be ${known}; it is ${section.region}`)
  }
}

function checkShards({ regions }: Topology, shards: readonly ShardRegions[], fault: Report): void {
  const names = regions.map(({ name }) => name)
  for (const shard of shards) {
    const strangers = shard.regions.filter((region) => !names.includes(region))
    if (strangers.length > 0)
      fault(
        'regions',
        `must have ${strangers.join(', ')}, which may lead the shard ${shard.name} of markets.yml; or change that file`,
      )
  }
  const led = new Set(shards.flatMap((shard) => shard.regions))
  regions.forEach(({ name }, index) => {
    if (!led.has(name))
      fault(`regions[${index}].name`, `is no region of markets.yml: add ${name} to a shard's regions there`)
  })
}

function checkContinents({ regions }: Topology, fault: Report): void {
  for (const continent of CONTINENTS) {
    const holders = regions.flatMap((region, index) => (region.continents.includes(continent) ? [index] : []))
    if (holders.length === 0) fault('regions', `must have ${continent} among the continents of one of them`)
    for (const index of holders.slice(1))
      fault(`regions[${index}].continents`, `must not have ${continent}, which is ${regions[holders[0] ?? 0]?.name}'s`)
  }
}

function checkNetworks({ regions, network, operations }: Topology, fault: Report): void {
  regions.forEach(({ networks }, index) => {
    networks.forEach((text, at) => {
      if (parseNetwork(text) === null)
        fault(
          `regions[${index}].networks[${at}]`,
          `must be a network whose bits behind the prefix are zero, such as 192.0.2.0/24; it is ${text}`,
        )
      if (regions.slice(0, index).some((earlier) => earlier.networks.includes(text)))
        fault(`regions[${index}].networks[${at}]`, `is another region's too: ${text}`)
    })
  })
  const subnets = [
    ['network.global_subnet', network.globalSubnet],
    ['network.data_subnet', network.dataSubnet],
    ['network.operations_subnet', network.operationsSubnet],
  ] as const
  const parsed = subnets.map(([path, text]) => {
    const read = parseNetwork(text)
    if (read === null || read.version !== 4 || read.length > 24)
      fault(path, `must be an IPv4 network of at least 256 addresses, such as 10.80.0.0/20; it is ${text}`)
    return read
  })
  parsed.forEach((one, index) => {
    const other = parsed.findIndex(
      (earlier, at) => at < index && one !== null && earlier !== null && overlap(one, earlier),
    )
    if (other >= 0)
      fault(subnets[index]?.[0] ?? '', `overlaps with ${subnets[other]?.[0]}: give each network addresses of its own`)
  })
  if (!isAddress(operations.address))
    fault('operations.address', `must be an address such as 127.0.0.1; it is ${operations.address}`)
  if (operations.address === '0.0.0.0' || operations.address === '::')
    fault(
      'operations.address',
      'must be one address of the nodes: these ports are not for clients, and the wildcard would open them to all',
    )
}

function checkPorts({ ports, operations }: Topology, fault: Report): void {
  const all = [
    ['ports.http', ports.http],
    ['ports.https', ports.https],
    ['operations.stats_port', operations.statsPort],
    ['operations.operator_port', operations.operatorPort],
    ['operations.prometheus_port', operations.prometheusPort],
  ] as const
  all.forEach(([path, port], index) => {
    const other = all.findIndex(([, earlier], at) => at < index && earlier === port)
    if (other >= 0) fault(path, `must differ from ${all[other]?.[0]}: both are ${port}`)
  })
}

function checkDatabase({ regions, database }: Topology, fault: Report): void {
  const { servers, followTheSun } = database
  const names = regions.map(({ name }) => name)
  servers.forEach(({ name, region }, index) => {
    const path = `database.servers[${index}]`
    if (!names.includes(region))
      fault(`${path}.region`, `must be a region of this file: ${names.join(', ')}; it is ${region}`)
    if (servers.findIndex((other) => other.name === name) < index) fault(`${path}.name`, `is there twice: ${name}`)
  })
  servers.forEach(({ name }, index) => {
    const other = servers.find(
      (earlier, at) => at < index && earlier.name !== name && serverIdOf(earlier.name) === serverIdOf(name),
    )
    if (other !== undefined)
      fault(`database.servers[${index}].name`, `gives the same server number as ${other.name}: choose another name`)
  })
  const voters = servers.filter(({ role }) => role === 'voter')
  if (voters.length !== VOTERS)
    fault(
      'database.servers',
      `must have exactly ${VOTERS} voters, as two of three are what every rule counts on; it has ${voters.length}`,
    )
  if (new Set(voters.map(({ region }) => region)).size < voters.length)
    fault('database.servers', 'must have its voters in different regions: one region lost must not take two')
  followTheSun.forEach(({ region }, index) => {
    if (!voters.some((voter) => voter.region === region))
      fault(`database.follow_the_sun[${index}].region`, `must be a region with a voter; ${region} has none`)
  })
}

const TAKEN = [
  'global_loadbalancer',
  'operations_door',
  'redis_cluster',
  'cdn_cache',
  'prometheus',
  'redis',
  'backups',
  'content',
]

function checkServices({ regions, database, cache, balancer }: Topology, fault: Report): void {
  const taken = new Set([
    ...TAKEN,
    ...regions.flatMap(({ name }) => [`app_${name.replaceAll('-', '_')}`, `operator_${name.replaceAll('-', '_')}`]),
  ])
  database.servers.forEach(({ name }, index) => {
    if (taken.has(name)) fault(`database.servers[${index}].name`, `is the name of another service or volume: ${name}`)
  })
  const connections_max = CONNECTIONS_PER_MB * balancer.memory_mb
  if (balancer.connections_max > connections_max)
    fault(
      'balancer.connections_max',
      `must be at most ${connections_max} with ${balancer.memory_mb} MB of memory; it is ${balancer.connections_max}`,
    )
  const nodes_min = REDIS_MASTERS_MIN * (1 + cache.replicasPerMaster)
  if (cache.nodes < nodes_min)
    fault(
      'cache.nodes',
      `must be at least ${nodes_min}: ${REDIS_MASTERS_MIN} masters, each with ${cache.replicasPerMaster} replicas; it is ${cache.nodes}`,
    )
}
