// Asks a region's process to hand over a shard, as `wintrades hand-over` does.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { secretsDirectory } from '@wintrades/platform'
import type { Target } from './target.ts'

const REQUEST_TIMEOUT_MS = 10_000

/** Resolves when the other region leads; throws when the hand-over is refused. */
export function requestHandOver(target: Target): (shard: string, from: string, to: string) => Promise<void> {
  return async (shard, from, to) => {
    const process = target.regions().find((one) => one.region === from)
    if (process === undefined) throw new Error(`${from} does not run`)
    const response = await fetch(`http://${process.host}:${process.httpPort}/api/v1/operator/hand-over`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': operatorKey(target.dataDirectory) },
      body: JSON.stringify({ shard, to }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    if (!response.ok) throw new Error(`the hand-over was refused: ${response.status} ${await response.text()}`)
  }
}

function operatorKey(dataDirectory: string): string {
  const given = process.env['API_KEY']
  if (given) return given
  return readFileSync(join(secretsDirectory(dataDirectory), 'operator-api.key'), 'utf8').trimEnd()
}
