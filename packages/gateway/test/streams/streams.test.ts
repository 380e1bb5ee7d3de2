// Streams as a client meets them: operations, answers, limits and goodbyes, over real sockets.

import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { StreamPeer } from './stream-peer.ts'
import { StreamRegion, type StreamRegionOptions } from './stream-region.ts'

const buy = { symbol: 'SAP-EUR', side: 'BUY', type: 'LIMIT', price: '190.00', quantity: '10' } as const
const sell = { ...buy, side: 'SELL' } as const

let region: StreamRegion

async function start(options: StreamRegionOptions = {}): Promise<string> {
  region = await StreamRegion.start(options)
  return region.url
}

afterEach(async () => {
  await region.stop()
  expect(region.faults).toEqual([])
})

test('orders are placed, matched, found, replaced and cancelled', async () => {
  const url = await start()
  const [maker, taker] = [await StreamPeer.of(url, 1), await StreamPeer.of(url, 2)]
  const resting = await maker.place({ ...sell, clientOrderId: 'm-1' })
  expect(resting).toMatchObject({
    ok: true,
    result: { clientOrderId: 'm-1', status: 'NEW', leavesQty: '10', shard: 'eu-west' },
  })
  const orderId = resting.result?.['orderId']
  expect((await taker.place({ ...buy, quantity: '4' })).result).toMatchObject({ status: 'FILLED', avgPrice: '190.00' })
  expect((await maker.ask({ op: 'order.get', orderId })).result).toMatchObject({
    status: 'PARTIALLY_FILLED',
    cumQty: '4',
  })
  const replaced = await maker.ask({ op: 'order.replace', clientOrderId: 'm-1', symbol: 'SAP-EUR', price: '191.00' })
  expect(replaced.result).toMatchObject({ orderId, leavesQty: '6' })
  expect((await maker.ask({ op: 'order.cancel', orderId })).result).toMatchObject({ status: 'CANCELLED', cumQty: '4' })
  expect(await maker.ask({ op: 'order.cancel', orderId })).toMatchObject({
    ok: false,
    error: { code: 'ORDER_NOT_OPEN' },
  })
  const batch = await maker.ask({ op: 'order.place_batch', orders: [sell, { ...sell, price: 'x' }] })
  expect(batch.result?.['results']).toMatchObject([{ status: 'NEW' }, { error: { code: 'DECIMAL_INVALID' } }])
  expect((await maker.ask({ op: 'order.mass_cancel' })).result).toEqual({ cancelled: 1 })
})

test('a refused order is an error, with what is known of the order beside it', async () => {
  const peer = await StreamPeer.of(await start(), 1)
  expect(await peer.place({ ...buy, price: '20000.00', clientOrderId: 'x' })).toMatchObject({
    ok: false,
    clientOrderId: 'x',
    status: 'REJECTED',
    error: { code: 'PRICE_OUT_OF_RANGE', details: { limit: '10000.00', value: '20000.00' } },
  })
})

test('without authentication: public channels and ping only', async () => {
  const peer = await StreamPeer.open(await start())
  expect(await peer.ask({ op: 'ping' })).toMatchObject({ ok: true, result: { time: expect.any(Number) } })
  expect(await peer.place(buy)).toMatchObject({ ok: false, error: { code: 'AUTHENTICATION_REQUIRED' } })
  expect(await peer.subscribe({ channel: 'orders' })).toMatchObject({ error: { code: 'AUTHENTICATION_REQUIRED' } })
  expect(await peer.ask({ op: 'auth', token: 'nobody' })).toMatchObject({ error: { code: 'TOKEN_INVALID' } })
  expect(await peer.ask({ op: 'auth' })).toMatchObject({ error: { code: 'REQUEST_MALFORMED' } })
  expect(await peer.ask({ op: 'auth', token: 'account-1' })).toMatchObject({ ok: true, result: { accountId: 1 } })
  expect(await peer.ask({ op: 'auth', token: 'account-2' })).toMatchObject({ error: { code: 'REQUEST_MALFORMED' } })
  expect((await peer.place(buy)).ok).toBe(true)
})

test.each([
  ['{', null, 'REQUEST_MALFORMED'],
  ['', null, 'REQUEST_MALFORMED'],
  ['[]', null, 'REQUEST_MALFORMED'],
  ['{"id":{},"op":"ping"}', null, 'REQUEST_MALFORMED'],
  ['{"id":1e400,"op":"ping"}', null, 'REQUEST_MALFORMED'],
  ['{"id":"\u00e9\ud800","op":"nothing"}', 'é\ufffd', 'OPERATION_UNKNOWN'],
  ['{"id":7,"op":"constructor"}', 7, 'OPERATION_UNKNOWN'],
  ['{"id":7,"op":"ping","more":1}', 7, 'REQUEST_MALFORMED'],
  ['{"id":7,"op":"subscribe","channels":[{"channel":"nonsense"}]}', 7, 'CHANNEL_UNKNOWN'],
  ['{"id":7,"op":"subscribe","channels":[{"channel":"depth","symbol":"NO"}]}', 7, 'SYMBOL_UNKNOWN'],
  ['{"id":7,"op":"subscribe","channels":[{"channel":"candles","symbol":"SAP-EUR"}]}', 7, 'REQUEST_MALFORMED'],
  [
    '{"id":7,"op":"subscribe","channels":[{"channel":"depth","symbol":"SAP-EUR","sequence":-1}]}',
    7,
    'REQUEST_MALFORMED',
  ],
])('%s is answered, not a reason to hang up', async (text, id, code) => {
  const peer = await StreamPeer.open(await start())
  peer.socket.send(text)
  await expect.poll(() => peer.heard).toMatchObject([{ id, ok: false, error: { code } }])
  expect((await peer.ask({ op: 'ping' })).ok).toBe(true)
})

test('binary messages and messages beyond a mebibyte end the connection', async () => {
  const url = await start()
  const binary = await StreamPeer.open(url)
  binary.socket.send(Buffer.from('{"op":"ping"}'))
  await expect.poll(() => binary.closed).toEqual({ code: 1003, reason: 'messages are JSON text' })
  const long = await StreamPeer.open(url)
  long.socket.send(`"${'x'.repeat(1024 * 1024)}"`)
  await expect.poll(() => long.closed?.code).toBe(1009)
})

test('requests are counted', async () => {
  const peer = await StreamPeer.of(await start({ rateLimitRequestsPerSecond: 2, rateLimitOrdersPerSecond: 1 }), 1)
  await peer.ask({ op: 'ping' })
  await peer.ask({ op: 'ping' })
  expect(await peer.ask({ op: 'ping' })).toMatchObject({
    ok: false,
    error: { code: 'RATE_LIMITED', retryAfter_ms: expect.any(Number) },
  })
  expect((await peer.place(buy)).ok).toBe(true)
  expect(await peer.place(buy)).toMatchObject({ error: { code: 'RATE_LIMITED' } })
})

test('connections are counted by address, and given back', async () => {
  const url = await start({ rateLimitConnectionsPerAddress: 1 })
  const first = await StreamPeer.open(url)
  await expect(StreamPeer.open(url)).rejects.toThrow('429')
  await first.close()
  await expect.poll(() => region.streams.figures()['connections']).toBe(0)
  await (await StreamPeer.open(url)).close()
})

test('a failed upgrade gives its place back', async () => {
  const url = await start({ rateLimitConnectionsPerAddress: 1 })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve).resume())
  await expect
    .poll(() =>
      StreamPeer.open(url).then(
        () => 'open',
        () => 'refused',
      ),
    )
    .toBe('open')
})

test('subscriptions of a connection are limited', async () => {
  const peer = await StreamPeer.open(await start())
  const symbols = region.marketData.instruments.map((market) => market.instrument.symbol)
  const intervals = ['1m', '5m', '15m', '1h', '4h', '1d']
  const candles = symbols.flatMap((symbol) => intervals.map((interval) => ({ channel: 'candles', symbol, interval })))
  const rest = symbols.flatMap((symbol) => ['depth', 'trades', 'ticker'].map((channel) => ({ channel, symbol })))
  expect((await peer.subscribe(...candles, ...rest)).ok).toBe(true)
  expect(region.streams.figures()['subscriptions']).toBe(candles.length + rest.length)
  expect(await peer.subscribe(...Array.from({ length: 201 }, () => rest[0] as object))).toMatchObject({
    error: { code: 'REQUEST_MALFORMED' },
  })
  expect((await peer.ask({ op: 'unsubscribe', channels: [...candles, ...rest] })).ok).toBe(true)
  expect(region.streams.figures()).toMatchObject({ subscriptions: 0, topics: 0 })
})

test('too much under way is refused, and what is under way is answered', async () => {
  const peer = await StreamPeer.of(await start(), 1)
  region.venue.held = true
  const orders = Array.from({ length: 500 }, () => buy)
  const batches = Array.from({ length: 9 }, () => peer.ask({ op: 'order.place_batch', orders }))
  expect(await (batches.at(-1) as Promise<unknown>)).toMatchObject({ ok: false, error: { code: 'OVERLOADED' } })
  region.venue.held = false
  region.venue.commit()
  expect((await (batches[0] as Promise<{ ok?: boolean }>)).ok).toBe(true)
  await expect.poll(() => region.streams.figures()['requests_in_flight']).toBe(0)
})

test('who does not read is cut off, told why', async () => {
  const url = await start()
  const peer = await StreamPeer.of(url, 1)
  peer.socket.pause()
  const orders = Array.from({ length: 200 }, () => ({ ...buy, price: 'x' }))
  const frame = JSON.stringify({ id: 1, op: 'order.place_batch', orders })
  const flood = setInterval(() => {
    for (let i = 0; i < 50; i++) peer.socket.send(frame)
  }, 1)
  await expect.poll(() => region.streams.figures()['slow_consumers_total'], { timeout: 10_000 }).toBe(1)
  clearInterval(flood)
  peer.socket.resume()
  await expect.poll(() => peer.closed?.code, { timeout: 10_000 }).toBe(1013)
})

test('a peer that gives no sign of life is cut off; one whose session ended is told', async () => {
  const url = await start({ pingInterval_ms: 30 })
  const [silent, ended] = [await StreamPeer.open(url, { autoPong: false }), await StreamPeer.of(url, 1)]
  await expect.poll(() => silent.closed?.code).toBe(1006)
  region.ended.add(1 as never)
  await expect.poll(() => ended.closed).toEqual({ code: 1008, reason: 'TOKEN_INVALID' })
})

test('orders that end with their connection are cancelled when it ends', async () => {
  const url = await start()
  const [leaving, watching] = [await StreamPeer.of(url, 1), await StreamPeer.of(url, 1)]
  const bound = await leaving.place({ ...buy, cancelOnDisconnect: true })
  leaving.socket.terminate()
  const orderId = bound.result?.['orderId']
  const status = async () => (await watching.ask({ op: 'order.get', orderId })).result?.['status']
  await expect.poll(status).toBe('CANCELLED')
})

test('a server that stops says so', async () => {
  const peer = await StreamPeer.open(await start())
  await region.streams.close()
  await expect.poll(() => peer.closed).toEqual({ code: 1012, reason: 'the server is stopping' })
  await expect(StreamPeer.open(region.url)).rejects.toThrow('503')
})

test('answers of one turn leave together, in order', async () => {
  const peer = await StreamPeer.of(await start(), 1)
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => peer.place({ ...buy, clientOrderId: `n-${i}` })),
  )
  expect(answers.map((answer) => answer.result?.['clientOrderId'])).toEqual(answers.map((_, i) => `n-${i}`))
})
