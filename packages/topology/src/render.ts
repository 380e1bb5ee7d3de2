// Every file of a deployment, from its topology. Pure: what stands in the repository already comes in as text, and what makes digests too.

import { renderHaproxy } from './haproxy/balancer.ts'
import { renderOperationsDoor } from './haproxy/door.ts'
import { DOOR_FILE, HAPROXY_FILE, mapFileOf } from './haproxy/files.ts'
import { renderNetworksMap, renderOverridesMap, renderRegionsMap } from './haproxy/maps.ts'
import type { Topology } from './model.ts'
import { renderMysqlConfiguration } from './mysql/server-configuration.ts'
import { renderOperatorFile } from './operator/operator-file.ts'
import { PROMETHEUS_FILE, renderPrometheus } from './prometheus/prometheus.ts'
import { renderRedisConfiguration } from './redis/server-configuration.ts'
import { redisServerOf } from './stack/cache.ts'
import { mysqlFileOf, operatorFileOf, REDIS_FILE, STACK_FILE } from './stack/configs.ts'
import { mysqlServerOf } from './stack/database.ts'
import { renderStack } from './stack/stack.ts'
import { renderVcl, VCL_FILE } from './varnish/vcl.ts'

export type RenderParts = {
  /** The text of a file of `FIXED_FILES`. */
  readonly read: (path: string) => string
  /** A short digest (a-z, 0-9) of a text. */
  readonly digest: (text: string) => string
}

/** Path in the repository → text. */
export function renderDeployment(topology: Topology, { read, digest }: RenderParts): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const server of topology.database.servers) {
    files.set(mysqlFileOf(server.name), renderMysqlConfiguration(mysqlServerOf(topology, server)))
  }
  files.set(REDIS_FILE, `# ${RENDERED}\n${renderRedisConfiguration(redisServerOf(topology))}`)
  for (const { name } of topology.regions) files.set(operatorFileOf(name), renderOperatorFile(topology, name))
  files.set(HAPROXY_FILE, renderHaproxy(topology))
  files.set(DOOR_FILE, renderOperationsDoor(topology))
  files.set(VCL_FILE, renderVcl(topology))
  if (topology.monitoring !== null) files.set(PROMETHEUS_FILE, renderPrometheus(topology))
  files.set(mapFileOf('regions'), renderRegionsMap(topology))
  files.set(mapFileOf('networks'), renderNetworksMap(topology))
  files.set(mapFileOf('overrides'), renderOverridesMap())
  files.set(
    STACK_FILE,
    renderStack(topology, (path) => digest(files.get(path) ?? read(path))),
  )
  return files
}

const RENDERED = 'Rendered from topology.yml by `wintrades render`: change that.'
