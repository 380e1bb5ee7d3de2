// Gives every order a client order id before it is first sent, so that sending it again is safe.

import { randomUUID } from 'node:crypto'
import type { OrderListRequest, OrderRequest } from './wire-types.ts'

export function named(order: OrderRequest): OrderRequest {
  return order.clientOrderId === undefined ? { ...order, clientOrderId: randomUUID() } : order
}

export function namedList(list: OrderListRequest): OrderListRequest {
  if (list.kind === 'OCO') {
    const [a, b] = list.orders
    return { ...list, orders: [named(a), named(b)] }
  }
  const [a, b] = list.exits
  return { ...list, entry: named(list.entry), exits: b === undefined ? [named(a)] : [named(a), named(b)] }
}
