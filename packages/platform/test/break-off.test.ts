// A connection that is broken off is gone, although the server at its other end neither closes nor stops sending.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import mysql from 'mysql2'
import { expect, test } from 'vitest'
import { breakOff } from '../src/mysql/index.ts'

test('a server that goes on sending after the goodbye is hung up on', async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const arrived = once(server, 'connection') as Promise<[Socket]>
  const connection = mysql.createConnection({ host: '127.0.0.1', port, user: 'anybody', connectTimeout: 0 })
  connection.on('error', () => {})
  const [socket] = await arrived
  const hungUp = new Promise<void>((resolve) => {
    // What is sent to a closed socket is answered with a reset.
    socket.on('error', () => resolve())
  })
  breakOff(connection)
  // As heartbeats of a binlog.
  const beating = setInterval(() => socket.write('.'), 10)
  await hungUp
  clearInterval(beating)
  server.close()
  const { stream } = connection as unknown as { readonly stream: Socket }
  expect(stream.destroyed).toBe(true)
})
