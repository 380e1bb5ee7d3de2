// Of a stack file, only what belongs to one region: docker leaves the other services of the stack alone.

import { parse, stringify } from 'yaml'

type StackFile = { services: Record<string, { deploy?: { placement?: { constraints?: readonly string[] } } }> }

export function serviceFilter(stackFile: string, region: string): string {
  const file = parse(stackFile) as StackFile
  const constraint = `node.labels.wintrades.region.${region} == true`
  const kept = Object.entries(file.services).filter(([, service]) =>
    service.deploy?.placement?.constraints?.includes(constraint),
  )
  if (kept.length === 0) throw new Error(`there is no region ${region} in the topology`)
  return stringify({ ...file, services: Object.fromEntries(kept) })
}
