// What a deployment keeps on the machine it is made from: the key of the private authority and the record of what was done. Never in the repository.
// Everything else that is secret lives in the swarm alone.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inRepository } from '../repository.ts'

export type AuditLine = {
  readonly at: string
  readonly who: string
  readonly what: string
  readonly outcome: 'done' | 'failed' | 'unchanged'
  readonly took_seconds: number
  readonly detail: string
}

const AUDIT_LINES_SHOWN_MAX = 1_000

export class StateDirectory {
  readonly path: string

  /** `.deployment/STACK` in the repository unless WINTRADES_STATE says where. */
  constructor(stack: string) {
    this.path = join(process.env['WINTRADES_STATE'] || inRepository('.deployment'), stack)
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
  }

  get certificates(): string {
    return join(this.path, 'certificates')
  }

  /** Where the files of each deployment are rendered to, which docker reads. */
  get releases(): string {
    return join(this.path, 'releases')
  }

  audit(line: AuditLine): void {
    appendFileSync(this.#auditFile, `${JSON.stringify(line)}\n`, { mode: 0o600 })
  }

  /** The newest last. */
  auditLines(): readonly AuditLine[] {
    if (!existsSync(this.#auditFile)) return []
    const lines = readFileSync(this.#auditFile, 'utf8').trimEnd().split('\n').slice(-AUDIT_LINES_SHOWN_MAX)
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as AuditLine]
      } catch {
        return [] // broken off in the middle of a write
      }
    })
  }

  get #auditFile(): string {
    return join(this.path, 'audit.jsonl')
  }
}
