// Ports for the processes of one machine. Taken below the range from which systems give out ports by themselves, so that a
// process that restarts finds its port free again.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const RANGE_START = 20_000
const RANGE_END = 32_000
const ATTEMPTS_MAX = 200

export async function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

/** `preferred` if it is free, else some free port; never one of `taken`, to which the answer is added. */
export async function choosePort(host: string, preferred: number | null, taken: Set<number>): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = attempt === 0 && preferred !== null ? preferred : randomInt(RANGE_START, RANGE_END)
    if (taken.has(port) || !(await isFree(host, port))) continue
    taken.add(port)
    return port
  }
  throw new Error(`found no free port on ${host} between ${RANGE_START} and ${RANGE_END}`)
}
