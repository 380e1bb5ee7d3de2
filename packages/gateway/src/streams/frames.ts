// WebSocket text messages ready to be written. Everything streams send is ASCII JSON, so a message is put together as a string of
// bytes ("latin1"): many of them leave in one write, and a push is framed once for all who hear it.

import { assert } from '@wintrades/domain'

const FINAL_TEXT = 0x81
const LENGTH_16 = 126
const LENGTH_64 = 127

/** The frame (RFC 6455, unmasked, final) of an ASCII text, one character per byte. */
export function textFrame(text: string): string {
  const { length } = text
  if (length < LENGTH_16) return String.fromCharCode(FINAL_TEXT, length) + text
  if (length < 0x1_0000) return String.fromCharCode(FINAL_TEXT, LENGTH_16, length >>> 8, length & 0xff) + text
  assert(length <= 0xffff_ffff, 'a message is shorter than 4 GiB')
  const low = [length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff]
  return String.fromCharCode(FINAL_TEXT, LENGTH_64, 0, 0, 0, 0, ...low) + text
}

export type PushType = 'snapshot' | 'update' | 'reset'

/** A push of a channel. `subject`: further members that name what it is about, such as `"symbol":"BTC-USD",`. */
export function pushFrame(channel: string, subject: string, type: PushType, sequence: string, data: string): string {
  return textFrame(`{"channel":"${channel}",${subject}"type":"${type}","sequence":${sequence},"data":${data}}`)
}
