// What has a schema of its own (accounts, history, journal): its migrations in order, and whether this release can work with what a
// database says of itself. Promises a message that says what to do for every database that it cannot work with.

import type { SchemaDialect } from './dialect.ts'
import { type Effect, SchemaSteps, type Step } from './steps.ts'

/**
 * One version of a schema. An expanding one adds what older releases do not mind, and keeps `compatibleFrom`; a contracting one takes away
 * what releases below `compatibleFrom` need, so it comes at least one release after the code stopped using it. Once released, a
 * migration is never changed: another follows.
 */
export type Migration = {
  readonly version: number
  /** The oldest version whose code can still use the database after this migration. */
  readonly compatibleFrom: number
  readonly steps: (schema: SchemaSteps) => readonly Step[]
}

export type Component = {
  /** `accounts`: also its name in the database. */
  readonly name: string
  readonly migrations: readonly Migration[]
  /** What else may be done with a database of another release, as the end of a sentence: `or move the file away to have it rebuilt`. */
  readonly remedy?: string
}

/** What a database says of a component's tables; null: there are none yet. */
export type SchemaState = { readonly version: number; readonly compatible_from: number }

/** What one process did when it opened a database. */
export type MigrationReport = {
  readonly component: string
  /** 0: there was nothing. */
  readonly from: number
  readonly to: number
  /** Steps that this process did, by name. */
  readonly steps: readonly string[]
  /** Some steps had been done by a process that did not come to the end. */
  readonly continued: boolean
}

/** A database that this release cannot use, or not yet; the message says what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

export function latestVersion(component: Component): number {
  return component.migrations.at(-1)?.version ?? 0
}

/** Throws {@link SchemaError} when a newer release has taken away what this one needs. */
export function checkCompatible(component: Component, where: string, state: SchemaState | null): void {
  const known = latestVersion(component)
  if (state === null || state.compatible_from <= known) return
  throw new SchemaError(
    `${where} holds ${component.name} of schema ${state.version}, which needs a release that knows schema ${state.compatible_from}; ` +
      `this one knows ${known}: start a newer release${remedy(component)}`,
  )
}

/** For whoever may only read. Throws {@link SchemaError} when the migration to this release's schema is still to come. */
export function checkMigrated(component: Component, where: string, state: SchemaState): void {
  checkCompatible(component, where, state)
  const known = latestVersion(component)
  if (state.version >= known) return
  throw new SchemaError(
    `${where} holds ${component.name} of schema ${state.version}, this release needs ${known}: it is migrated when a process of ` +
      'this release that may write opens it; start one first',
  )
}

/** Migrations still to run. */
export function pendingMigrations(component: Component, state: SchemaState | null): readonly Migration[] {
  return component.migrations.filter((migration) => migration.version > (state?.version ?? 0))
}

/** The names of a component's tables with their columns, and its indexes, once every migration is done. */
export type Catalogue = {
  readonly columns: ReadonlyMap<string, ReadonlySet<string>>
  /** `table.index`. */
  readonly indexes: ReadonlySet<string>
}

export function expectedCatalogue(component: Component, dialect: SchemaDialect): Catalogue {
  const columns = new Map<string, Set<string>>()
  const indexes = new Set<string>()
  const schema = new SchemaSteps(dialect)
  for (const { effect } of component.migrations.flatMap((migration) => migration.steps(schema))) {
    switch (effect.kind) {
      case 'table':
        columns.set(effect.table, new Set(effect.columns))
        break
      case 'no table':
        columns.delete(effect.table)
        for (const index of [...indexes]) if (index.startsWith(`${effect.table}.`)) indexes.delete(index)
        break
      case 'column':
        columns.get(effect.table)?.add(effect.column)
        break
      case 'no column':
        columns.get(effect.table)?.delete(effect.column)
        break
      case 'index':
        indexes.add(`${effect.table}.${effect.index}`)
        break
      case 'no index':
        indexes.delete(`${effect.table}.${effect.index}`)
        break
      case 'rows':
        break
    }
  }
  return { columns, indexes }
}

/** Whether the catalogue shows that a step is done; null: it cannot show it. */
export function isDone(effect: Effect, actual: Catalogue): boolean | null {
  switch (effect.kind) {
    case 'table':
      return actual.columns.has(effect.table)
    case 'no table':
      return !actual.columns.has(effect.table)
    case 'column':
      return actual.columns.get(effect.table)?.has(effect.column) === true
    case 'no column':
      return actual.columns.get(effect.table)?.has(effect.column) !== true
    case 'index':
      return actual.indexes.has(`${effect.table}.${effect.index}`)
    case 'no index':
      return !actual.indexes.has(`${effect.table}.${effect.index}`)
    case 'rows':
      return null
  }
}

/** Throws {@link SchemaError} when a database that calls itself migrated lacks something: half a restore, or changes by hand. */
export function verifyCatalogue(component: Component, where: string, expected: Catalogue, actual: Catalogue): void {
  const missing: string[] = []
  for (const [table, columns] of expected.columns) {
    const found = actual.columns.get(table)
    if (found === undefined) missing.push(`table ${table}`)
    else for (const column of columns) if (!found.has(column)) missing.push(`column ${table}.${column}`)
  }
  for (const index of expected.indexes) if (!actual.indexes.has(index)) missing.push(`index ${index}`)
  if (missing.length === 0) return
  throw new SchemaError(
    `${where} says that it holds ${component.name} of schema ${latestVersion(component)}, but lacks ${missing.join(', ')}: ` +
      `it was changed by hand or restored in part; restore it from a backup${remedy(component)}`,
  )
}

function remedy(component: Component): string {
  return component.remedy === undefined ? '' : `, ${component.remedy}`
}
