// The tables of the accounts: row types for Kysely, and their migrations. What is in them is read and written by the modules beside this one.

import type { Component, SchemaSteps, Step } from '@wintrades/platform/migrations'
import type { Generated } from 'kysely'

/** Times are milliseconds since 1970. */
export type AccountsTables = {
  users: {
    /** MySQL numbers by itself. */
    account_id: Generated<number>
    user_id: string
    /** As it was written at registration. */
    email: string
    /** What it is compared by. */
    email_key: string
    /** In PHC form, parameters and salt included. */
    password_hash: string
    created_ms: number
    /** 1: has got the demo funds. */
    funded: Generated<number>
    /** The highest number given to an API key; numbers are not given twice. */
    api_keys_numbered: Generated<number>
  }
  sessions: {
    family_id: string
    account_id: number
    /** SHA-256 of the one refresh token that is valid now. */
    token_hash: Uint8Array
    opened_ms: number
    expires_ms: number
  }
  api_keys: {
    key_id: string
    account_id: number
    number: number
    label: string
    /** Separated by spaces. */
    scopes: string
    /** Separated by spaces; empty: any address. */
    ip_allow_list: string
    secret_encrypted: Uint8Array
    created_ms: number
  }
  /** Who did what: chains of records, see `../audit/audit-log.ts`. */
  audit: {
    stream: string
    /** From 1 on, without gaps. */
    seq: number
    at_ms: number
    principal: string
    account: number | null
    address: string
    action: string
    target: string
    outcome: string
    /** JSON. */
    details: string
    previous_hash: Uint8Array
    hash: Uint8Array
  }
  audit_streams: { stream: string; opened_ms: number }
  /** A row a process: written when a transaction is repeated whose outcome was unknown (`mysql-accounts.ts`). */
  confirmations: { writer: string; at_ms: number; count: number }
}

/** Below are numbers that the platform keeps for itself. */
export const FIRST_ACCOUNT = 1_001

/** Bounds of what the audit log holds; longer texts are cut before they are chained. */
export const AUDIT_CHARS = { stream: 40, principal: 64, address: 64, action: 64, target: 160, outcome: 64 } as const

export const ACCOUNTS: Component = {
  name: 'accounts',
  migrations: [
    { version: 1, compatibleFrom: 1, steps: createAccounts },
    { version: 2, compatibleFrom: 1, steps: createAudit },
  ],
}

function createAccounts(schema: SchemaSteps): readonly Step[] {
  const { types } = schema
  return [
    schema.createTable(
      'users',
      (table) =>
        table
          .addColumn('account_id', types.int64, (column) => schema.numbered(column.primaryKey()))
          .addColumn('user_id', types.ascii(36), (column) => column.notNull().unique())
          .addColumn('email', types.text(254), (column) => column.notNull())
          .addColumn('email_key', types.text(512), (column) => column.notNull().unique())
          .addColumn('password_hash', types.ascii(255), (column) => column.notNull())
          .addColumn('created_ms', types.int64, (column) => column.notNull())
          .addColumn('funded', types.int64, (column) => column.notNull().defaultTo(0))
          .addColumn('api_keys_numbered', types.int64, (column) => column.notNull().defaultTo(0)),
      { firstNumber: FIRST_ACCOUNT },
    ),
    schema.createTable('sessions', (table) =>
      table
        .addColumn('family_id', types.ascii(22), (column) => column.primaryKey().notNull())
        .addColumn('account_id', types.int64, (column) => column.notNull())
        .addColumn('token_hash', types.bytes(32), (column) => column.notNull())
        .addColumn('opened_ms', types.int64, (column) => column.notNull())
        .addColumn('expires_ms', types.int64, (column) => column.notNull())
        .addForeignKeyConstraint('sessions_of_user', ['account_id'], 'users', ['account_id']),
    ),
    schema.createIndex('sessions_by_account', 'sessions', ['account_id', 'opened_ms']),
    schema.createIndex('sessions_by_expiry', 'sessions', ['expires_ms']),
    schema.createTable('api_keys', (table) =>
      table
        .addColumn('key_id', types.ascii(32), (column) => column.primaryKey().notNull())
        .addColumn('account_id', types.int64, (column) => column.notNull())
        .addColumn('number', types.int64, (column) => column.notNull())
        .addColumn('label', types.text(64), (column) => column.notNull())
        .addColumn('scopes', types.ascii(64), (column) => column.notNull())
        .addColumn('ip_allow_list', types.longText, (column) => column.notNull())
        .addColumn('secret_encrypted', types.bytes(256), (column) => column.notNull())
        .addColumn('created_ms', types.int64, (column) => column.notNull())
        .addUniqueConstraint('api_keys_by_account', ['account_id', 'number'])
        .addForeignKeyConstraint('api_keys_of_user', ['account_id'], 'users', ['account_id']),
    ),
  ]
}

function createAudit(schema: SchemaSteps): readonly Step[] {
  const { types } = schema
  const { stream, principal, address, action, target, outcome } = AUDIT_CHARS
  return [
    schema.createTable(
      'audit',
      (table) =>
        table
          .addColumn('stream', types.ascii(stream), (column) => column.notNull())
          .addColumn('seq', types.int64, (column) => column.notNull())
          .addColumn('at_ms', types.int64, (column) => column.notNull())
          .addColumn('principal', types.ascii(principal), (column) => column.notNull())
          .addColumn('account', types.int64)
          .addColumn('address', types.ascii(address), (column) => column.notNull())
          .addColumn('action', types.ascii(action), (column) => column.notNull())
          .addColumn('target', types.text(target), (column) => column.notNull())
          .addColumn('outcome', types.ascii(outcome), (column) => column.notNull())
          .addColumn('details', types.longText, (column) => column.notNull())
          .addColumn('previous_hash', types.bytes(32), (column) => column.notNull())
          .addColumn('hash', types.bytes(32), (column) => column.notNull())
          .addPrimaryKeyConstraint('audit_key', ['stream', 'seq']),
      { clustered: true },
    ),
    schema.createIndex('audit_by_time', 'audit', ['at_ms', 'stream', 'seq']),
    schema.createIndex('audit_by_account', 'audit', ['account', 'at_ms', 'stream', 'seq']),
    schema.createTable('audit_streams', (table) =>
      table
        .addColumn('stream', types.ascii(stream), (column) => column.primaryKey().notNull())
        .addColumn('opened_ms', types.int64, (column) => column.notNull()),
    ),
    schema.createIndex('audit_streams_by_time', 'audit_streams', ['opened_ms']),
    schema.createTable('confirmations', (table) =>
      table
        .addColumn('writer', types.ascii(36), (column) => column.primaryKey().notNull())
        .addColumn('at_ms', types.int64, (column) => column.notNull())
        .addColumn('count', types.int64, (column) => column.notNull()),
    ),
  ]
}
