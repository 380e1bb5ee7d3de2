// What changes a deployment from the ground up, on a real Docker Swarm of one node, while clients trade: every database server another one, new passwords and
// certificates, a fourth region and its end. No acknowledged order is lost.

import { expect, test } from 'vitest'
import { DEPLOY_MS, expectNothingLost, expectSilenceBelow, useLabStack } from './stack/lab-stack.ts'

const stack = useLabStack()

test('from nothing to healthy', { timeout: DEPLOY_MS }, async () => {
  expect((await stack().command('deploy')).code).toBe(0)
})

test('the schema is what this release needs, on every server', { timeout: DEPLOY_MS }, async () => {
  const { code, out } = await stack().command('migrate')
  expect(code).toBe(0)
  for (const server of ['mysql_master', 'mysql_slave_eu', 'mysql_slave_ap', 'mysql_slave_us'])
    expect(out).toContain(`${server}:3306 has the schema`)
})

test.each(['rolling-update', 'scale', 'evacuation'])('the drill %s passes', { timeout: DEPLOY_MS }, async (name) => {
  const { code, out } = await stack().command('drill', name, '--stack', '--seconds', '3')
  expect(out).toContain(`drill ${name} passed`)
  expect(code).toBe(0)
})

test('an update that fails in its first region: that goes back by itself, and no request fails', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    // A program that is not in this image: each of its processes ends at once.
    stack().changeTopology(['images', 'app'], stack().nodeImage)
    const { code, text } = await stack().command('update')
    expect(code).toBe(1)
    expect(text).toContain('app_us_east was put back to what ran before')
    expect(text).toMatch(/release \S+ runs again/)
    stack().changeTopology(['images', 'app'], 'wintrades/app')
    expect((await stack().command('plan')).out).toContain('nothing would change')
    expect((await stack().command('doctor')).code).toBe(0)
    expect(traders.failures).toEqual([])
    await expectNothingLost(traders, false)
  } finally {
    await traders.close()
  }
})

test('every database server is another one afterwards: one at a time, the primary last; nothing is lost', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    const began_ms = performance.now()
    stack().changeTopology(['database', 'memory_mb'], 800)
    const { code, out } = await stack().command('update')
    expect(code).toBe(0)
    for (const server of ['mysql_master', 'mysql_slave_eu', 'mysql_slave_ap', 'mysql_slave_us'])
      expect(out).toMatch(new RegExp(`${server} serves again`))
    expectSilenceBelow(traders, 'databases changed', began_ms, 20_000)
    expect(traders.failures).toEqual([])
    await expectNothingLost(traders, false)
  } finally {
    await traders.close()
  }
})

test('the databases’ passwords are replaced: no request fails', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    const { code, out } = await stack().command('secrets', 'rotate', 'database')
    expect(code).toBe(0)
    expect(out).toContain('the passwords before are no good any more')
    const again = await stack().command('deploy')
    expect(again.out).toContain('nothing was changed')
    expect(traders.failures).toEqual([])
    await expectNothingLost(traders, false)
  } finally {
    await traders.close()
  }
})

test('a new certificate for the processes of a region: no request fails', { timeout: DEPLOY_MS }, async () => {
  const traders = await stack().trading()
  try {
    const { code, out } = await stack().command('certs', 'renew', 'app_eu_west')
    expect(code).toBe(0)
    expect(out).toMatch(/new certificates are in use by app_eu_west/)
    expect((await stack().command('certs')).code).toBe(0)
    expect(traders.failures).toEqual([])
    await expectNothingLost(traders, false)
  } finally {
    await traders.close()
  }
})

test('a fourth region is added and serves its clients, and is removed again; nothing is lost', {
  timeout: 2 * DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    const began_ms = performance.now()
    const added = await stack().command('region', 'add', 'af-south', '--continents', 'africa', '--replicas', '1')
    expect(added.code).toBe(0)
    expect(added.out).toContain('af-south: an order was traded')
    expect((await stack().command('status')).out).toMatch(/af-south +1\/1 +1\/1 +af-south/)
    const removed = await stack().command('region', 'remove', 'af-south')
    expect(removed.code).toBe(0)
    expect(await stack().docker.run(['service', 'ls', '--format', '{{.Name}}'])).not.toContain('af_south')
    expect((await stack().command('doctor')).code).toBe(0)
    expectSilenceBelow(traders, 'a region more and less', began_ms, 20_000)
    // The one load balancer of this swarm is another one afterwards: meanwhile nobody listens at its port, then one that knows no process yet.
    const isHeard = ({ what }: { readonly what: string }) =>
      !/ECONNREFUSED|ECONNRESET|other side closed|before secure TLS|^503 .*REGION_UNAVAILABLE/.test(what)
    expect(traders.failures.filter(isHeard)).toEqual([])
    await expectNothingLost(traders, false)
  } finally {
    await traders.close()
  }
})
