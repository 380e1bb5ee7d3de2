// Prometheus, on the one node that has its volume.

import { INNER_PORTS, NODE_LABELS, type Topology } from '../model.ts'
import { PROMETHEUS_FILE } from '../prometheus/prometheus.ts'
import type { Yaml } from '../yaml.ts'
import type { ConfigFile } from './configs.ts'
import { deployOf, healthOf, loggingOf, mountConfig, mountVolume } from './parts.ts'

const CONFIG = 'prometheus'
const VOLUME = 'prometheus'

export function monitoringConfigs({ monitoring }: Topology): readonly ConfigFile[] {
  return monitoring === null ? [] : [{ name: CONFIG, path: PROMETHEUS_FILE }]
}

export function monitoringVolumes({ stack, monitoring }: Topology): Record<string, Yaml> {
  return monitoring === null ? {} : { [VOLUME]: { name: `${stack}_${VOLUME}` } }
}

export function monitoringServices(topology: Topology): Record<string, Yaml> {
  const { monitoring, images } = topology
  if (monitoring === null) return {}
  const address = `0.0.0.0:${INNER_PORTS.prometheus}`
  const prometheus: Yaml = {
    image: images.prometheus,
    // Of the official image it is the entrypoint already; any other image has it by this name too.
    entrypoint: ['prometheus'],
    command: [
      '--config.file=/etc/prometheus/prometheus.yml',
      '--storage.tsdb.path=/prometheus',
      `--storage.tsdb.retention.time=${monitoring.retention_days}d`,
      `--web.listen-address=${address}`,
    ],
    read_only: true,
    cap_drop: ['ALL'],
    configs: [mountConfig(CONFIG, '/etc/prometheus/prometheus.yml')],
    volumes: [mountVolume(VOLUME, '/prometheus')],
    // It asks the app processes where clients' requests go too.
    networks: ['global', 'operations'],
    healthcheck: healthOf({
      test: ['CMD', 'promtool', 'check', 'healthy', `--url=http://127.0.0.1:${INNER_PORTS.prometheus}`],
      interval_seconds: 15,
      timeout_seconds: 10,
      retries: 4,
      start_seconds: 120,
    }),
    stop_grace_period: '60s',
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: 1,
      resources: monitoring,
      labels: [NODE_LABELS.region(monitoring.region), NODE_LABELS.monitoring],
      order: 'stop-first',
    }),
  }
  return { prometheus }
}
