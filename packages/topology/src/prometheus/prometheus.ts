// What Prometheus asks for figures: whatever has them, each task found by its service's name.

import { appServiceOf, INNER_PORTS, operatorServiceOf, type Topology } from '../model.ts'
import { formatYaml, type Yaml } from '../yaml.ts'

export const PROMETHEUS_FILE = 'deployment/prometheus/prometheus.yml'

export function renderPrometheus({ stack, regions }: Topology): string {
  const file = {
    global: { scrape_interval: '15s', scrape_timeout: '10s', external_labels: { stack } },
    scrape_configs: [
      { job_name: 'prometheus', static_configs: [{ targets: [`localhost:${INNER_PORTS.prometheus}`] }] },
      job('balancer', [{ service: 'global_loadbalancer', port: INNER_PORTS.balancerMetrics }]),
      ...regions.map(({ name }) =>
        job(`app-${name}`, [{ service: appServiceOf(name), port: INNER_PORTS.http }], name, 'app'),
      ),
      ...regions.map(({ name }) =>
        job(`operator-${name}`, [{ service: operatorServiceOf(name), port: INNER_PORTS.operator }], name, 'operator'),
      ),
    ],
  }
  return `# Rendered from topology.yml by \`wintrades render\`: change that.\n${formatYaml(file)}`
}

type Service = { readonly service: string; readonly port: number }

/** A service of a region is a job of its own, so that it has its region; the label `job` is then that of all regions. */
function job(name: string, services: readonly Service[], region?: string, label = name): Yaml {
  return {
    job_name: name,
    dns_sd_configs: services.map(({ service, port }) => ({
      names: [service],
      type: 'A',
      port,
      refresh_interval: '10s',
    })),
    relabel_configs: [
      { target_label: 'job', replacement: label },
      ...(region === undefined ? [] : [{ target_label: 'region', replacement: region }]),
    ],
  }
}
