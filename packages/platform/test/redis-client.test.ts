// The Redis client against servers that misbehave in ways that a real cluster does only now and then. What it does with real ones is in
// tests/cluster.

import { createServer, type Server, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createLogger } from '../src/logger.ts'
import { RedisCluster, RedisUnavailable } from '../src/redis/index.ts'

type Answer = (command: string, socket: Socket, port: number) => string | null

/** Speaks just enough of the protocol; null: no answer. */
async function serve(answer: Answer): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('data', (data) => {
      // Each command is an array of bulk strings; none of those here holds a line end.
      for (const part of data
        .toString()
        .split(/\*\d+\r\n/)
        .slice(1)) {
        const words = part.split('\r\n').filter((word) => word !== '' && !word.startsWith('$'))
        const text = answer(words.join(' ').toUpperCase(), socket, port)
        if (text !== null) socket.write(text)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return port
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const slots = (port: number) => `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${bulk('127.0.0.1')}:${port}\r\n`

function owner(get: (command: string) => string | null): Answer {
  return (command, _socket, port) => {
    if (command.startsWith('CLUSTER SLOTS')) return slots(port)
    if (command.startsWith('CLUSTER INFO')) return bulk('cluster_state:ok')
    if (command.startsWith('INFO')) return bulk('loading:0')
    if (command.startsWith('GET')) return get(command)
    return '+OK\r\n'
  }
}

async function connected(port: number) {
  const cluster = new RedisCluster(
    { nodes: [{ host: '127.0.0.1', port }], user: null, password: null, tls: null, prefix: 'p:', clientName: 'test' },
    { logger: createLogger('test', { level: 'silent' }) },
  )
  onTestFinished(() => cluster.close())
  await expect.poll(() => cluster.ready, { timeout: 10_000 }).toBe(true)
  return cluster.use({ name: 'test', deadline_ms: 300 })
}

test('a receiver of a slot that closes the connection fails the call, and not the process', async () => {
  let askings = 0
  const receiver = await serve((command, socket) => {
    if (command.startsWith('ASKING')) {
      askings += 1
      socket.destroy()
    }
    return command.startsWith('INFO') ? bulk('loading:0') : '+OK\r\n'
  })
  const redis = await connected(await serve(owner(() => `-ASK 1 127.0.0.1:${receiver}\r\n`)))
  // An unhandled rejection would fail the run.
  await expect(redis.get('key')).rejects.toThrow(RedisUnavailable)
  expect(askings).toBeGreaterThan(0)
})

test('a node that answers nothing is given up at the deadline, and after three times not asked', async () => {
  let asked = 0
  const port = await serve(
    owner(() => {
      asked += 1
      return null
    }),
  )
  const redis = await connected(port)
  for (let i = 0; i < 3; i += 1) await expect(redis.get('key')).rejects.toThrow('no answer in 300 ms')
  await expect(redis.get('key')).rejects.toThrow('left alone')
  expect(asked).toBe(3)
})

test('calls whose outcome is open are bounded', async () => {
  const port = await serve(owner(() => null))
  const cluster = new RedisCluster(
    { nodes: [{ host: '127.0.0.1', port }], user: null, password: null, tls: null, prefix: 'p:', clientName: 'test' },
    { logger: createLogger('test', { level: 'silent' }) },
  )
  onTestFinished(() => cluster.close())
  await expect.poll(() => cluster.ready, { timeout: 10_000 }).toBe(true)
  const redis = cluster.use({ name: 'test', deadline_ms: 300, inFlightMax: 2 })
  const calls = ['a', 'b', 'c'].map((key) => redis.get(key))
  const outcomes = await Promise.allSettled(calls)
  const messages = outcomes.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'answered'))
  expect(messages).toEqual(['no answer in 300 ms', 'no answer in 300 ms', 'too many calls to redis are open'])
})
