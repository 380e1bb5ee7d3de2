// A platform on one machine is one release: once all of it runs, what its engines newly know may be used. Processes that are updated one
// after the other are told by their operator instead (`POST /api/v1/operator/activate-version`).

const TIMEOUT_MS = 10_000

type Report = { readonly engineVersion: number; readonly shards: readonly { readonly version: number }[] }

/** Puts the newest rules in force where they are not; returns their version, or null if they were already. `baseUrl` is a region's. */
export async function activateNewestVersion(baseUrl: string, operatorKey: string): Promise<number | null> {
  const asked = await fetch(`${baseUrl}/health/region`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  const { engineVersion, shards } = (await asked.json()) as Report
  if (shards.every((shard) => shard.version >= engineVersion)) return null
  const told = await fetch(`${baseUrl}/api/v1/operator/activate-version`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': operatorKey },
    body: JSON.stringify({ version: engineVersion }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!told.ok) throw new Error(`the engine's new rules were not activated: ${told.status} ${await told.text()}`)
  return engineVersion
}
