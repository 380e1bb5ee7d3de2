// Varnish, between the load balancer and the app processes, for what is the same for everybody.

import { appServiceOf, INNER_PORTS, type Topology } from '../model.ts'
import { VCL_FILE } from '../varnish/vcl.ts'
import type { Yaml } from '../yaml.ts'
import type { ConfigFile } from './configs.ts'
import { deployOf, healthOf, httpTest, loggingOf, mountConfig, mountVolume, USERS } from './parts.ts'

const CONFIG = 'varnish'
const ENTRYPOINT_CONFIG = 'varnish_entrypoint'
export const VARNISH_ENTRYPOINT = 'deployment/varnish/entrypoint.sh'
const CONTENT_VOLUME = 'content'
const OVERHEAD_MB = 192

export function contentConfigs(): readonly ConfigFile[] {
  return [
    { name: CONFIG, path: VCL_FILE },
    { name: ENTRYPOINT_CONFIG, path: VARNISH_ENTRYPOINT },
  ]
}

/** Memory from which programs may be run, as compiled configurations are; one for each task of a node. */
export function contentVolumes({ stack }: Topology): Record<string, Yaml> {
  const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=128m,mode=1777' }
  return { [CONTENT_VOLUME]: { name: `${stack}_content_{{.Task.Slot}}`, driver: 'local', driver_opts: options } }
}

export function contentServices(topology: Topology): Record<string, Yaml> {
  const { content, regions, images } = topology
  const cache: Yaml = {
    image: images.varnish,
    entrypoint: ['/etc/wintrades/entrypoint.sh'],
    user: `${USERS.varnish}:${USERS.varnish}`,
    cap_drop: ['ALL'],
    environment: {
      VARNISH_ORIGINS: regions.map(({ name }) => `${appServiceOf(name)}:${INNER_PORTS.http}`).join(' '),
      VARNISH_MEMORY_MB: String(content.memory_mb),
      VARNISH_PORT: String(INNER_PORTS.content),
      VARNISH_OPERATIONS_PORT: String(INNER_PORTS.contentOperations),
    },
    configs: [
      mountConfig(ENTRYPOINT_CONFIG, '/etc/wintrades/entrypoint.sh', true),
      mountConfig(CONFIG, '/etc/wintrades/default.vcl'),
    ],
    volumes: [mountVolume(CONTENT_VOLUME, '/var/lib/varnish')],
    networks: ['global', 'operations'],
    healthcheck: healthOf({
      test: httpTest(INNER_PORTS.content, '/cache-health'),
      interval_seconds: 10,
      timeout_seconds: 8,
      retries: 3,
      start_seconds: 60,
    }),
    stop_grace_period: '20s',
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: content.replicas,
      resources: { cpus: content.cpus, memory_mb: 2 * content.memory_mb + OVERHEAD_MB },
      labels: [],
      order: 'stop-first',
    }),
  }
  return { cdn_cache: cache }
}
