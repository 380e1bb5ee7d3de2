// What the operator is told of its database servers, and how it gets in.

import type { ServerName } from '../promotion/index.ts'

export type DatabaseServer = {
  readonly name: ServerName
  readonly region: string
  /** Under which the operators and the other servers reach it; its certificate must name it. */
  readonly host: string
  readonly port: number
  readonly role: 'voter' | 'reader'
}

export type Account = {
  readonly user: string
  /** Read at every new connection, so that a password can change while the operator runs. */
  readonly passwordFile: string
}

export type DatabaseAccess = {
  readonly operator: Account
  /** Under which servers follow and clone each other. */
  readonly replication: Account
  /** The private authority's certificate, as a file here: no server is believed without it. */
  readonly authorityFile: string
  /** The same certificate as the servers see it. */
  readonly authorityFileOnServers: string
}
