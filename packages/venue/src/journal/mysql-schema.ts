// The venue's tables in MySQL. A row of `lease` is what fences: appends hold it shared, a change of leader holds it alone. Renewals have a row of
// their own, because they must not wait for appends, nor appends for them.

import type { Component } from '@wintrades/platform/migrations'

/** Of a region or a shard. */
const NAME_CHARS_MAX = 32
const SERVER_CHARS = 36
const HASH_BYTES = 32

export const JOURNAL_COMPONENT: Component = {
  name: 'journal',
  migrations: [
    {
      version: 1,
      compatibleFrom: 1,
      steps: (schema) => {
        const { int64, ascii, bytes, blob } = schema.types
        return [
          schema.createTable('journal', (table) =>
            table
              .addColumn('shard', int64, (column) => column.notNull())
              .addColumn('seq', int64, (column) => column.notNull())
              .addColumn('epoch', int64, (column) => column.notNull())
              .addColumn('hash', bytes(HASH_BYTES), (column) => column.notNull())
              // Of the batch, beside it: how much is read at once is decided without reading it.
              .addColumn('size', int64, (column) => column.notNull())
              .addColumn('batch', blob, (column) => column.notNull())
              .addPrimaryKeyConstraint('journal_key', ['shard', 'seq']),
          ),
          schema.createTable('lease', (table) =>
            table
              .addColumn('shard', int64, (column) => column.primaryKey().notNull())
              .addColumn('epoch', int64, (column) => column.notNull())
              .addColumn('holder', ascii(NAME_CHARS_MAX))
              .addColumn('origin', int64, (column) => column.notNull())
              .addColumn('reserved_for', ascii(NAME_CHARS_MAX))
              .addColumn('pinned', int64, (column) => column.notNull()),
          ),
          schema.createTable('lease_renewal', (table) =>
            table
              .addColumn('shard', int64, (column) => column.primaryKey().notNull())
              // 0: nobody holds the lease.
              .addColumn('epoch', int64, (column) => column.notNull())
              .addColumn('renewals', int64, (column) => column.notNull())
              // By the clock of `server`; no other server's clock says anything about it.
              .addColumn('expires_ms', int64, (column) => column.notNull())
              .addColumn('ttl_ms', int64, (column) => column.notNull())
              .addColumn('server', ascii(SERVER_CHARS), (column) => column.notNull()),
          ),
          // Writes whose only use is that they are acknowledged.
          schema.createTable('barrier', (table) =>
            table
              .addColumn('slot', int64, (column) => column.primaryKey().notNull())
              .addColumn('number', int64, (column) => column.notNull()),
          ),
          // A snapshot is there when its row is: the parts come before it, and go after it.
          schema.createTable('snapshot', (table) =>
            table
              .addColumn('shard', int64, (column) => column.notNull())
              .addColumn('seq', int64, (column) => column.notNull())
              .addColumn('parts', int64, (column) => column.notNull())
              .addPrimaryKeyConstraint('snapshot_key', ['shard', 'seq']),
          ),
          schema.createTable('snapshot_part', (table) =>
            table
              .addColumn('shard', int64, (column) => column.notNull())
              .addColumn('seq', int64, (column) => column.notNull())
              .addColumn('part', int64, (column) => column.notNull())
              .addColumn('bytes', blob, (column) => column.notNull())
              .addPrimaryKeyConstraint('snapshot_part_key', ['shard', 'seq', 'part']),
          ),
        ]
      },
    },
  ],
}
