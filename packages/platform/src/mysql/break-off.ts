// Ends a connection at once. The library's own `destroy` says goodbye and goes on reading until the server closes too: one that streams its binlog never
// does, nor one that hangs or cannot be reached, and their sockets would keep a process alive and take what is sent for nobody.

import type { Socket } from 'node:net'
import type { Connection } from 'mysql2'
import type { Connection as PromiseConnection } from 'mysql2/promise'

/** Whoever waits for an answer must be told by the caller: the library says nothing. */
export function breakOff(connection: Connection | PromiseConnection): void {
  connection.destroy()
  // Of the connection that promises wrap, or its own; not in the library's types.
  const inner = 'connection' in connection ? connection.connection : connection
  const { stream } = inner as { readonly stream?: Socket }
  stream?.destroy()
}
