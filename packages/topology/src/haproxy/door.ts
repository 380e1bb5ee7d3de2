// The operations door (HAProxy on the node's own network): the ports for people and scripts, at the operations address and nowhere else. A container's
// ports can be published for every address of a node only, so what they lead to listens on sockets in memory that the node's containers share.

import type { Topology } from '../model.ts'
import { section } from './balancer.ts'
import { type OperationsSocket, socketOf } from './files.ts'

export function renderOperationsDoor({ operations, monitoring }: Topology): string {
  const { address, statsPort, operatorPort, prometheusPort } = operations
  const host = address.includes(':') ? `[${address}]` : address
  const doors: readonly (readonly [OperationsSocket, number])[] = [
    ['stats', statsPort],
    ['operator', operatorPort],
    ...(monitoring === null ? [] : [['prometheus', prometheusPort] as const]),
  ]
  const sections = [
    section('global', 'log stdout format raw local0', 'maxconn 500'),
    section(
      'defaults',
      'mode tcp',
      'log global',
      'option dontlognull',
      'timeout connect 2s',
      // A command of an operator answers when it is done.
      'timeout client 24h',
      'timeout server 24h',
    ),
    ...doors.map(([name, port]) =>
      section(`listen ${name}`, `bind ${host}:${port}`, `server ${name} ${socketOf(name)}`),
    ),
  ]
  return `# Rendered from topology.yml by \`wintrades render\`: change that.\n\n${sections.join('\n')}`
}
