// WebSocket upgrades: /ws goes to the streams, anything else is refused with an answer of the catalogue.

import type { IncomingMessage, Server } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApiFault } from '../errors.ts'

export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** `closed` says whether new streams are taken no more. */
export function addUpgrades(server: Server, upgrade: Upgrade, closed: () => boolean): void {
  server.on('upgrade', (request, socket, head) => {
    const [path] = (request.url ?? '/').split('?', 1)
    if (path !== '/ws') refuse(socket, new ApiFault('NOT_FOUND'))
    else if (closed()) refuse(socket, new ApiFault('NOT_READY'))
    else upgrade(request, socket, head)
  })
}

/** A whole answer, for sockets that have no response object. */
export function refuse(socket: Duplex, fault: ApiFault): void {
  const body = JSON.stringify(fault.body())
  socket.once('error', () => socket.destroy())
  socket.end(
    [
      `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status] ?? 'Error'}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}
