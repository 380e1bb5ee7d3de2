// Subscriptions that end at the worst moment: nothing stays behind that nobody hears.

import { MarketData } from '@wintrades/marketdata'
import { expect, test } from 'vitest'
import type { PrivateParts } from '../../src/streams/private-channels.ts'
import { PublicChannels } from '../../src/streams/public-channels.ts'
import { Subscriptions } from '../../src/streams/subscriptions.ts'
import { markets, TestVenue } from '../support/test-venue.ts'

test('a connection that its first snapshot ends leaves no topic behind', async () => {
  const venue = new TestVenue()
  const marketData = new MarketData(markets)
  for (const market of marketData.instruments) market.initialise((await venue.book(market.instrument.id, 1)).value)
  const channels = new PublicChannels(marketData)
  let pushes = 0
  const subscriptions: Subscriptions = new Subscriptions(
    // Private channels are not asked for here.
    { marketData, channels, private: { shards: [] } as unknown as PrivateParts },
    {
      push: () => {
        pushes += 1
        subscriptions.closeAll()
      },
    },
  )
  const wanted = subscriptions.read(
    [
      { channel: 'depth', symbol: 'SAP-EUR' },
      { channel: 'trades', symbol: 'SAP-EUR' },
    ],
    null,
  )
  if (!wanted.ok) throw new Error(wanted.reply.json)
  subscriptions.open(wanted.wanted, null)
  expect({ pushes, open: subscriptions.count, topics: channels.topicCount }).toEqual({ pushes: 1, open: 0, topics: 0 })
  channels.close()
})
