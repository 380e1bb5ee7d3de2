// The circuit breaker: opens after failures in a row, probes, closes, and shows in metrics.

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { CircuitBreaker, CircuitOpenError, observeCircuit } from '../src/circuit-breaker.ts'
import { Metrics } from '../src/metrics.ts'

const fails = () => Promise.reject(new Error('broken'))

async function broken(more: { isFailure?: (error: unknown) => boolean } = {}): Promise<CircuitBreaker> {
  const circuit = new CircuitBreaker({ backend: 'test', failuresMax: 3, rest_ms: 20, rest_ms_max: 20, ...more })
  for (let i = 0; i < 3; i += 1) await expect(circuit.run(fails)).rejects.toThrow('broken')
  return circuit
}

test('after failures in a row the call is not made', async () => {
  const circuit = await broken()
  const call = vi.fn(async () => 1)
  await expect(circuit.run(call)).rejects.toThrow(CircuitOpenError)
  expect([call.mock.calls.length, circuit.state, circuit.opened]).toEqual([0, 'open', 1])
})

test('after a rest one call is let through; when it succeeds all are', async () => {
  const circuit = await broken()
  await vi.waitFor(async () => expect(await circuit.run(async () => 'back')).toBe('back'))
  expect(circuit.state).toBe('closed')
})

test('a success between failures keeps it closed', async () => {
  const circuit = new CircuitBreaker({ backend: 'test', failuresMax: 2 })
  for (let i = 0; i < 5; i += 1) {
    await expect(circuit.run(fails)).rejects.toThrow('broken')
    await circuit.run(async () => pause(0))
  }
  expect(circuit.state).toBe('closed')
})

test('what is no failure of the service does not count', async () => {
  const circuit = await broken({ isFailure: () => false })
  expect(circuit.state).toBe('closed')
})

test('metrics count breakers by backend and state', async () => {
  const metrics = new Metrics({})
  observeCircuit(metrics, await broken())
  observeCircuit(metrics, new CircuitBreaker({ backend: 'test' }))
  const { text } = await metrics.render()
  expect(text).toContain('wintrades_circuits{backend="test",state="open"} 1')
  expect(text).toContain('wintrades_circuits{backend="test",state="closed"} 1')
  expect(text).toContain('wintrades_circuit_opened_total{backend="test"} 1')
})
