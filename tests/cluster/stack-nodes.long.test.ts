// The whole platform on a swarm of three nodes, one a region, 80 and 200 ms from each other: a node that is cut off, and the one with the database primary killed
// with all that runs on it, while clients trade through the load balancer of a third. No acknowledged order is lost, and nobody waits long.

import { expect, test } from 'vitest'
import { until, WAN_DELAYS } from './lab/index.ts'
import { LabSwarm } from './nodes/lab-swarm.ts'
import { groundOf } from './nodes/stack-ground.ts'
import { DEPLOY_MS, expectNothingLost, expectSilenceBelow, REGIONS, say, useLabStack } from './stack/lab-stack.ts'

/** Where commands are typed, and where clients are. */
const HERE = 'eu-west'
const WELL_MS = 240_000

let swarm: LabSwarm
const stack = useLabStack(async () => {
  swarm = await LabSwarm.start({ delays: WAN_DELAYS, say })
  return groundOf(swarm, HERE, say)
})

const allIsWell = () =>
  until('all is well again', async () => (await stack().command('status')).code === 0, { timeout_ms: WELL_MS })

test('each region on its own node, an order traded in each', { timeout: DEPLOY_MS }, async () => {
  const { code, out } = await stack().command('deploy')
  expect(code).toBe(0)
  for (const region of REGIONS) {
    expect(out).toContain(`${region}: an order was traded`)
    const service = `${stack().name}_app_${region.replaceAll('-', '_')}`
    const filters = ['--filter', 'desired-state=running', '--format', '{{.Node}}']
    expect(await stack().docker.run(['service', 'ps', ...filters, service])).toBe(region)
  }
})

test('the drill of a region that is cut off: its clients are served elsewhere, the others notice nothing', {
  timeout: DEPLOY_MS,
}, async () => {
  const { code, out } = await stack().command(
    'drill',
    'region-cut',
    '--stack',
    '--region',
    'asia-pacific',
    '--seconds',
    '3',
  )
  expect(out).toMatch(/clients of asia-pacific are answered by (us-east|eu-west)/)
  expect(out).toContain('drill region-cut passed')
  expect(code).toBe(0)
  await allIsWell()
})

test('the node with the database primary killed: acknowledgements again within 20 s, nothing lost', {
  timeout: DEPLOY_MS,
}, async () => {
  const traders = await stack().trading()
  try {
    expect((await stack().command('status')).out).toContain('mysql_master is the primary')
    const began_ms = performance.now()
    swarm.node('us-east').kill()
    await until(
      'every region acknowledges again',
      () =>
        REGIONS.every((name) =>
          traders.acknowledged.some(({ trader, at_ms }) => trader.region === name && at_ms > began_ms + 10_000),
        ),
      { timeout_ms: 60_000 },
    )
    const { code, out } = await stack().command('doctor')
    expect(code).toBe(1)
    expect(out).toMatch(/us-east/)
    await swarm.node('us-east').start()
    await allIsWell()
    expectSilenceBelow(traders, 'node of us-east killed', began_ms, 20_000)
    await expectNothingLost(traders)
  } finally {
    await traders.close()
  }
})
