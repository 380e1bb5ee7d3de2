// The cheapest assignment of rows to columns, each column to one row at most (the Hungarian algorithm, with potentials, O(rows² × columns)).

import { assert } from '@wintrades/domain'

/** `costs[row][column]`, at least as many columns as rows; answers each row's column. */
export function cheapestAssignment(costs: readonly (readonly number[])[]): number[] {
  const rows = costs.length
  const columns = costs[0]?.length ?? 0
  assert(rows <= columns, 'every row gets a column')
  // Row and column 0 are sentinels: `rowOf[column]` is 0 while a column is free.
  const rowPotential = new Array<number>(rows + 1).fill(0)
  const columnPotential = new Array<number>(columns + 1).fill(0)
  const rowOf = new Array<number>(columns + 1).fill(0)
  const cameFrom = new Array<number>(columns + 1).fill(0)
  for (let row = 1; row <= rows; row += 1) {
    const least = new Array<number>(columns + 1).fill(Number.POSITIVE_INFINITY)
    const seen = new Array<boolean>(columns + 1).fill(false)
    rowOf[0] = row
    let column = 0
    do {
      seen[column] = true
      const current = at(rowOf, column)
      let step = Number.POSITIVE_INFINITY
      let next = 0
      for (let other = 1; other <= columns; other += 1) {
        if (seen[other]) continue
        const cost = at(costs[current - 1] as readonly number[], other - 1)
        const reduced = cost - at(rowPotential, current) - at(columnPotential, other)
        if (reduced < at(least, other)) {
          least[other] = reduced
          cameFrom[other] = column
        }
        if (at(least, other) < step) {
          step = at(least, other)
          next = other
        }
      }
      for (let other = 0; other <= columns; other += 1) {
        if (seen[other]) {
          rowPotential[at(rowOf, other)] = at(rowPotential, at(rowOf, other)) + step
          columnPotential[other] = at(columnPotential, other) - step
        } else least[other] = at(least, other) - step
      }
      column = next
    } while (rowOf[column] !== 0)
    while (column !== 0) {
      const previous = at(cameFrom, column)
      rowOf[column] = at(rowOf, previous)
      column = previous
    }
  }
  const answer = new Array<number>(rows).fill(-1)
  for (let column = 1; column <= columns; column += 1) {
    const row = at(rowOf, column)
    if (row > 0) answer[row - 1] = column - 1
  }
  return answer
}

function at(list: readonly number[], index: number): number {
  return list[index] as number
}
