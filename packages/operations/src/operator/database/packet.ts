// Statements that travel together: one packet, one round trip, one after the other; where one fails those after it are not carried out. Together with
// `wintrades_operator.require` this makes a check and its effect one call on one connection.

export type Value = string | number | boolean

export type Statement = { readonly sql: string; readonly values: readonly Value[] }

export type Packet = readonly Statement[]

export function statement(sql: string, ...values: readonly Value[]): Statement {
  return { sql, values }
}

/** One text for the wire; values are escaped by the client library, in order. */
export function textOf(packet: Packet): { readonly sql: string; readonly values: readonly Value[] } {
  return {
    sql: packet.map(({ sql }) => sql).join(';\n'),
    values: packet.flatMap(({ values }) => values),
  }
}
