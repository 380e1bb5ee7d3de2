// The steps a migration is made of, written once for both databases with Kysely's schema builder. Promises that each step can be told to
// be done by looking at the database, so that one which broke off half-way is continued and never repeated.

import type {
  ColumnDefinitionBuilder,
  ColumnDefinitionBuilderCallback,
  CompiledQuery,
  CreateTableBuilder,
  Expression,
  Kysely,
} from 'kysely'
import {
  type ColumnTypes,
  columnTypes,
  compilingQueries,
  type SchemaDialect,
  type TableOptions,
  tableEnd,
} from './dialect.ts'

/** What a step leaves behind in the database's catalogue; `rows`: nothing that the catalogue shows. */
export type Effect =
  | { readonly kind: 'table'; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: 'column' | 'no column'; readonly table: string; readonly column: string }
  | { readonly kind: 'index' | 'no index'; readonly table: string; readonly index: string }
  | { readonly kind: 'no table'; readonly table: string }
  | { readonly kind: 'rows' }

export type Step = {
  /** For people and for the record of progress: `create table users`. */
  readonly name: string
  readonly statement: CompiledQuery
  readonly effect: Effect
}

/** Any tables and columns: a migration makes them, so no type knows them yet. */
export type AnyTables = Record<string, Record<string, unknown>>
export type TableBuilder = CreateTableBuilder<string, string>
type Compilable = { compile(): CompiledQuery<unknown> }

const STEP_NAME_CHARS_MAX = 128

/** Makes the steps of one migration in one dialect. */
export class SchemaSteps {
  readonly dialect: SchemaDialect
  readonly types: ColumnTypes
  /** To build what `write` runs. */
  readonly queries: Kysely<AnyTables>

  constructor(dialect: SchemaDialect) {
    this.dialect = dialect
    this.types = columnTypes(dialect)
    this.queries = compilingQueries<AnyTables>(dialect)
  }

  createTable(table: string, build: (builder: TableBuilder) => TableBuilder, options: TableOptions = {}): Step {
    const builder = build(this.queries.schema.createTable(table) as TableBuilder).modifyEnd(
      tableEnd(this.dialect, options),
    )
    const columns = builder.toOperationNode().columns.map((column) => column.column.column.name)
    return step(['create table', table], builder, { kind: 'table', table, columns })
  }

  dropTable(table: string): Step {
    return step(['drop table', table], this.queries.schema.dropTable(table), { kind: 'no table', table })
  }

  createIndex(
    index: string,
    table: string,
    columns: readonly string[],
    options: { readonly unique?: boolean } = {},
  ): Step {
    const builder = this.queries.schema
      .createIndex(index)
      .on(table)
      .columns([...columns])
    const made = options.unique === true ? builder.unique() : builder
    return step(['create index', index, 'on', table], made, { kind: 'index', table, index })
  }

  dropIndex(index: string, table: string): Step {
    const builder = this.queries.schema.dropIndex(index)
    const made = this.dialect === 'mysql' ? builder.on(table) : builder
    return step(['drop index', index, 'on', table], made, { kind: 'no index', table, index })
  }

  /** An added column is nullable or has a default: releases that do not know it go on writing rows without it. */
  addColumn(table: string, column: string, type: Expression<unknown>, build?: ColumnDefinitionBuilderCallback): Step {
    const builder = this.queries.schema.alterTable(table).addColumn(column, type, build)
    return step(['add column', column, 'to', table], builder, { kind: 'column', table, column })
  }

  dropColumn(table: string, column: string): Step {
    const builder = this.queries.schema.alterTable(table).dropColumn(column)
    return step(['drop column', column, 'of', table], builder, { kind: 'no column', table, column })
  }

  /** Changes rows; done once, in one transaction with the record that it is done. */
  write(name: string, query: Compilable): Step {
    return step([name], query, { kind: 'rows' })
  }

  /** A key that the database numbers by itself. */
  readonly numbered = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
    this.dialect === 'mysql' ? column.autoIncrement() : column
}

function step(words: readonly string[], query: Compilable, effect: Effect): Step {
  return { name: words.join(' ').slice(0, STEP_NAME_CHARS_MAX), statement: query.compile(), effect }
}
