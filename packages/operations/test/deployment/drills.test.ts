// The verdict on a drill of a deployment: every way in which it fails, and the one in which it does not.

import { expect, it } from 'vitest'
import { judgeTrading, type Trading } from '../../src/deployment/drills.ts'

const order = (orderId: string, side: 'BUY' | 'SELL', cumQty: string): Trading['orders'][number] => ({
  orderId,
  symbol: 'BTC-USD',
  side,
  cumQty,
})
const WELL: Trading = {
  acknowledged: 3,
  failures: [],
  silence_seconds: 0.4,
  orders: [order('1', 'BUY', '0.02'), order('2', 'SELL', '0.01'), order('3', 'SELL', '0.01')],
}
const FAILURE = { at_ms: 1, region: 'eu-west', what: '503 REGION_UNAVAILABLE' }

const failed = (trading: Partial<Trading>, name: 'evacuation' | 'region-loss' = 'evacuation') =>
  judgeTrading(name, 'eu-west', { ...WELL, ...trading }).conditions.flatMap(({ text, passed }) =>
    passed ? [] : [text],
  )

it('passes where everything is there, once, and in time', () => {
  expect(failed({})).toEqual([])
  expect(judgeTrading('evacuation', 'eu-west', WELL).passed).toBe(true)
})

it('fails for an order that is gone, that is there twice, or that only one side knows', () => {
  expect(failed({ orders: WELL.orders.slice(1) })).toEqual([
    'every acknowledged order is there: 2 of 3',
    'what was bought was sold',
  ])
  const [first, second] = WELL.orders as [Trading['orders'][number], Trading['orders'][number]]
  expect(failed({ orders: [first, second, second] })).toEqual(['none is there twice'])
  expect(failed({ orders: [first, second, order('3', 'SELL', '0.02')] })).toEqual(['what was bought was sold'])
  expect(failed({ acknowledged: 0, orders: [] })).toEqual(['every acknowledged order is there: 0 of 0'])
})

it('fails for a failed request of planned work alone, and then cannot tell what was traded', () => {
  const failures = [FAILURE]
  expect(failed({ failures })).toEqual(['requests without success: 1, the first of eu-west: 503 REGION_UNAVAILABLE'])
  expect(failed({ failures, orders: [...WELL.orders.slice(0, 2), order('3', 'SELL', '0')] }, 'region-loss')).toEqual([])
})

it('fails where clients of another region than the one that is lost had a failure', () => {
  const elsewhere = { ...FAILURE, region: 'us-east' }
  expect(failed({ failures: [FAILURE, elsewhere] }, 'region-loss')).toEqual([
    'requests without success: 2, the first of us-east: 503 REGION_UNAVAILABLE',
  ])
})

it('fails for a silence that is too long', () => {
  expect(failed({ silence_seconds: 6 })).toEqual(['acknowledgements again within 5 s: 6.000 s'])
})
