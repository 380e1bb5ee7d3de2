// The raw pipelined connection against a WebSocket server that we did not write.

import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { type LoadConnection, openLoadConnection } from '../../src/client/index.ts'

let server: WebSocketServer
let baseUrl = ''

beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/ws' })
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      const text = data.toString()
      if (text === 'ping me') socket.ping('are you there')
      else if (text === 'go') socket.close(4001, 'gone')
      else if (text.startsWith('in parts ')) {
        socket.send(text.slice(0, 4), { fin: false })
        socket.send(text.slice(4), { fin: true })
      } else socket.send(text)
    })
    socket.on('pong', (data) => socket.send(`pong ${data.toString()}`))
  })
  await new Promise((resolve) => server.once('listening', resolve))
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => server.close())

/** Sends, and resolves with the first `count` messages that come back. */
async function exchange(
  texts: readonly string[],
  count: number,
): Promise<{ messages: string[]; connection: LoadConnection }> {
  const messages: string[] = []
  let done = () => {}
  const complete = new Promise<void>((resolve) => {
    done = resolve
  })
  const connection = await openLoadConnection({
    baseUrl,
    onMessage: (bytes, start, end) => {
      messages.push(bytes.toString('utf8', start, end))
      if (messages.length === count) done()
    },
    onClose: (reason) => {
      messages.push(`closed: ${reason}`)
      done()
    },
  })
  for (const text of texts) connection.send(text)
  connection.flush()
  await complete
  return { messages, connection }
}

test('thousands of messages of every length come back whole and in order', async () => {
  const texts = Array.from({ length: 3_000 }, (_, i) => `${i}:${'x'.repeat((i * 37) % 700)}`)
  texts.push('y'.repeat(70_000), 'z'.repeat(125), 'z'.repeat(126))
  const { messages, connection } = await exchange(texts, texts.length)
  connection.close()
  expect(messages).toEqual(texts)
})

test('a message in fragments is handed over whole', async () => {
  const { messages, connection } = await exchange(['in parts 123456'], 1)
  connection.close()
  expect(messages).toEqual(['in parts 123456'])
})

test('a ping is answered', async () => {
  const { messages, connection } = await exchange(['ping me'], 1)
  connection.close()
  expect(messages).toEqual(['pong are you there'])
})

test('the end of the connection is told with its reason', async () => {
  const { messages } = await exchange(['go'], 1)
  expect(messages).toEqual(['closed: 4001 gone'])
})

test('a server that does not speak WebSocket on that path is refused', async () => {
  await expect(
    openLoadConnection({ baseUrl: `${baseUrl}/region/nowhere`, onMessage: () => {}, onClose: () => {} }),
  ).rejects.toThrow('400')
})
