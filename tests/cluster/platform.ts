// The whole platform in a lab, as a drill's target: three region processes in their regions' networks, a front door on this host, and the database
// of three regions under them. Everything is gone when it is closed.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mysqlRows } from '@wintrades/marketdata'
import { type Target, target } from '@wintrades/operations/drill'
import { startPlatform } from '@wintrades/operations/supervisor'
import { createLogger, loadConfig } from '@wintrades/platform'
import { isServerTrouble, mysqlOptions, PrimaryFinder } from '@wintrades/platform/mysql'
import { openJournals } from '@wintrades/venue'
import { LabDataTier } from './data-tier.ts'
import { type Delays, type Lab, startLab } from './lab/index.ts'

export type LabPlatform = {
  readonly lab: Lab
  readonly database: LabDataTier
  readonly target: Target
  close(): Promise<void>
}

export type LabPlatformOptions = {
  readonly delays?: Delays
  readonly say?: (line: string) => void
  readonly signal?: AbortSignal
  /** Added to the environment of every process of the platform. */
  readonly environment?: Readonly<Record<string, string>>
}

export async function startLabPlatform(options: LabPlatformOptions = {}): Promise<LabPlatform> {
  const { delays, say = () => {}, signal } = options
  const lab = await startLab({ say, ...(delays === undefined ? {} : { delays }) })
  const dataDirectory = mkdtempSync(join(tmpdir(), 'wintrades-cluster-'))
  const remove = async () => {
    rmSync(dataDirectory, { recursive: true, force: true })
    await lab.close()
  }
  try {
    const database = await LabDataTier.start(lab)
    say('the database is there: a primary, and every other server follows it')
    const platform = await startPlatform({
      dataDirectory,
      placement: {
        addressOf: (region) => lab.addressOf(region),
        enter: (region) => lab.enter(region),
        environmentOf: (region) => ({ ...database.environment(region), ...options.environment }),
      },
      readyTimeout_ms: READY_TIMEOUT_MS,
      onEvent: ({ process, message, fault }) => {
        if (fault) say(`${process}: ${message}`)
      },
      ...(signal === undefined ? {} : { signal }),
    })
    const close = async () => {
      await platform.stop()
      await remove()
    }
    return {
      lab,
      database,
      target: target(platform.baseUrl, dataDirectory, close, evidenceIn(database, dataDirectory)),
      close,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

const READY_TIMEOUT_MS = 120_000

/** The journals and the history in the database, read as an auditor does who may lead nothing. */
function evidenceIn(database: LabDataTier, dataDirectory: string): Target['openEvidence'] {
  const read = loadConfig({ ...database.environment('us-east'), DATA_DIRECTORY: dataDirectory })
  if (!read.ok) throw new Error(read.faults.map((fault) => fault.message).join('; '))
  const mysql = mysqlOptions(read.config)
  if (mysql === null) throw new Error('the lab names no database')
  const logger = createLogger('drill', { level: 'error' })
  return async (markets) => {
    const { journals, snapshots } = await openJournals({ dataDirectory, mysql }, { markets, origin: 0, logger })
    const finder = new PrimaryFinder(mysql, logger)
    const history = mysqlRows((work) => finder.use(work, HISTORY_DEADLINE_MS, isServerTrouble))
    return { journals, snapshots, history, close: () => finder.close() }
  }
}

const HISTORY_DEADLINE_MS = 60_000
