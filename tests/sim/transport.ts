// A process's links over the simulated network, and what it concludes from them about the others, by the venue's own rules.

import type { RegionName } from '@wintrades/domain'
import { type LinkListener, Presence, type Transport, type VenueProcess } from '@wintrades/venue'
import { type Place, regionOf } from './markets.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SimulatedProcess } from './scheduler.ts'

export class SimulatedTransport implements Transport {
  readonly regions: readonly RegionName[]
  readonly #place: Place
  readonly #origin: number
  readonly #process: SimulatedProcess
  readonly #network: SimulatedNetwork
  readonly #presence: Presence
  readonly #linked = new Map<number, string>()

  /** `fixed`: processes can be nowhere but at these places. */
  constructor(
    at: { readonly place: Place; readonly origin: number; readonly process: SimulatedProcess },
    world: { readonly network: SimulatedNetwork; readonly places: readonly Place[]; readonly fixed: boolean },
  ) {
    this.#place = at.place
    this.#origin = at.origin
    this.#process = at.process
    this.#network = world.network
    const others = world.places.filter((one) => one !== at.place)
    this.regions = [...new Set(others.map(regionOf))]
    this.#presence = new Presence(
      { region: regionOf(at.place), origin: at.origin },
      world.fixed ? world.places.map(regionOf) : [],
    )
    for (const place of others) this.#presence.list(place, regionOf(place))
  }

  async start(listener: LinkListener): Promise<void> {
    this.#network.attach(this.#place, {
      process: this.#process,
      origin: this.#origin,
      up: (place, origin) => {
        this.#presence.found(place, origin)
        this.#linked.set(origin, place)
        listener.up(processAt(place, origin))
      },
      down: (place) => {
        const origin = this.#presence.originAt(place)
        this.#presence.unsure(place)
        if (origin === null || !this.#linked.delete(origin)) return
        listener.down(processAt(place, origin))
      },
      refused: (place) => {
        if (this.#presence.refused(place)) listener.looked()
      },
      received: (place, frame) => {
        const origin = this.#presence.originAt(place)
        if (origin !== null) listener.received(origin, frame)
      },
    })
  }

  isGone(process: VenueProcess): boolean {
    return this.#presence.isGone(process)
  }

  isDeserted(region: RegionName): boolean {
    return this.#presence.isDeserted(region)
  }

  send(origin: number, parts: readonly Uint8Array[]): boolean {
    const place = this.#linked.get(origin)
    return place !== undefined && this.#network.send(this.#place, place, parts)
  }

  async close(): Promise<void> {
    this.#network.detach(this.#place)
  }
}

function processAt(place: string, origin: number): VenueProcess {
  return { region: regionOf(place), origin }
}
