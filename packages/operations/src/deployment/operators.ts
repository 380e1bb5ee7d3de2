// What the operators of a deployment say and do: their report through the operations door, commands from inside their containers.

import { INNER_PORTS, operatorServiceOf, type Topology } from '@wintrades/topology'
import type { BackupStatus } from '../backup/index.ts'
import type { DatabaseStatus } from '../operator/database/reconciler.ts'
import { KEY_HEADER } from '../operator/http-server.ts'
import type { Line } from '../operator/lines.ts'
import type { CommandResult } from '../operator/reconciler.ts'
import type { RedisStatus } from '../operator/redis/operator.ts'
import type { TrafficStatus } from '../operator/traffic/reconciler.ts'
import type { Docker } from './docker.ts'
import { askInside, type InsideAnswer } from './inside.ts'

export type OperatorReport = {
  readonly region: string
  readonly parts: {
    readonly database?: DatabaseStatus | null
    readonly redis?: RedisStatus | null
    readonly traffic?: TrafficStatus | null
    readonly backup?: BackupStatus | null
  }
  readonly lines: readonly Line[]
}

const REPORT_MS = 5_000
const MARGIN_MS = 5_000
const KEY_FILE = '/run/secrets/operator_key'

/** Of whichever operator answers first; null: none does. */
export async function readOperatorReport({ operations }: Topology): Promise<OperatorReport | null> {
  try {
    const response = await fetch(`http://${operations.address}:${operations.operatorPort}/status`, {
      signal: AbortSignal.timeout(REPORT_MS),
    })
    return response.ok ? ((await response.json()) as OperatorReport) : null
  } catch {
    return null // there is no door on this machine, or nobody behind it
  }
}

/** Of the one operator that makes them: the others know nothing of it. */
export async function readBackupStatus(docker: Docker, topology: Topology): Promise<BackupStatus | null> {
  const { backups } = topology
  if (backups === null) return null
  try {
    const { body } = await askInside(docker, topology, [operatorServiceOf(backups.region)], {
      method: 'GET',
      port: INNER_PORTS.operator,
      path: '/status',
      timeout_ms: REPORT_MS,
    })
    return (body as OperatorReport).parts?.backup ?? null
  } catch {
    return null // it runs nowhere, or not on this node
  }
}

/** Throws with what the operator said where it did not do it. */
export async function commandOperator(
  docker: Docker,
  topology: Topology,
  path: string,
  body: Readonly<Record<string, unknown>>,
  timeout_ms: number,
): Promise<string> {
  const answer = await askInside(
    docker,
    topology,
    topology.regions.map(({ name }) => operatorServiceOf(name)),
    {
      method: 'POST',
      port: INNER_PORTS.operator,
      path,
      key: { header: KEY_HEADER, file: KEY_FILE },
      body: { ...body, timeout_seconds: Math.ceil(timeout_ms / 1_000) },
      // The operator gives up first, and says why.
      timeout_ms: timeout_ms + MARGIN_MS,
    },
  )
  const result = answer.body as CommandResult
  if (answer.status !== 200) throw new Error(lineOf(answer))
  return result.line
}

function lineOf({ status, body }: InsideAnswer): string {
  const line = (body as { readonly line?: string } | null)?.line
  return line ?? `the operator answered ${status}: ${JSON.stringify(body)}`
}
