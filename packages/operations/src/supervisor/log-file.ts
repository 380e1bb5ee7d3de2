// A process's log file of bounded size: when it is full it becomes NAME.1.log, that one NAME.2.log, and the oldest goes.

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const FILE_BYTES_MAX = 16 * 1024 * 1024
const FILES_KEPT = 3

export class LogFile {
  readonly #directory: string
  readonly #name: string
  readonly #bytesMax: number
  #descriptor: number
  #bytes: number

  constructor(directory: string, name: string, bytesMax = FILE_BYTES_MAX) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#directory = directory
    this.#name = name
    this.#bytesMax = bytesMax
    this.#descriptor = openSync(this.#path(0), 'a', 0o600)
    this.#bytes = fstatSync(this.#descriptor).size
  }

  write(chunk: string | Buffer): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    if (this.#bytes + bytes.length > this.#bytesMax) this.#rotate()
    let written = 0
    while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written)
    this.#bytes += bytes.length
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #rotate(): void {
    closeSync(this.#descriptor)
    for (let age = FILES_KEPT - 1; age >= 0; age -= 1) moveIfThere(this.#path(age), this.#path(age + 1))
    this.#descriptor = openSync(this.#path(0), 'a', 0o600)
    this.#bytes = 0
  }

  #path(age: number): string {
    return join(this.#directory, age === 0 ? `${this.#name}.log` : `${this.#name}.${age}.log`)
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
