// Venues in one process, with real links on loopback, over shared journals: three are the smallest cluster there is.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AccountId,
  type Amount,
  CommandType,
  type InstrumentId,
  type Markets,
  type OrderId,
  OrderType,
  type Price,
  type Quantity,
  type RegionName,
  readMarkets,
  SelfTradePrevention,
  type ShardIndex,
  type Side,
  TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import { parse } from 'yaml'
import {
  type CommittedBatch,
  type Journal,
  journalPath,
  newOrigin,
  SnapshotFiles,
  SqliteJournal,
  type Submission,
  startVenueInProcess,
  TcpTransport,
  type Timing,
} from '../../src/index.ts'

export type Venue = Awaited<ReturnType<typeof startVenueInProcess>>

export function testMarkets(): Markets {
  const read = readMarkets(parse(readFileSync(new URL('../../../../markets.yml', import.meta.url), 'utf8')))
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  return read.markets
}

export const markets = testMarkets()
export const REGIONS = markets.shards.map((shard) => shard.name)
/** SAP-EUR, of eu-west. */
export const SAP = markets.instruments.find((one) => one.symbol === 'SAP-EUR') as Markets['instruments'][number]

export class Cluster {
  readonly dataDirectory = mkdtempSync(join(tmpdir(), 'wintrades-venue-'))
  readonly venues = new Map<string, Venue>()
  /** Places that the journal does not answer. */
  readonly unanswered = new Set<string>()
  readonly #ports = new Map<string, number>()
  readonly #timing: Partial<Timing>
  readonly #places: readonly string[]

  /** `places`: where processes may run; `eu-west`, or `eu-west/1` and so on for further ones of that region. */
  constructor(timing: Partial<Timing> = {}, places: readonly string[] = REGIONS) {
    this.#timing = timing
    this.#places = places
  }

  async start(places: readonly string[] = this.#places): Promise<void> {
    for (const place of this.#places) if (!this.#ports.has(place)) this.#ports.set(place, await freePort())
    await Promise.all(places.map((place) => this.startRegion(place)))
  }

  async startRegion(place: string, key: Uint8Array = new Uint8Array(32).fill(7)): Promise<Venue> {
    const region = regionOf(place)
    const logger = createLogger('test', {
      level: process.env['VENUE_LOG'] === undefined ? 'silent' : 'info',
      fields: { place },
    })
    const origin = newOrigin()
    const transport = new TcpTransport({
      region: region as RegionName,
      origin,
      host: '127.0.0.1',
      port: this.#ports.get(place) as number,
      peers: this.#places.map((other) => ({
        region: regionOf(other),
        host: '127.0.0.1',
        port: this.#ports.get(other) as number,
      })),
      key,
      tls: null,
      logger,
    })
    const venue = await startVenueInProcess({
      region: region as RegionName,
      origin,
      markets,
      journals: markets.shards.map((shard) =>
        this.#answering(place, new SqliteJournal(journalPath(this.dataDirectory, shard))),
      ),
      transport,
      snapshots: new SnapshotFiles(this.dataDirectory, markets),
      logger,
      timing: this.#timing,
    })
    this.venues.set(place, venue)
    return venue
  }

  #answering(place: string, journal: Journal): Journal {
    return new Proxy(journal, {
      get: (target, name) => {
        const member = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...values: unknown[]) => {
          if (name !== 'close' && this.unanswered.has(place)) return Promise.reject(new Error('no answer'))
          return member.apply(target, values)
        }
      },
    })
  }

  at(place: string): Venue {
    const venue = this.venues.get(place)
    if (venue === undefined) throw new Error(`${place} does not run`)
    return venue
  }

  async stop(): Promise<void> {
    for (const venue of this.venues.values()) await venue.close()
    this.venues.clear()
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.dataDirectory, { recursive: true, force: true })
  }
}

function regionOf(place: string): RegionName {
  return (place.split('/')[0] ?? place) as RegionName
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export type Outcome =
  | { readonly batch: CommittedBatch; readonly events: Float64Array }
  | 'unknown'
  | 'overloaded'
  | 'unavailable'

export function send(venue: Venue, shard: number, command: Submission): Promise<Outcome> {
  return new Promise((resolve) => {
    const result = venue.submit(shard as ShardIndex, command, {
      committed: (batch, _index, start, end) => resolve({ batch, events: batch.events.slice(start, end) }),
      unknown: () => resolve('unknown'),
    })
    if (result !== 'submitted') resolve(result)
  })
}

export function deposit(account: number, asset: number, amount: number, transferId: string): Submission {
  return {
    type: CommandType.deposit,
    account: account as AccountId,
    asset: asset as never,
    amount: amount as Amount,
    transferId,
  }
}

export function limitOrder(
  account: number,
  side: Side,
  price: number,
  quantity: number,
  clientOrderId: string,
  instrument: InstrumentId = SAP.id,
): Submission {
  return {
    type: CommandType.new_order,
    account: account as AccountId,
    instrument,
    side,
    orderType: OrderType.limit,
    timeInForce: TimeInForce.gtc,
    selfTradePrevention: SelfTradePrevention.cancel_newest,
    flags: 0,
    session: 0,
    apiKey: 0,
    price: price as Price,
    quantity: quantity as Quantity,
    quoteAmount: 0 as Amount,
    stopPrice: 0 as Price,
    displayQuantity: 0 as Quantity,
    minimumQuantity: 0 as Quantity,
    expireTime: 0 as Timestamp,
    trailingOffset: 0 as Price,
    clientOrderId,
  }
}

export function cancelOrder(account: number, order: number): Submission {
  return {
    type: CommandType.cancel_order,
    account: account as AccountId,
    order: order as OrderId,
    clientOrderId: '',
  }
}
