// The MySQL servers that a bench needs: three voters with lossless semi-sync and a fourth server that reads, as in a deployment, formed by hand.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPlatform } from '@wintrades/operations'
import { target } from '@wintrades/operations/drill'
import { type Lab, type LabMysql, startLab, WAN_DELAYS } from '../cluster/lab/index.ts'
import { follow, startTrio, type Trio } from '../cluster/trio.ts'
import type { BenchOptions } from './figure.ts'
import { type Ground, readGroundMarkets } from './ground.ts'

/** Like a deployment's of this size. */
const SETTINGS = ['innodb_buffer_pool_size = 512M', 'innodb_redo_log_capacity = 1G', 'max_binlog_size = 512M']

export type MysqlGround = { readonly lab: Lab; readonly trio: Trio; readonly reader: LabMysql }

export async function startServers({ say }: BenchOptions, wide: boolean): Promise<MysqlGround> {
  const lab = await startLab({ say, storage: 'disk', ...(wide ? { delays: WAN_DELAYS } : {}) })
  try {
    const trio = await startTrio(lab, SETTINGS)
    const reader = await lab.mysql({
      name: 'mysql_slave_us',
      region: 'us-east',
      serverId: 4,
      port: 3307,
      role: 'reader',
      settings: SETTINGS,
    })
    await follow(reader, trio.primary, false)
    return { lab, trio, reader }
  } catch (error) {
    await lab.close()
    throw error
  }
}

/** A private platform whose journal is on them, each region's process in its region's network. */
export async function startOnServers(options: BenchOptions, { lab, trio }: MysqlGround): Promise<Ground> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'wintrades-private-'))
  const servers = [trio.primary, ...trio.replicas]
  const { credentials } = trio.primary
  const platform = await startPlatform({
    dataDirectory,
    signal: options.signal,
    readyTimeout_ms: 180_000,
    placement: { addressOf: (region) => lab.addressOf(region), enter: (region) => lab.enter(region) },
    environment: {
      DB_HOST: servers.map(({ host, port }) => `${host}:${port}`).join(','),
      DB_USER: 'wintrades_app_a',
      DB_PASSWORD_FILE: credentials.passwordFileOf('app'),
      DB_CA_FILE: credentials.authorityFile,
    },
    onEvent: (event) => {
      if (event.fault) options.say(`  ${event.process}: ${event.message}`)
    },
  })
  const close = async () => {
    await platform.stop()
    await rm(dataDirectory, { recursive: true, force: true })
  }
  return { target: target(platform.baseUrl, dataDirectory, close), markets: readGroundMarkets(), close }
}
