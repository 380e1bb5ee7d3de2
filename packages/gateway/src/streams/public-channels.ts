// The public channels: topics that somebody listens to, and when they push. Promises at most one push per topic in its interval (20 ms,
// tickers 250 ms), soon after a change; topics that nobody hears cost nothing.

import type { CandleInterval, InstrumentMarket, MarketData } from '@wintrades/marketdata'
import {
  CandlesTopic,
  DepthTopic,
  type Listener,
  type PublicChannel,
  TickerTopic,
  type Topic,
  TradesTopic,
} from './public-topics.ts'

export type PublicName = {
  readonly channel: PublicChannel
  readonly market: InstrumentMarket
  /** Of candles. */
  readonly interval: CandleInterval | null
}

/** How often markets that are not ready yet are looked at again. */
const UNREADY_INTERVAL_MS = 100

export class PublicChannels {
  readonly #marketData: MarketData
  readonly #topics = new Map<string, Topic>()
  readonly #ofMarket = new Map<InstrumentMarket, Set<Topic>>()
  /** Topics that may have something to push. */
  readonly #changed = new Set<Topic>()
  readonly #stopListening: () => void
  #timer: NodeJS.Timeout | undefined
  #due_ms = Number.POSITIVE_INFINITY

  constructor(marketData: MarketData) {
    this.#marketData = marketData
    this.#stopListening = marketData.onChanges(({ instruments }) => {
      if (this.#topics.size === 0) return
      for (const market of instruments) this.#touch(market)
    })
  }

  get topicCount(): number {
    return this.#topics.size
  }

  subscribe(name: PublicName, listener: Listener, sequence: number | null): void {
    const key = keyOf(name)
    let topic = this.#topics.get(key)
    if (topic === undefined) {
      topic = this.#create(name)
      this.#topics.set(key, topic)
      const ofMarket = this.#ofMarket.get(name.market) ?? new Set()
      this.#ofMarket.set(name.market, ofMarket.add(topic))
    }
    topic.add(listener, sequence)
    if (topic.waiting.size > 0) this.#mark(topic)
  }

  unsubscribe(name: PublicName, listener: Listener): void {
    const key = keyOf(name)
    const topic = this.#topics.get(key)
    if (topic === undefined) return
    topic.remove(listener)
    if (!topic.empty) return
    this.#topics.delete(key)
    this.#changed.delete(topic)
    this.#ofMarket.get(name.market)?.delete(topic)
  }

  close(): void {
    this.#stopListening()
    clearTimeout(this.#timer)
  }

  #create({ channel, market, interval }: PublicName): Topic {
    switch (channel) {
      case 'depth':
        return new DepthTopic(market)
      case 'trades':
        return new TradesTopic(market)
      case 'ticker':
        return new TickerTopic(market, () => this.#marketData.timestamp(market.instrument.shard))
      case 'candles':
        return new CandlesTopic(market, interval ?? '1m')
    }
  }

  #touch(market: InstrumentMarket): void {
    const topics = this.#ofMarket.get(market)
    if (topics === undefined) return
    for (const topic of topics) this.#mark(topic)
  }

  #mark(topic: Topic): void {
    this.#changed.add(topic)
    const interval_ms = topic.listeners.size > 0 ? topic.interval_ms : UNREADY_INTERVAL_MS
    this.#arm(topic.flushed_ms + interval_ms)
  }

  #arm(due_ms: number): void {
    if (due_ms >= this.#due_ms) return
    clearTimeout(this.#timer)
    this.#due_ms = due_ms
    this.#timer = setTimeout(() => this.#flush(), Math.max(0, due_ms - performance.now()))
  }

  #flush(): void {
    this.#due_ms = Number.POSITIVE_INFINITY
    const now_ms = performance.now()
    for (const topic of [...this.#changed]) {
      if (topic.flushed_ms + topic.interval_ms > now_ms) {
        this.#mark(topic)
        continue
      }
      this.#changed.delete(topic)
      topic.flushed_ms = now_ms
      topic.flush()
      if (topic.waiting.size > 0) this.#mark(topic)
    }
  }
}

function keyOf({ channel, market, interval }: PublicName): string {
  return `${channel} ${market.instrument.symbol} ${interval ?? ''}`
}
