// What processes cost: processor time by thread and memory, read from /proc on Linux; elsewhere by process, from `ps`.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

export type ProcessCost = {
  /** Processor time since its start. */
  readonly cpu_seconds: number
  /** By the name of the thread; empty where the system does not tell. */
  readonly threads: ReadonlyMap<string, number>
  readonly memory_bytes: number
}

const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4_096

/** Throws when there is no such process. */
export function readCost(pid: number): ProcessCost {
  if (!existsSync('/proc/self/stat')) return readByPs(pid)
  const threads = new Map<string, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const read = readStat(`/proc/${pid}/task/${thread}/stat`)
    if (read !== null) threads.set(read.name, (threads.get(read.name) ?? 0) + read.cpu_seconds)
  }
  const whole = readStat(`/proc/${pid}/stat`)
  if (whole === null) throw new Error(`process ${pid} has ended`)
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return { cpu_seconds: whole.cpu_seconds, threads, memory_bytes: pages * PAGE_BYTES }
}

/** Processor time that the whole machine has used; null where the system does not tell. */
export function machineBusy_seconds(): number | null {
  if (!existsSync('/proc/stat')) return null
  const [user, nice, system, , , irq, softirq] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number) as [number, number, number, number, number, number, number]
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND
}

/** null: the thread has ended. */
function readStat(path: string): { readonly name: string; readonly cpu_seconds: number } | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
  const end = text.lastIndexOf(')')
  const fields = text.slice(end + 2).split(' ')
  const cpu_seconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  return { name: text.slice(text.indexOf('(') + 1, end), cpu_seconds }
}

function readByPs(pid: number): ProcessCost {
  const [time, kilobytes] = execFileSync('ps', ['-o', 'time=,rss=', '-p', String(pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
  const cpu_seconds = (time ?? '0').split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return { cpu_seconds, threads: new Map(), memory_bytes: Number(kilobytes) * 1_024 }
}
