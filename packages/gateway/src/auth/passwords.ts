// Passwords: which are accepted, and their argon2id hashes. Promises that hashing never takes more than its share of the machine: few at
// once, a bounded line of those that wait, and a refusal beyond it.

import { hash, verify } from '@node-rs/argon2'
import { ApiFault } from '../errors.ts'
import { COMMON_PASSWORDS } from './common-passwords.ts'

const CHARS_MIN = 8
const CHARS_MAX = 128

/** OWASP's recommendation for argon2id (the library's default algorithm): 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } as const

export type PasswordHasherOptions = {
  /**
   * At once, at most 4. The default leaves half of libuv's four threads to what else needs them, such as the journal's writes.
   */
  readonly inFlight_max?: number
  readonly waiting_max?: number
}

const IN_FLIGHT_MAX = 2
const WAITING_MAX = 128
/** When the line is full: about what it takes to work off a half of it. */
const RETRY_AFTER_MS = 2_000

export class PasswordHasher {
  readonly #inFlight_max: number
  readonly #waiting_max: number
  readonly #waiting: (() => void)[] = []
  #inFlight = 0

  constructor(options: PasswordHasherOptions = {}) {
    this.#inFlight_max = Math.min(4, options.inFlight_max ?? IN_FLIGHT_MAX)
    this.#waiting_max = options.waiting_max ?? WAITING_MAX
  }

  /** In PHC form. Throws OVERLOADED when too many wait. */
  hash(password: string): Promise<string> {
    return this.#run(() => hash(normalized(password), PARAMETERS))
  }

  /** Whether it is the password of this hash. Throws OVERLOADED when too many wait. */
  verify(passwordHash: string, password: string): Promise<boolean> {
    return this.#run(() => verify(passwordHash, normalized(password)))
  }

  async #run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#inFlight < this.#inFlight_max) this.#inFlight += 1
    else await this.#turn()
    try {
      return await work()
    } finally {
      // The place is handed over, not freed: nobody can slip in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#inFlight -= 1
      else next()
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#waiting_max) {
      throw new ApiFault('OVERLOADED', {
        message: 'Too many log-ins and registrations wait already; nothing was done. Try again.',
        retryAfter_ms: RETRY_AFTER_MS,
      })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

/** Throws PASSWORD_TOO_WEAK with the reason. */
export function checkPassword(password: string, email: string): void {
  const chars = charsOf(password)
  if (chars < CHARS_MIN || chars > CHARS_MAX) {
    throw new ApiFault('PASSWORD_TOO_WEAK', {
      message: `Passwords have ${CHARS_MIN} to ${CHARS_MAX} characters.`,
      details: { chars_min: CHARS_MIN, chars_max: CHARS_MAX },
    })
  }
  const lower = password.toLowerCase()
  const lowerEmail = email.toLowerCase()
  if (COMMON_PASSWORDS.has(lower) || lower === lowerEmail || lower === lowerEmail.split('@')[0]) {
    throw new ApiFault('PASSWORD_TOO_WEAK', { message: 'This password is among the first that a guesser tries.' })
  }
}

/** Whether it could be anybody's password at all: what is too long is not worth a hash. */
export function isPasswordLength(password: string): boolean {
  return charsOf(password) <= CHARS_MAX
}

function charsOf(password: string): number {
  // Code points, but a long text is not spread out to count them.
  return password.length > CHARS_MAX * 2 ? password.length : [...password].length
}

/** The same characters typed on another keyboard are the same password. */
function normalized(password: string): string {
  return password.normalize('NFC')
}
