// The load balancer's list of who may see its figures: HAProxy reads passwords as crypt(3) digests.

import { encrypt } from 'unixcrypt'

/** The password is random and long: rounds beyond the default would only cost the balancer time at each request. */
const ROUNDS = 5_000

/** A section `userlist` of that name; `users`: name → password. */
export function balancerUsers(list: string, users: Readonly<Record<string, string>>): string {
  const lines = Object.entries(users).map(
    ([user, password]) => `  user ${user} password ${encrypt(password, `$5$rounds=${ROUNDS}$${randomSalt()}`)}\n`,
  )
  return `userlist ${list}\n${lines.join('')}`
}

function randomSalt(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(9)))
    .toString('base64')
    .replace(/[+/]/g, '.')
}
