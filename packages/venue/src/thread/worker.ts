// The venue's thread: the core over the real journal, links and snapshots, and messages to and from the main thread.

import { parentPort, workerData } from 'node:worker_threads'
import { createLogger } from '@wintrades/platform'
import { systemClock } from '../clock.ts'
import { VenueCore } from '../core.ts'
import { openJournals } from '../journal/open.ts'
import { TcpTransport } from '../links/tcp.ts'
import { NO_OUTCOMES } from '../outcomes.ts'
import type { FromVenue, ToVenue, VenueThreadOptions } from './messages.ts'

const port = parentPort
if (port === null) throw new Error('this is the venue’s thread; start it with startVenue()')
const options = workerData as VenueThreadOptions
const { region, origin, markets } = options
const logger = createLogger('venue', { level: options.logLevel, fields: { region } })

function say(message: FromVenue, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer)
}

const { journals, snapshots, figures } = await openJournals(options.journal, { markets, origin, logger })

const core = new VenueCore({
  region,
  origin,
  markets,
  clock: systemClock,
  journals,
  transport: new TcpTransport({
    region,
    origin,
    host: options.linkHost,
    port: options.linkPort,
    peers: options.peers,
    key: options.linkKey,
    tls: options.linkTls,
    logger,
  }),
  snapshots,
  figures,
  logger,
  ...(options.timing === undefined ? {} : { timing: options.timing }),
  onBatch: (batch, outcomes) => {
    // Copies: the links still send the bytes, and the engine writes its next events over these.
    const bytes = batch.bytes.slice()
    const events = batch.events.slice()
    const transfer = [bytes.buffer, events.buffer]
    if (outcomes !== NO_OUTCOMES) transfer.push(outcomes.buffer as ArrayBuffer)
    say({ kind: 'batch', batch: { ...batch, bytes, events }, outcomes }, transfer)
  },
  onStatus: (status) => say({ kind: 'status', status }),
})

async function answer(id: number, work: () => unknown): Promise<void> {
  try {
    say({ kind: 'answer', id, answer: ((await work()) ?? null) as never })
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    say({ kind: 'refused', id, name, message })
  }
}

port.on('message', (message: ToVenue) => {
  switch (message.kind) {
    case 'commands':
      core.submit(message.shard, message.records, message.first, message.count)
      break
    case 'forget':
      core.forgetThrough(message.shard, message.through)
      break
    case 'ask':
      void answer(message.id, () => core.ask(message.question))
      break
    case 'hand_over':
      void answer(message.id, () => core.handOver(message.shard, message.to))
      break
    case 'close':
      void answer(message.id, () => core.close()).then(() => port.close())
      break
  }
})

await core.start()
say({ kind: 'ready', status: core.status() })
