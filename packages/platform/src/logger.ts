// One JSON line per event on standard output: time, level, component, message, fields. Secrets never pass: fields with a
// telling name and every registered secret value are masked. Where the lines go is the process owner's business.

import { writeSync } from 'node:fs'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  readonly component: string
  readonly level: LogLevel
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** The same logger for a part of the component, with fields that stand in each of its lines. */
  child(part: string, fields?: LogFields): Logger
}

export type LoggerOptions = {
  readonly level?: LogLevel
  readonly fields?: LogFields
  /** Where a finished line (newline included) goes; standard output by default. */
  readonly write?: (line: string) => void
}

const MASK = '[redacted]'
const SECRET_NAME =
  /(^|_|-)(password|passphrase|secret|token|authorization|cookie|signature|private_?key|encryption_?key|api_?key)s?$/i
const LINE_CHARS_MAX = 16_384
const DEPTH_MAX = 6
const SECRET_CHARS_MIN = 8

const secretValues = new Set<string>()

/** From now on no logger of this thread writes this value, wherever it appears. Very short values cannot be masked. */
export function neverLog(value: string): void {
  if (value.length >= SECRET_CHARS_MIN) secretValues.add(value)
}

export function createLogger(component: string, options: LoggerOptions = {}): Logger {
  const level = options.level ?? 'info'
  const write = options.write ?? writeStandardOutput
  const fixed = options.fields ?? {}
  const log = (at: LogLevel) => {
    if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level)) return () => {}
    return (message: string, fields: LogFields = {}) =>
      write(formatLine(at, component, message, { ...fixed, ...fields }))
  }
  return {
    component,
    level,
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (part, fields = {}) =>
      createLogger(`${component}.${part}`, { level, write, fields: { ...fixed, ...fields } }),
  }
}

function formatLine(level: LogLevel, component: string, message: string, fields: LogFields): string {
  const event = { time: new Date().toISOString(), level, component, message, ...(readable(fields, 0) as object) }
  let line = JSON.stringify(event)
  if (line.length > LINE_CHARS_MAX) {
    line = JSON.stringify({ ...event, ...mapValues(fields, () => '[too long]'), truncated: line.length })
  }
  for (const secret of secretValues) line = line.replaceAll(secret, MASK)
  return `${line}\n`
}

/** What JSON can hold, with errors spelled out, big integers as text, and telling names masked. */
function readable(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEPTH_MAX) return '[too deep]'
  if (value instanceof Error) {
    return { name: value.name, ...copyFields(value, depth), message: value.message, stack: value.stack }
  }
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.map((item) => readable(item, depth + 1))
  return copyFields(value, depth)
}

function copyFields(value: object, depth: number): Record<string, unknown> {
  return mapValues(value, (field, name) => (SECRET_NAME.test(snakeCase(name)) ? MASK : readable(field, depth + 1)))
}

function mapValues(value: object, map: (field: unknown, name: string) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, map(field, name)]))
}

function snakeCase(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, '$1_$2')
}

/** Synchronous, so that the last words before a crash are not lost, and the same from a worker thread. */
function writeStandardOutput(line: string): void {
  try {
    writeSync(1, line)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // A full pipe: let the stream buffer it. A closed one: there is nobody left to tell.
    if (code === 'EAGAIN') process.stdout.write(line)
    else if (code !== 'EPIPE') throw error
  }
}
