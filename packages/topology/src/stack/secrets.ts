// Every secret of a deployment, and what it must be. A deploy makes those that are missing, once, and keeps them as secrets of the swarm, under names
// that end in a digest; the stack file has the names from the environment (`variableOf`), so that nothing secret is in any file.

import { appServiceOf, type Topology } from '../model.ts'

export type Secret = { readonly name: string; readonly content: SecretContent }

export type SecretContent =
  /** 24 random bytes, base64url, on one line. */
  | { readonly kind: 'password' }
  /** 32 random bytes, hexadecimal, on one line. */
  | { readonly kind: 'key' }
  /** The certificate of the private authority (PEM). */
  | { readonly kind: 'authority' }
  /** A certificate under that authority (PEM), and in the secret `key` its key. */
  | { readonly kind: 'certificate'; readonly hosts: readonly string[]; readonly key: string }
  | { readonly kind: 'certificate-key' }
  /** Of deployment/ssl: certificate, intermediates and key in one (PEM). */
  | { readonly kind: 'public-certificate'; readonly domains: readonly string[] }
  /**
   * A section of HAProxy's configuration: `userlist LIST`, and in it `user USER password DIGEST`, digests (crypt, SHA-256) of a password for `person` that is
   * shown once, and of the one in the secret `password` for `program`.
   */
  | {
      readonly kind: 'balancer-users'
      readonly list: string
      readonly person: string
      readonly program: string
      readonly password: string
    }
  /** Made together with the `balancer-users` that have its digest. */
  | { readonly kind: 'balancer-password' }

export const MYSQL_ACCOUNTS = ['app', 'read', 'operator', 'replication', 'backup', 'exporter'] as const
export const REDIS_USERS = ['app', 'operator', 'replication', 'exporter'] as const

/** Name in the certificates of all Redis nodes: they are reached by address, which nobody knows beforehand. */
export const REDIS_CERTIFICATE_NAME = 'redis_cluster'

/** As whom operators tell load balancers where clients go. */
export const BALANCER_PROGRAM = 'operators'

export const SECRETS = {
  authority: 'authority',
  linkKey: 'link_key',
  jwt: 'jwt_secret',
  encryption: 'encryption_key',
  apiKey: 'api_key',
  operatorKey: 'operator_key',
  mysql: (account: (typeof MYSQL_ACCOUNTS)[number], copy: 'a' | 'b') => `mysql_${account}_${copy}`,
  redis: (user: (typeof REDIS_USERS)[number], copy: 'a' | 'b') => `redis_${user}_${copy}`,
  certificate: (service: string) => `${service}_certificate`,
  certificateKey: (service: string) => `${service}_certificate_key`,
  publicCertificate: 'public_certificate',
  balancerUsers: 'balancer_users',
  balancerOperator: 'balancer_operator',
} as const

export function secretsOf(topology: Topology): readonly Secret[] {
  const key = { kind: 'key' } as const
  const passwords = [
    ...MYSQL_ACCOUNTS.flatMap((account) => [SECRETS.mysql(account, 'a'), SECRETS.mysql(account, 'b')]),
    ...REDIS_USERS.flatMap((user) => [SECRETS.redis(user, 'a'), SECRETS.redis(user, 'b')]),
  ]
  const certified = [
    ...topology.database.servers.map(({ name }) => name),
    REDIS_CERTIFICATE_NAME,
    ...topology.regions.map(({ name }) => appServiceOf(name)),
  ]
  return [
    { name: SECRETS.publicCertificate, content: { kind: 'public-certificate', domains: topology.domains } },
    {
      name: SECRETS.balancerUsers,
      content: {
        kind: 'balancer-users',
        list: 'operations',
        person: 'operations',
        program: BALANCER_PROGRAM,
        password: SECRETS.balancerOperator,
      },
    },
    { name: SECRETS.balancerOperator, content: { kind: 'balancer-password' } },
    { name: SECRETS.authority, content: { kind: 'authority' } },
    ...[SECRETS.linkKey, SECRETS.jwt, SECRETS.encryption, SECRETS.apiKey, SECRETS.operatorKey].map((name) => ({
      name,
      content: key,
    })),
    ...passwords.map((name) => ({ name, content: { kind: 'password' } as const })),
    ...certified.flatMap((service): Secret[] => [
      {
        name: SECRETS.certificate(service),
        content: { kind: 'certificate', hosts: [service], key: SECRETS.certificateKey(service) },
      },
      { name: SECRETS.certificateKey(service), content: { kind: 'certificate-key' } },
    ]),
  ]
}

/** The environment variable with a secret's name in the swarm. */
export function variableOf(secret: string): string {
  return `WINTRADES_SECRET_${secret.toUpperCase()}`
}
