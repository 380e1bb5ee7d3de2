// The whole platform on a real Docker Swarm of one node, as `wintrades deploy` makes it, and an operator's day with it while clients trade through the load
// balancer: evacuation and return, scaling, an update, killed caches and operators, a region without processes, a killed database primary, and at last the loss
// of everything but the backups. No acknowledged order is lost that they have; where a procedure is planned, no request fails.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from './lab/shell.ts'
import { until } from './lab/until.ts'
import { DEPLOY_MS, expectNothingLost, expectSilenceBelow, REGIONS, useLabStack } from './stack/lab-stack.ts'

/** As the first deploy shows it. */
let encryptionKey = ''

const stack = useLabStack()

test('from nothing to healthy, with an order traded in every region', { timeout: DEPLOY_MS }, async () => {
  const { code, out } = await stack().command('deploy')
  expect(code).toBe(0)
  for (const region of REGIONS) expect(out).toContain(`${region}: an order was traded`)
  expect(out).toContain('all healthy: 15 services')
  encryptionKey = out.match(/ENCRYPTION_KEY.*\n\s+([0-9a-f]{64})/)?.[1] ?? ''
  expect(encryptionKey).not.toBe('')
})

test('a second deploy changes nothing, as the plan says; all is well', { timeout: DEPLOY_MS }, async () => {
  expect((await stack().command('plan')).out).toContain('nothing would change')
  expect((await stack().command('deploy')).out).toContain('nothing was changed')
  expect((await stack().command('doctor')).code).toBe(0)
  const { code, out } = await stack().command('status')
  expect(out).toContain('mysql_master is the primary')
  expect(code).toBe(0)
})

test('planned work while clients trade: no request fails, nothing is lost', { timeout: DEPLOY_MS }, async () => {
  const traders = await stack().trading()
  try {
    expect((await stack().command('region', 'evacuate', 'us-east')).code).toBe(0)
    await until('us-east is answered by eu-west', () =>
      traders.answered.some(({ region, by }) => region === 'us-east' && by === 'eu-west'),
    )
    expect((await stack().command('region', 'restore', 'us-east')).code).toBe(0)
    expect((await stack().command('scale', 'eu-west=2')).code).toBe(0)
    expect((await stack().command('scale', 'eu-west=1')).code).toBe(0)
    stack().changeTopology(['regions', 1, 'app', 'memory_mb'], 544)
    const plan = (await stack().command('plan')).out
    expect(plan).toContain('~ service app_eu_west')
    expect(plan).not.toContain('app_us_east')
    expect((await stack().command('update')).code).toBe(0)
    expect(traders.failures).toEqual([])
    // An update trades too.
    await expectNothingLost(traders, false)
  } finally {
    await traders.close()
  }
})

test('a node of the cache, a cache of content and an operator killed: no request fails', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    const began_ms = performance.now()
    for (const service of ['redis_cluster', 'cdn_cache', 'operator_us_east']) {
      const [id] = await stack().containersOf(service)
      await run('docker', ['kill', '--signal', 'KILL', String(id)])
    }
    // Docker has seen it, and then all of it is back.
    await until('doctor says what is wrong', async () => (await stack().command('doctor')).code === 1)
    await until('all is well again', async () => (await stack().command('status')).code === 0, { timeout_ms: 180_000 })
    expectSilenceBelow(traders, 'cache and operator killed', began_ms, 5_000)
    expect(traders.failures).toEqual([])
    await expectNothingLost(traders)
  } finally {
    await traders.close()
  }
})

test('a stream through the load balancer, over IPv4 and IPv6, brings what is traded', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    await until('somebody has traded', () => traders.acknowledged.length > 1)
    const symbol = traders.acknowledged[0]?.trader.symbol ?? ''
    for (const host of ['127.0.0.1', '[::1]']) expect(await stack().nextTrade(host, symbol)).toContain(symbol)
  } finally {
    await traders.close()
  }
})

test('the cache grown by Docker’s own command and shrunk by ours: no request fails, no slot is given up', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    const hasNodes = async (count: number) =>
      (await stack().command('status')).out.includes(`cache: ${count} redis nodes`)
    await stack().docker.run(['service', 'scale', '--detach', `${stack().name}_redis_cluster=9`])
    await until('nine nodes share the slots', () => hasNodes(9), { timeout_ms: 180_000, every_ms: 5_000 })
    expect((await stack().command('scale', 'cache=9')).code).toBe(0)
    expect((await stack().command('scale', 'cache=6')).code).toBe(0)
    await until('six nodes share the slots', () => hasNodes(6), { timeout_ms: 180_000, every_ms: 5_000 })
    const said = await stack().operatorsSaid()
    expect(said).toContain(' ends')
    expect(said.split('\n').filter((line) => line.includes('lost'))).toEqual([])
    expect(traders.failures).toEqual([])
    await expectNothingLost(traders)
  } finally {
    await traders.close()
  }
})

test('the drill of a region without processes: its clients are served by the next within 5 s, and come back', {
  timeout: DEPLOY_MS,
}, async () => {
  const { code, out } = await stack().command(
    'drill',
    'region-loss',
    '--stack',
    '--region',
    'eu-west',
    '--seconds',
    '3',
  )
  expect(out).toContain('clients of eu-west are answered by us-east')
  expect(out).toContain('drill region-loss passed')
  expect(code).toBe(0)
  const elsewhere = await stack().command('drill', 'region-cut', '--stack')
  expect([elsewhere.code, elsewhere.err]).toEqual([1, expect.stringContaining('in the lab alone')])
})

test('the database primary killed: acknowledgements again within 20 s, nothing lost', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    const [, primary] = (await stack().command('status')).out.match(/(\w+) is the primary/) ?? []
    const began_ms = performance.now()
    const [id] = await stack().containersOf(String(primary))
    await run('docker', ['kill', '--signal', 'KILL', String(id)])
    await until(
      'every region acknowledges again',
      () =>
        REGIONS.every((name) =>
          traders.acknowledged.some((one) => one.trader.region === name && one.at_ms > began_ms + 5_000),
        ),
      { timeout_ms: 60_000 },
    )
    expectSilenceBelow(traders, 'primary killed', began_ms, 20_000)
    await until('all is well again', async () => (await stack().command('status')).code === 0, { timeout_ms: 120_000 })
    await expectNothingLost(traders)
  } finally {
    await traders.close()
  }
})

test('the drill of a complete loss: a deploy from the copy of the backups brings back every order that was archived', {
  timeout: 3 * DEPLOY_MS,
}, async () => {
  const store = join(stack().folder, 'store')
  const keyFile = join(stack().folder, 'encryption.key')
  writeFileSync(keyFile, encryptionKey, { mode: 0o600 })
  const drill = ['drill', 'total-loss', '--stack', '--seconds', '10', '--store', store, '--key-file', keyFile]
  expect((await stack().command(...drill, '--confirm', 'another')).err).toContain('nothing was removed')
  const { code, out } = await stack().command(...drill, '--confirm', stack().name)
  expect(out).toContain('drill total-loss passed')
  expect(code).toBe(0)
  expect((await stack().command('deploy', '--from-backup', store)).err).toContain('--key-file')
  const again = await stack().command('deploy', '--from-backup', store, '--key-file', keyFile)
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('only restored where nothing is')])
  expect((await stack().command('doctor')).code).toBe(0)
})
