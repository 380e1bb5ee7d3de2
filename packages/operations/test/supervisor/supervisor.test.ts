// The supervisor's parts with real files, ports and processes.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { DataInUse, lockDataDirectory } from '../../src/supervisor/data-lock.ts'
import { LogFile } from '../../src/supervisor/log-file.ts'
import { ManagedProcess, type ProcessEvent } from '../../src/supervisor/managed-process.ts'
import { choosePort, isFree } from '../../src/supervisor/ports.ts'
import { isAlive, readRunningStatus, writeStatus } from '../../src/supervisor/status-file.ts'

const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-supervisor-'))
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test('one supervisor per data directory; the lock is free again when it is given back', () => {
  const directory = temporaryDirectory()
  const unlock = lockDataDirectory(directory)
  expect(() => lockDataDirectory(directory)).toThrow(DataInUse)
  const status = { pid: process.pid, startedAt: '', frontDoor: { host: '127.0.0.1', port: 8000 }, processes: [] }
  writeStatus(directory, status)
  expect(() => lockDataDirectory(directory)).toThrow(new RegExp(`already runs on .* \\(pid ${process.pid}`))
  unlock()
  lockDataDirectory(directory)()
})

test('a status whose supervisor is gone is no status', () => {
  const directory = temporaryDirectory()
  expect(readRunningStatus(directory)).toBeNull()
  const status = { pid: 2 ** 22 + 1, startedAt: '', frontDoor: { host: '127.0.0.1', port: 8000 }, processes: [] }
  writeStatus(directory, status)
  expect(readRunningStatus(directory)).toBeNull()
  writeStatus(directory, { ...status, pid: process.pid })
  expect(readRunningStatus(directory)).toMatchObject({ frontDoor: { port: 8000 } })
})

test('a log keeps its size by moving on to a new file', () => {
  const directory = temporaryDirectory()
  const log = new LogFile(directory, 'us-east', 100)
  for (let i = 0; i < 20; i += 1) log.write(`${String(i).padStart(39, '0')}\n`)
  log.close()
  expect(readdirSync(directory).toSorted()).toEqual(['us-east.1.log', 'us-east.2.log', 'us-east.3.log', 'us-east.log'])
  expect(readFileSync(join(directory, 'us-east.log'), 'utf8')).toContain('19\n')
})

test('a port in use is passed over', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  cleanups.push(() => void server.close())
  await expect.poll(() => server.listening).toBe(true)
  const { port } = server.address() as { port: number }
  expect(await isFree('127.0.0.1', port)).toBe(false)
  const taken = new Set<number>()
  expect(await choosePort('127.0.0.1', port, taken)).not.toBe(port)
  expect(taken.size).toBe(1)
})

function manage(source: string): { managed: ManagedProcess; events: ProcessEvent[] } {
  const directory = temporaryDirectory()
  const entry = join(directory, 'child.mjs')
  writeFileSync(entry, source)
  const log = new LogFile(directory, 'child')
  const events: ProcessEvent[] = []
  const plan = {
    name: 'child',
    entry,
    environment: process.env,
    host: '127.0.0.1',
    httpPort: null,
    linkPort: null,
    readyPath: null,
  }
  const managed = new ManagedProcess(plan, log, (event) => events.push(event))
  cleanups.push(async () => {
    await managed.stop(1_000)
    log.close()
  })
  return { managed, events }
}

test('a killed process is started again at once, a stopped one is not', async () => {
  const { managed, events } = manage('setInterval(() => {}, 1000)')
  managed.start()
  const first = managed.status.pid
  managed.kill('SIGKILL')
  await expect.poll(() => managed.status).toMatchObject({ state: 'starting', restarts: 1 })
  expect(managed.status.pid).not.toBe(first)
  expect(events[1]).toEqual({ kind: 'died', how: 'SIGKILL', restartIn_ms: 0 })
  await managed.stop(2_000)
  expect(managed.status).toMatchObject({ state: 'stopped' })
})

test('a process that keeps dying is started less and less often', async () => {
  const { managed, events } = manage('process.exit(3)')
  managed.start()
  const delays = () => events.flatMap((event) => (event.kind === 'died' ? [event.restartIn_ms] : []))
  await expect.poll(delays, { timeout: 10_000 }).toEqual(expect.arrayContaining([0, 250, 500]))
})

test('a process that does not stop is killed after its time', async () => {
  const { managed, events } = manage("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); process.send('up')")
  managed.start()
  const { pid } = managed.status
  await managed.stop(1_500)
  expect(pid !== null && isAlive(pid)).toBe(false)
  expect(['killed', 'stopped']).toContain(events.at(-1)?.kind)
})
