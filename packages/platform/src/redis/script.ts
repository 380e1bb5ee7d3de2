// A Lua script that runs inside Redis as one step, and the name that Redis knows it by.

import { createHash } from 'node:crypto'

export type RedisScript = { readonly lua: string; readonly sha1: string }

export function redisScript(lua: string): RedisScript {
  return { lua, sha1: createHash('sha1').update(lua).digest('hex') }
}
