// The database part of the operator: the promoter, what people may ask of it, the schedule that asks by itself, and what status and metrics show.

import type { Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Lines } from '../lines.ts'
import { isReachable, rowNumber } from '../promotion/index.ts'
import { type Command, type CommandResult, pause, type Reconciler } from '../reconciler.ts'
import { CertificateWatch } from './certificate-watch.ts'
import type { DatabaseConfiguration } from './configuration.ts'
import { DiskWatch } from './disk-watch.ts'
import { regionOfTheSun } from './follow-the-sun.ts'
import { MysqlPromoter, type PromoterOptions } from './promoter.ts'
import type { ServerSession } from './session.ts'

export type DatabaseOptions = {
  readonly region: string
  readonly configuration: DatabaseConfiguration
  readonly logger: Logger
  readonly lines: Lines
  readonly onAction?: PromoterOptions['onAction']
  readonly now?: () => Date
}

const SUN_LOOK_MS = 5_000
const SUN_PATIENCE_MS = 60_000
const PROMOTION_MS = 30_000

export type ServerStatus = {
  readonly name: string
  readonly region: string
  readonly address: string
  readonly role: 'voter' | 'reader'
  readonly state: 'primary' | 'replica' | 'closed' | 'unreachable'
  readonly source: string | null
  readonly term: number | null
  readonly row: number | null
  readonly lag_ms: number | null
  readonly acknowledging: number | null
  readonly fault: string | null
  /** When it said, in the last eleven minutes, that its disk is full. */
  readonly diskFullAt: string | null
}

export type DatabaseStatus = {
  readonly operator: string
  readonly outcome: string
  readonly line: string
  readonly primary: string | null
  readonly servers: readonly ServerStatus[]
}

export function databaseReconciler(options: DatabaseOptions): Reconciler {
  const { region, configuration, logger, lines, onAction } = options
  const say = (line: string) => {
    if (!lines.add('database', line)) return
    if (line.startsWith('Refused')) logger.warn(line)
    else logger.info(line)
  }
  const promoter = new MysqlPromoter({
    region,
    servers: configuration.servers,
    access: configuration.access,
    logger,
    say,
    ...(onAction === undefined ? {} : { onAction }),
  })
  const certificates = new CertificateWatch(promoter.sessions, configuration.access, say)
  const disks = new DiskWatch(promoter.sessions, configuration.access, say)
  return {
    name: 'database',
    run: async (signal) => {
      await Promise.all([
        promoter.run(signal),
        followTheSun(promoter, options, say, signal),
        certificates.run(signal),
        disks.run(signal),
      ])
    },
    status: () => statusOf(promoter, disks),
    metrics: (metrics) => {
      expose(promoter, disks, metrics)
      const full = 'When the server said, in the last eleven minutes, that its disk is full, in seconds since 1970'
      metrics.gauge('wintrades_database_disk_full_at_seconds', full, ['server'], (gauge) => {
        gauge.reset()
        for (const [server, at] of disks.fullAt) gauge.set({ server }, at.getTime() / 1_000)
      })
      const about = 'When the certificate ends that the server shows, in seconds since 1970'
      metrics.gauge('wintrades_database_certificate_expiry_seconds', about, ['server'], (gauge) => {
        for (const [server, at] of certificates.expiries) gauge.set({ server }, at.getTime() / 1_000)
      })
    },
    commands: {
      promote: onServer((server, signal) => promoter.promote(server, signal)),
      rejoin: onServer((server, signal) => promoter.rejoin(server, signal)),
      clone: onServer((server, signal) => promoter.clone(server, signal)),
    },
  }
}

function onServer(work: (server: string, signal: AbortSignal) => Promise<CommandResult>): Command {
  return async (body, signal) => {
    const { server } = body
    if (typeof server !== 'string' || server.length > 64)
      return { ok: false, line: 'say which server: {"server": "mysql_slave_eu"}' }
    return await work(server, signal)
  }
}

/** The operator of the region whose turn it is asks first; another one does when that one has not for a minute. */
async function followTheSun(
  promoter: MysqlPromoter,
  options: DatabaseOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { configuration, region, now = () => new Date() } = options
  const { followTheSun: times, servers } = configuration
  let waited_ms = 0
  while (times.length > 0 && !signal.aborted) {
    await pause(SUN_LOOK_MS, signal)
    const wanted = regionOfTheSun(times, now())
    const target = servers.find((server) => server.role === 'voter' && server.region === wanted)
    const { outcome, primary } = promoter.figures
    if (target === undefined || outcome !== 'serving' || primary === target.name) {
      waited_ms = 0
      continue
    }
    waited_ms += SUN_LOOK_MS
    if (wanted !== region && waited_ms < SUN_PATIENCE_MS) continue
    say(`By the schedule the primary moves to ${wanted}`)
    const { line } = await promoter.promote(target.name, AbortSignal.any([signal, AbortSignal.timeout(PROMOTION_MS)]))
    say(`By the schedule: ${line}`)
  }
}

function statusOf(promoter: MysqlPromoter, disks: DiskWatch): DatabaseStatus {
  const { outcome, line, primary } = promoter.figures
  return {
    operator: promoter.self,
    outcome,
    line,
    primary,
    servers: promoter.sessions.map((session) => ({
      ...serverStatus(session, primary),
      diskFullAt: disks.fullAt.get(session.server.name)?.toISOString() ?? null,
    })),
  }
}

function serverStatus(session: ServerSession, primary: string | null): Omit<ServerStatus, 'diskFullAt'> {
  const { name, region, host, port, role } = session.server
  const { observation, details, fault } = session
  const known = { name, region, address: `${host}:${port}`, role }
  if (!isReachable(observation)) {
    return {
      ...known,
      state: 'unreachable',
      source: null,
      term: null,
      row: null,
      lag_ms: null,
      acknowledging: null,
      fault,
    }
  }
  const { channel, semiSync, term } = observation
  const isPrimary = name === primary
  const isReplica = channel.source !== null && channel.receiver !== 'stopped'
  return {
    ...known,
    state: isPrimary ? 'primary' : isReplica ? 'replica' : 'closed',
    source: channel.source,
    term: term?.number ?? null,
    row: rowNumber(observation),
    lag_ms: isPrimary ? null : (details?.lag_ms ?? 0),
    acknowledging: isPrimary ? semiSync.clients : null,
    fault: channel.applierError ?? (channel.receiver === 'connecting' ? (details?.receiverError ?? null) : null),
  }
}

function expose(promoter: MysqlPromoter, disks: DiskWatch, metrics: Metrics): void {
  const servers = () => statusOf(promoter, disks).servers
  metrics.gauge('wintrades_database_server_up', '1 where the operator reaches the server', ['server'], (gauge) => {
    for (const one of servers()) gauge.set({ server: one.name }, Number(one.state !== 'unreachable'))
  })
  metrics.gauge(
    'wintrades_database_server_primary',
    '1 where the operator takes the server for the primary',
    ['server'],
    (gauge) => {
      for (const one of servers()) gauge.set({ server: one.name }, Number(one.state === 'primary'))
    },
  )
  metrics.gauge(
    'wintrades_database_server_following',
    '1 where a server hears the primary or is it',
    ['server'],
    (gauge) => {
      for (const one of servers())
        gauge.set(
          { server: one.name },
          Number(one.state === 'primary' || (one.state === 'replica' && one.fault === null)),
        )
    },
  )
  metrics.gauge(
    'wintrades_database_lag_seconds',
    'Age of the transaction that the server applies now',
    ['server'],
    (gauge) => {
      for (const one of servers()) if (one.lag_ms !== null) gauge.set({ server: one.name }, one.lag_ms / 1_000)
    },
  )
  metrics.gauge(
    'wintrades_database_term',
    'Term of the last promotion that the server has heard of',
    ['server'],
    (gauge) => {
      for (const one of servers()) if (one.row !== null) gauge.set({ server: one.name }, one.row)
    },
  )
  metrics.gauge(
    'wintrades_database_acknowledging',
    'Voters that acknowledge the commits of the primary',
    [],
    (gauge) => {
      gauge.set(servers().find((one) => one.state === 'primary')?.acknowledging ?? 0)
    },
  )
  metrics.gauge('wintrades_database_outcome', '1 for what the operator last decided', ['outcome'], (gauge) => {
    gauge.reset()
    gauge.set({ outcome: promoter.figures.outcome }, 1)
  })
  metrics.gauge(
    'wintrades_database_actions',
    'Actions that this operator has carried out since it started',
    ['action'],
    (gauge) => {
      for (const [action, count] of Object.entries(promoter.figures.actions)) gauge.set({ action }, count)
    },
  )
}
