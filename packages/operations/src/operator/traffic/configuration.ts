// The section `balancers` of operator.yml: where the load balancers are, and as whom they are told where a region's clients go.

import { readFileSync } from 'node:fs'
import type { Fields } from '@wintrades/topology'

export type TrafficConfiguration = {
  /** A name with one address for each load balancer. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly passwordFile: string
  readonly regions: readonly string[]
}

const REGIONS_MAX = 32
const USER = /^[a-z][a-z0-9_-]{0,30}$/
const REGION = /^[a-z][a-z0-9-]{0,30}$/

export function readTrafficSection(fields: Fields): TrafficConfiguration {
  const configuration = {
    host: fields.host('host', 'global_loadbalancer'),
    port: fields.integer('port', 1, 65_535, 8_080),
    user: fields.text('user', USER, 'a user of the load balancers, such as operators'),
    passwordFile: fields.path('password_file'),
    regions: fields.texts('regions', REGIONS_MAX, REGION, 'the name of a region'),
  }
  fields.end()
  return configuration
}

/** Read at each use: a rotated password counts at once. */
export function readPassword({ passwordFile }: TrafficConfiguration): string {
  return readFileSync(passwordFile, 'utf8').trimEnd()
}
