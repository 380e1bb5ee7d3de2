// How two processes meet on a new connection: each says who it is, then proves that it belongs to the platform. Promises that nobody without
// the link key gets a link, that a proof serves for one connection only, and an end within its time.
//
//   hello   4 bytes "WTL2", u8 length of the region's name, name, u32 origin, 32 random bytes
//   proof   HMAC-SHA256(link key, "wintrades link" · own hello · peer's hello)

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import type { RegionName } from '@wintrades/domain'
import type { VenueProcess } from '../ports.ts'

const MAGIC = Buffer.from('WTL2')
const NONCE_BYTES = 32
const PROOF_BYTES = 32
const HELLO_BYTES_MAX = MAGIC.length + 1 + 255 + 4 + NONCE_BYTES
const HANDSHAKE_TIMEOUT_MS = 2_000

export type Meeting = {
  readonly self: VenueProcess
  /** 32 bytes, the same in every process. */
  readonly key: Uint8Array
  /** It says it is that process. Null: go on; a text: why not; `leave`: all is well, but no link is wanted. */
  met(process: VenueProcess): string | 'leave' | null
  /** The socket is closed, for this reason. */
  refused(reason: string): void
  /** It is that process. `rest`: what it has sent after its proof. */
  proven(process: VenueProcess, rest: Buffer): void
}

type Hello = { readonly bytes: Buffer; readonly process: VenueProcess }

export function greet(socket: Socket, meeting: Meeting): void {
  const { self, key } = meeting
  const hello = makeHello(self)
  let heard = Buffer.alloc(0)
  let other: Hello | null = null
  const timer = setTimeout(() => refuse('it did not prove itself in time'), HANDSHAKE_TIMEOUT_MS)
  const refuse = (reason: string) => {
    socket.off('data', listen)
    meeting.refused(reason)
    socket.destroy()
  }
  const listen = (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk])
    if (other === null) {
      other = readHello(heard)
      if (other === null) {
        const isHello = heard.length <= HELLO_BYTES_MAX && heard.subarray(0, 4).equals(MAGIC.subarray(0, heard.length))
        return isHello ? undefined : refuse('it is no process of WinTrades, or of another release')
      }
      heard = heard.subarray(other.bytes.length)
      const objection = meeting.met(other.process)
      if (objection === 'leave') return void socket.off('data', listen).destroy()
      if (objection !== null) return refuse(objection)
      socket.write(prove(key, hello, other.bytes))
    }
    if (heard.length < PROOF_BYTES) return
    if (!timingSafeEqual(heard.subarray(0, PROOF_BYTES), prove(key, other.bytes, hello))) {
      return refuse('it does not have the link key')
    }
    clearTimeout(timer)
    socket.off('data', listen)
    meeting.proven(other.process, heard.subarray(PROOF_BYTES))
  }
  socket.setNoDelay(true)
  socket.on('data', listen)
  socket.once('close', () => clearTimeout(timer))
  socket.write(hello)
}

function makeHello({ region, origin }: VenueProcess): Buffer {
  const name = Buffer.from(region)
  const tail = Buffer.alloc(4)
  tail.writeUInt32LE(origin)
  return Buffer.concat([MAGIC, Buffer.from([name.length]), name, tail, randomBytes(NONCE_BYTES)])
}

/** null: not whole yet, or no hello. */
function readHello(heard: Buffer): Hello | null {
  if (heard.length < 5 || !heard.subarray(0, 4).equals(MAGIC)) return null
  const nameEnd = 5 + (heard[4] as number)
  const end = nameEnd + 4 + NONCE_BYTES
  if (heard.length < end) return null
  return {
    bytes: Buffer.from(heard.subarray(0, end)),
    process: { region: heard.toString('utf8', 5, nameEnd) as RegionName, origin: heard.readUInt32LE(nameEnd) },
  }
}

/** A side proves both hellos, its own first, so that neither its words nor its proof can be sent back to it. */
function prove(key: Uint8Array, own: Buffer, other: Buffer): Buffer {
  return createHmac('sha256', key).update('wintrades link').update(own).update(other).digest()
}
