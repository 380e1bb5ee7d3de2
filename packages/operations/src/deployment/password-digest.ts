// The load balancer's list of who may see its figures: HAProxy reads passwords as crypt(3) digests.

import { encrypt } from 'unixcrypt'

/** The password is random and long: rounds beyond the default would only cost the balancer time at each request. */
const ROUNDS = 5_000

/** A section `userlist` named `operations`. */
export function balancerUsers(user: string, password: string): string {
  const salt = randomSalt()
  return `userlist operations\n  user ${user} password ${encrypt(password, `$5$rounds=${ROUNDS}$${salt}`)}\n`
}

function randomSalt(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(9)))
    .toString('base64')
    .replace(/[+/]/g, '.')
}
