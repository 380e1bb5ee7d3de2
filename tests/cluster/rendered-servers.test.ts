// MySQL and Redis as the stack starts them: with the rights, mounts and health checks that it gives them, and no more.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { secretsOf } from '@wintrades/topology'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './lab/until.ts'
import { type Container, Ground, type StackService } from './rendered/ground.ts'

let ground: Ground

beforeAll(async () => {
  ground = await Ground.open((raw) => {
    Object.assign(raw, { cache: { memory_mb: 32 } })
    Object.assign(raw['database'] as object, { memory_mb: 512 })
  })
})
afterAll(() => ground?.close())

/** The service as it stands in the stack file, in a container of this machine. */
async function start(name: string, image: 'mysql' | 'redis', certificate = name): Promise<Container> {
  const service = ground.stack.services[name] as StackService
  const secrets = await ground.secrets(certificate)
  for (const { name: secret, content } of secretsOf(ground.topology)) {
    if (content.kind === 'password')
      writeFileSync(join(secrets, secret), `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 })
  }
  const configs = (service.configs ?? []).map(({ source, target }) => [ground.configOf(source), `${target}:ro`])
  const volumes = (service.volumes ?? []).flatMap(({ type, target }) =>
    type === 'tmpfs' ? ['--tmpfs', target] : ['--volume', target],
  )
  const rights = [
    ...(service.cap_drop ?? []).flatMap((right) => ['--cap-drop', right]),
    ...(service.cap_add ?? []).flatMap((right) => ['--cap-add', right]),
  ]
  return await ground.start({
    image,
    names: [name],
    files: { ...Object.fromEntries(configs), [secrets]: '/run/secrets:ro' },
    flags: [...volumes, ...rights],
    command: service.entrypoint ?? [],
  })
}

async function isHealthy(name: string, container: Container): Promise<boolean> {
  return (await container.health(ground.stack.services[name]?.healthcheck.test ?? [])) === 0
}

test('a Redis node starts with the rights that it is given, and is healthy while it answers', async () => {
  const node = await start('redis_cluster', 'redis')
  await until('it is healthy', () => isHealthy('redis_cluster', node))
  await node.freeze()
  expect(await isHealthy('redis_cluster', node)).toBe(false)
})

test('a MySQL server makes its data directory with the rights that it is given, and is healthy while it answers', async () => {
  const server = await start('mysql_master', 'mysql')
  expect(await isHealthy('mysql_master', server)).toBe(false)
  await until('it is healthy', () => isHealthy('mysql_master', server), { timeout_ms: 120_000, every_ms: 500 })
  await server.exec(['bash', '-c', 'echo test >/run/mysqld/requests/kill'])
  await until('it was killed', async () => !(await isHealthy('mysql_master', server)))
  await until('it is back', () => isHealthy('mysql_master', server), { timeout_ms: 120_000, every_ms: 500 })
  expect(await server.log()).toContain("killed at the operator's request: test")
})
