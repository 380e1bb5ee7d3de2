// What every service of the stack has in common: how it is named, placed, limited, updated, logged, and given its files.

import type { Resources, Topology } from '../model.ts'
import { Verbatim, type Yaml } from '../yaml.ts'
import type { ConfigName } from './configs.ts'

export type Members = { readonly [key: string]: Yaml | undefined }

/** A fault of one kind of service must not take another along: each kind is changed in its own way. */
export type UpdateOrder = 'start-first' | 'stop-first'

export type Deployment = {
  readonly replicas: number | 'one on each node'
  readonly resources: Resources
  /** All of them hold for a node that may run it: labels that are `true`. */
  readonly labels: readonly string[]
  readonly order: UpdateOrder
  /** Longer than the topology says, where a new one has more to do before the next may follow. */
  readonly delay_seconds?: number
}

export function deployOf(topology: Topology, deployment: Deployment): Yaml {
  const { replicas, resources, labels, order } = deployment
  const delay_seconds = Math.max(topology.update.delay_seconds, deployment.delay_seconds ?? 0)
  const change = {
    parallelism: 1,
    order,
    monitor: `${topology.update.monitor_seconds}s`,
  }
  return {
    ...(replicas === 'one on each node' ? { mode: 'global' } : { replicas }),
    // Names lead to the tasks themselves: a virtual address would go on sending to one that stops.
    endpoint_mode: 'dnsrr',
    ...(labels.length === 0
      ? {}
      : { placement: { constraints: labels.map((label) => `node.labels.${label} == true`) } }),
    resources: { limits: { cpus: String(resources.cpus), memory: `${resources.memory_mb}M` } },
    // `any`: what ends with code 0 is to run again too, as MySQL after a clone.
    restart_policy: { condition: 'any', delay: '2s' },
    update_config: { ...change, delay: `${delay_seconds}s`, failure_action: 'rollback' },
    rollback_config: { ...change, failure_action: 'pause' },
  }
}

export function loggingOf({ logging }: Topology): Yaml {
  return { driver: 'json-file', options: { 'max-size': `${logging.file_mb}m`, 'max-file': String(logging.files) } }
}

/** What runs as another user than root. */
export const USERS = {
  /** Of the images that are built from this repository. */
  own: '10001',
  /** Of the official image. */
  haproxy: '99',
  /** Anybody: it owns nothing outside memory that everybody may write to. */
  varnish: '10002',
} as const

export function mountConfig(source: ConfigName, target: string, executable = false): Yaml {
  return { source, target, mode: new Verbatim(executable ? '0555' : '0444') }
}

/** Under /run/secrets; readable by one user. */
export function mountSecret(source: string, target = source, user = '0'): Yaml {
  return { source, target, uid: user, gid: user, mode: new Verbatim('0400') }
}

export function mountMemory(target: string, size_mb: number): Yaml {
  return { type: 'tmpfs', target, tmpfs: { size: size_mb * 1_048_576 } }
}

export function mountVolume(source: string, target: string): Yaml {
  return { type: 'volume', source, target }
}

/** Port on the node itself: the routing mesh would hide clients' addresses. */
export function publish(target: number, published: number): Yaml {
  return { target, published, protocol: 'tcp', mode: 'host' }
}

/** Docker starts a process in the container for each look, which costs a tenth of a second of a processor and more: seldom is enough, since balancers and operators look for themselves. */
export type Health = {
  readonly test: readonly string[]
  readonly interval_seconds: number
  readonly timeout_seconds: number
  readonly retries: number
  readonly start_seconds: number
}

export function healthOf({ test, interval_seconds, timeout_seconds, retries, start_seconds }: Health): Yaml {
  return {
    // Otherwise the stack's own variables would be meant.
    test: test.map((word) => word.replaceAll('$', '$$$$')),
    interval: `${interval_seconds}s`,
    timeout: `${timeout_seconds}s`,
    retries,
    start_period: `${start_seconds}s`,
  }
}

/** Asks by HTTP without a program that an image may lack. */
export function httpTest(port: number, path: string, { address = '127.0.0.1', status = 200 } = {}): readonly string[] {
  const script = `exec 3<>/dev/tcp/${address}/${port} && printf 'GET ${path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r -u 3 line && [[ $line == *' ${status} '* ]]`
  return ['CMD', 'bash', '-c', script]
}

/** What a process that begins as root needs to give its files to another user and become that. */
export const ROOT_THEN_USER = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'] as const
