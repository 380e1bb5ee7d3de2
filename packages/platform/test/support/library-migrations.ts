// A small component for the tests of migrations: three versions, of which the second expands, changes rows, and the third contracts.

import type { Component } from '../../src/migrations/index.ts'

export const LIBRARY: Component = {
  name: 'library',
  remedy: 'or count the books again',
  migrations: [
    {
      version: 1,
      compatibleFrom: 1,
      steps: (schema) => [
        schema.createTable('books', (table) =>
          table
            .addColumn('id', schema.types.int64, (column) => schema.numbered(column.primaryKey()))
            .addColumn('title', schema.types.text(200), (column) => column.notNull())
            .addColumn('author', schema.types.text(100)),
        ),
        schema.createIndex('books_by_author', 'books', ['author', 'id']),
      ],
    },
    {
      version: 2,
      compatibleFrom: 1,
      steps: (schema) => [
        schema.addColumn('books', 'shelf', schema.types.int64, (column) => column.notNull().defaultTo(0)),
        schema.write(
          'put every book on a shelf',
          schema.queries.updateTable('books').set(({ eb }) => ({ shelf: eb('shelf', '+', 1) })),
        ),
      ],
    },
    {
      version: 3,
      compatibleFrom: 2,
      steps: (schema) => [schema.dropIndex('books_by_author', 'books'), schema.dropColumn('books', 'author')],
    },
  ],
}

/** As an older release has it. */
export function upTo(version: number): Component {
  return { ...LIBRARY, migrations: LIBRARY.migrations.filter((migration) => migration.version <= version) }
}
