// The verdict on a complete loss: what was archived has to be there, once; what was not is told.

import { expect, it } from 'vitest'
import { judgeLoss, type Loss } from '../../src/deployment/total-loss.ts'

const ids = ['a', 'b', 'c', 'd']
const WELL: Loss = {
  acknowledged: ids.map((clientOrderId, i) => ({ clientOrderId, at_ms: i * 1_000 })),
  orders: ids.slice(0, 3).map((clientOrderId) => ({ orderId: `1-${clientOrderId}`, clientOrderId })),
  archivedUntil: new Date(2_500),
  recovery_seconds: 90,
}
const failed = (loss: Partial<Loss>) =>
  judgeLoss({ ...WELL, ...loss }).conditions.flatMap(({ text, passed }) => (passed ? [] : [text]))
const figure = (loss: Loss, name: string) =>
  judgeLoss(loss).figures.find((one) => one.name === `total-loss.${name}`)?.value

it('passes where everything archived is there, and tells what was lost after that', () => {
  expect(failed({})).toEqual([])
  expect(judgeLoss(WELL).passed).toBe(true)
  expect([figure(WELL, 'missing'), figure(WELL, 'lost'), figure(WELL, 'recovery')]).toEqual([1, 0, 90])
})

it('fails for an archived order that is gone, and for one that is there twice', () => {
  const [first, ...others] = WELL.orders as [Loss['orders'][number], ...Loss['orders'][number][]]
  expect(failed({ orders: others })).toEqual([
    'every order acknowledged until 1970-01-01T00:00:02.500Z is there again: 2 of 3',
  ])
  expect(failed({ orders: [first, ...WELL.orders] })).toEqual(['none is there twice'])
})

it('fails where nothing was archived, and where a minute is lost', () => {
  expect(failed({ archivedUntil: new Date(-1) })).toEqual([
    'every order acknowledged until 1969-12-31T23:59:59.999Z is there again: 0 of 0',
  ])
  const late = [...WELL.acknowledged, { clientOrderId: 'e', at_ms: 70_000 }]
  expect(failed({ acknowledged: late })).toEqual(['lost are at most the last 60 s before the loss: 67.000 s, 2 orders'])
})
