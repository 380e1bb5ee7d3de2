// The proof of a deployment: in every region two new accounts trade, with each other or with who is there already, through the load balancer, as clients do.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Topology } from '@wintrades/topology'
import { ApiClient, type InstrumentView, type OrderRequest, valueOrThrow } from '../client/index.ts'
import { pause } from '../operator/reconciler.ts'
import { readOperatorReport } from './operators.ts'
import { certificateFolder, readPublicCertificate } from './public-certificate.ts'
import { readRegionView } from './stack-status.ts'

export type TradeCheck = { readonly region: string; readonly symbol: string; readonly took_ms: number }

/** Processes that have just started are ready a little later. */
const READY_MS = 180_000
const AGAIN_MS = 500

export async function tradeInEveryRegion(
  topology: Topology,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<readonly TradeCheck[]> {
  const checks: TradeCheck[] = []
  for (const { name } of topology.regions) {
    const check = await tradeIn(topology, name, signal)
    say(`${name}: an order was traded (${check.symbol}, ${Math.round(check.took_ms)} ms)`)
    checks.push(check)
  }
  return checks
}

export async function tradeIn(topology: Topology, region: string, signal: AbortSignal): Promise<TradeCheck> {
  const clients = [clientOf(topology, region), clientOf(topology, region)] as const
  try {
    const [buyer, seller] = clients
    await until(region, signal, () => requireAnswer(topology, region))
    const instrument = await until(region, signal, () => instrumentOf(buyer, region))
    for (const client of clients) await until(region, signal, () => register(client))
    const began_ms = performance.now()
    const order: Omit<OrderRequest, 'side'> = {
      symbol: instrument.symbol,
      type: 'LIMIT',
      timeInForce: 'GTC',
      price: instrument.referencePrice ?? instrument.tickSize,
      quantity: instrument.lotSize,
    }
    const place = async (client: ApiClient, side: 'BUY' | 'SELL') => {
      const clientOrderId = `deploy-${randomBytes(8).toString('hex')}`
      return valueOrThrow(
        await client.placeOrder({ ...order, side, clientOrderId } as OrderRequest, READY_MS),
        'a test order',
      )
    }
    // Others may trade at this price too: a buyer who was there already, or comes before ours, takes what is sold; else ours does, or takes what others sell.
    const sold = await place(seller, 'SELL')
    if (sold.status !== 'FILLED' && (await place(buyer, 'BUY')).status !== 'FILLED') {
      const { clientOrderId } = sold
      await until(region, signal, async () => {
        const { status } = valueOrThrow(await seller.order({ clientOrderId, symbol: order.symbol }), 'a test order')
        if (status !== 'FILLED') throw new Error(`a test order is ${status} and not FILLED`)
      })
    }
    return { region, symbol: instrument.symbol, took_ms: performance.now() - began_ms }
  } finally {
    await Promise.all(clients.map((client) => client.cancelOrders()))
    await Promise.all(clients.map((client) => client.close()))
  }
}

function clientOf(topology: Topology, region: string): ApiClient {
  const [domain = 'localhost'] = topology.domains
  const isSelfSigned = readPublicCertificate(topology.domains)?.isSelfSigned === true
  return new ApiClient({
    baseUrls: [`https://127.0.0.1:${topology.ports.https}`],
    region,
    tls: {
      servername: domain,
      ...(isSelfSigned ? { ca: readFileSync(join(certificateFolder(), 'wintradesgo.crt'), 'utf8') } : {}),
    },
  })
}

/** A region whose processes are not ready is answered for by another one, which would prove nothing. */
async function requireAnswer(topology: Topology, region: string): Promise<void> {
  const [view, operator] = await Promise.all([readRegionView(topology, region), readOperatorReport(topology)])
  const wanted = operator?.parts.traffic?.wishes[region] ?? region
  if (view.answeredBy !== wanted)
    throw new Error(`its clients are answered by ${view.answeredBy ?? 'nobody'}, and should be by ${wanted}`)
}

/** The cheapest way to a trade: one lot of an instrument of the region's own shard, or of another one where it has none. */
async function instrumentOf(client: ApiClient, region: string): Promise<InstrumentView> {
  const answer = valueOrThrow(await client.instruments(), 'instruments')
  const all = 'items' in answer ? answer.items : answer
  const priced = all.filter(({ referencePrice }) => referencePrice !== undefined)
  const chosen = priced.find(({ shard }) => shard === region) ?? priced[0]
  if (chosen === undefined) throw new Error('no instrument has a reference price')
  return chosen
}

async function register(client: ApiClient): Promise<true> {
  const email = `deploy-check-${randomBytes(8).toString('hex')}@wintrades.invalid`
  const password = randomBytes(18).toString('base64url')
  valueOrThrow(await client.register(email, password), 'registration')
  valueOrThrow(await client.login(email, password), 'log-in')
  return true
}

async function until<Value>(region: string, signal: AbortSignal, ask: () => Promise<Value>): Promise<Value> {
  const deadline_ms = performance.now() + READY_MS
  for (;;) {
    signal.throwIfAborted()
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > deadline_ms) {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`${region}: no trade within ${READY_MS / 1_000} s: ${why}`, { cause: error })
      }
    }
    await pause(AGAIN_MS, signal)
  }
}
