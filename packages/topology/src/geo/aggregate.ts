// Ranges of addresses, each with a value → the fewest networks that say the same to a reader who takes the longest that fits (Draves, King,
// Venkatachary, Zill: "Constructing Optimal IP Routing Tables", 1999). Addresses in no range may get any value: nobody is there.

import { type Address, BITS, type Network } from '../addresses.ts'

export type Range<Value> = { readonly first: bigint; readonly last: bigint; readonly value: Value }
export type Valued<Value> = { readonly network: Network; readonly value: Value }

/** `ranges`: sorted, and none overlaps with another. */
export function aggregate<Value>(
  version: Address['version'],
  ranges: readonly Range<Value>[],
): readonly Valued<Value>[] {
  check(ranges)
  const root = buildNode(ranges, 0n, BITS[version])
  const found: Valued<Value>[] = []
  collect(root, null, { version, value: 0n, length: 0 }, found)
  return found
}

/** The values that a network may be given as a whole, so that the fewest below it need one of their own; null: any. */
type Node<Value> = {
  readonly values: ReadonlySet<Value> | null
  readonly halves: readonly [Node<Value>, Node<Value>] | null
}

const ANY: Node<never> = { values: null, halves: null }

function buildNode<Value>(ranges: readonly Range<Value>[], first: bigint, bits: number): Node<Value> {
  const [one, ...others] = ranges
  if (one === undefined) return ANY
  if (others.every(({ value }) => value === one.value)) return { values: new Set([one.value]), halves: null }
  const middle = first + (1n << BigInt(bits - 1))
  const left = buildNode(
    ranges.filter((range) => range.first < middle),
    first,
    bits - 1,
  )
  const right = buildNode(
    ranges.filter((range) => range.last >= middle),
    middle,
    bits - 1,
  )
  return { values: join(left.values, right.values), halves: [left, right] }
}

function join<Value>(left: Node<Value>['values'], right: Node<Value>['values']): Node<Value>['values'] {
  if (left === null) return right
  if (right === null) return left
  const common = [...left].filter((value) => right.has(value))
  return new Set(common.length > 0 ? common : [...left, ...right])
}

function collect<Value>(node: Node<Value>, inherited: Value | null, network: Network, found: Valued<Value>[]): void {
  if (node.values === null) return
  let value = inherited
  if (inherited === null || !node.values.has(inherited)) {
    value = node.values.values().next().value as Value
    found.push({ network, value })
  }
  if (node.halves === null) return
  const { version, value: start, length } = network
  const half = 1n << BigInt(BITS[version] - length - 1)
  collect(node.halves[0], value, { version, value: start, length: length + 1 }, found)
  collect(node.halves[1], value, { version, value: start + half, length: length + 1 }, found)
}

function check<Value>(ranges: readonly Range<Value>[]): void {
  ranges.forEach(({ first, last }, index) => {
    const before = ranges[index - 1]
    if (first > last || (before !== undefined && before.last >= first))
      throw new Error(`range ${index} (${first} to ${last}) is not behind the one before it`)
  })
}
