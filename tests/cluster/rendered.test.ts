// Every rendered file, checked by the program that reads it; and each check refuses a file that is spoilt.

import { readFileSync } from 'node:fs'
import { HAPROXY_LAYOUT, MYSQL_LAYOUT, secretsOf, variableOf } from '@wintrades/topology'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ContainerOptions, Ground } from './rendered/ground.ts'

let ground: Ground
let secrets = ''

beforeAll(async () => {
  ground = await Ground.open()
  secrets = await ground.secrets('global_loadbalancer')
})
afterAll(() => ground?.close())

/** A copy of a file with something wrong in it. */
function spoilt(path: string, from: string, to: string): string {
  const text = readFileSync(ground.at(path), 'utf8')
  expect(text).toContain(from)
  return ground.write(`spoilt/${path}`, text.replace(from, to))
}

async function accepts(container: ContainerOptions): Promise<void> {
  await expect(ground.check(container)).resolves.toBeTypeOf('string')
}

async function refuses(container: ContainerOptions, message: RegExp): Promise<void> {
  await expect(ground.check(container)).rejects.toThrow(message)
}

test('docker stack config reads the stack file, and wants every name that a deploy gives', async () => {
  const stack = (environment: Readonly<Record<string, string>>, file = ground.at('docker-compose.global.yml')) => ({
    image: 'checks' as const,
    files: { [ground.directory]: '/stack:ro' },
    environment,
    flags: ['--workdir', '/stack'],
    command: ['docker', 'stack', 'config', '--compose-file', file.replace(ground.directory, '/stack')],
  })
  const names = secretsOf(ground.topology).map(({ name }) => [variableOf(name), `some_${name}`])
  const environment = { WINTRADES_RELEASE: '1.0', ...Object.fromEntries(names) }
  await accepts(stack(environment))
  await refuses(
    stack({ ...environment, WINTRADES_SECRET_JWT_SECRET: '' }),
    /required variable WINTRADES_SECRET_JWT_SECRET is missing/,
  )
  const file = spoilt('docker-compose.global.yml', 'stop_grace_period', 'stop_grace')
  await refuses(stack(environment, file), /Additional property stop_grace is not allowed/)
})

test.each(['haproxy.cfg', 'operations-door.cfg'])('haproxy -c reads %s, without a warning', async (name) => {
  const haproxy = (file: string) => ({
    image: 'haproxy' as const,
    files: {
      [file]: '/haproxy.cfg:ro',
      [secrets]: '/run/secrets:ro',
      [ground.at('deployment/haproxy/maps')]: `${HAPROXY_LAYOUT.maps}:ro`,
    },
    flags: ['--tmpfs', HAPROXY_LAYOUT.sockets],
    command: ['haproxy', '-c', '-dW', '-f', HAPROXY_LAYOUT.users, '-f', '/haproxy.cfg'],
  })
  const path = `deployment/haproxy/${name}`
  await accepts(haproxy(ground.at(path)))
  await refuses(haproxy(spoilt(path, 'timeout connect 2s', 'timeout conect 2s')), /conect/)
})

test('varnishd -C reads default.vcl, with the origins that the entrypoint finds', async () => {
  const varnish = (file: string) => ({
    image: 'varnish' as const,
    files: { [ground.at('deployment/varnish/entrypoint.sh')]: '/entrypoint.sh:ro', [file]: '/default.vcl:ro' },
    environment: { VARNISH_ORIGINS: 'app_us_east:8000 app_eu_west:8000 app_asia_pacific:8000' },
    flags: ['--add-host', 'app_us_east:192.0.2.1', '--add-host', 'app_eu_west:192.0.2.2'],
    command: [
      'bash',
      '-ec',
      'mkdir /o; bash /entrypoint.sh render >/o/origins.vcl; varnishd -C -p vcc_feature=-err_unref -p vcl_path=/o -f /default.vcl >/dev/null',
    ],
  })
  const path = 'deployment/varnish/default.vcl'
  await accepts(varnish(ground.at(path)))
  // Before there is a process.
  await accepts({ ...varnish(ground.at(path)), flags: [] })
  await refuses(varnish(spoilt(path, 'unset req.http.Cookie', 'unset request.http.Cookie')), /request\.http\.Cookie/)
})

test('promtool reads prometheus.yml', async () => {
  const promtool = (file: string) => ({
    image: 'prometheus' as const,
    files: { [file]: '/prometheus.yml:ro' },
    command: ['promtool', 'check', 'config', '/prometheus.yml'],
  })
  const path = 'deployment/prometheus/prometheus.yml'
  await accepts(promtool(ground.at(path)))
  await refuses(promtool(spoilt(path, 'dns_sd_configs', 'dns_configs')), /dns_configs/)
})

test('mysqld --validate-config reads the file of every server', async () => {
  const mysqld = (file: string) => ({
    image: 'mysql' as const,
    files: { [file]: '/mysql.cnf:ro' },
    flags: ['--tmpfs', MYSQL_LAYOUT.requestsDirectory],
    command: ['mysqld', '--defaults-file=/mysql.cnf', '--validate-config'],
  })
  const paths = ground.topology.database.servers.map(({ name }) => `deployment/mysql/${name}.cnf`)
  for (const path of paths) await accepts(mysqld(ground.at(path)))
  await refuses(mysqld(spoilt(paths[0] ?? '', 'sync_binlog = 1', 'sync_binlogs = 1')), /sync_binlogs/)
})

test('shellcheck finds nothing in the entrypoints', async () => {
  const shellcheck = (...files: string[]) => ({
    image: 'checks' as const,
    files: { [ground.directory]: '/files:ro' },
    command: ['shellcheck', ...files.map((file) => file.replace(ground.directory, '/files'))],
  })
  await accepts(
    shellcheck(...['mysql', 'redis', 'varnish'].map((name) => ground.at(`deployment/${name}/entrypoint.sh`))),
  )
  // What is wrong is told on standard output.
  await refuses(
    shellcheck(spoilt('deployment/varnish/entrypoint.sh', 'readonly WORK=', 'readonly UNUSED=')),
    /shellcheck .*: 1: /,
  )
})
