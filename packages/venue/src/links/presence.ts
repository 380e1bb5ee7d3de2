// What is known of the places where processes may listen: who was heard there, and whether somebody still is. Pure; the transport tells it
// what it finds. A process counts as gone when it cannot be there any more:
//
//   its port refuses connections, or another process answers at its address
//   it closed its link, and its address is not listed any more
//   all addresses of its region are fixed ones, and at none of them it can be
//
// This decides how fast a dead leader is replaced, never whether that is safe: safe is what the epoch makes it.

import type { RegionName } from '@wintrades/domain'
import type { VenueProcess } from '../ports.ts'

type Place = {
  readonly region: RegionName
  /** The process that was heard here last; null: none was. */
  origin: number | null
  state: 'unknown' | 'answering' | 'refusing'
}

/** More than all processes that can end while anybody still asks for them. */
const GONE_MAX = 1_024

export class Presence {
  readonly #self: VenueProcess
  /** Regions whose processes can only be at the addresses known here. */
  readonly #fixed: ReadonlySet<RegionName>
  readonly #places = new Map<string, Place>()
  readonly #gone = new Set<number>()

  /** `fixed`: of the others, regions all of whose addresses are told by {@link list}, once and for all. */
  constructor(self: VenueProcess, fixed: Iterable<RegionName>) {
    this.#self = self
    this.#fixed = new Set(fixed)
  }

  list(address: string, region: RegionName): void {
    if (!this.#places.has(address)) this.#places.set(address, { region, origin: null, state: 'unknown' })
  }

  /** Not listed any more. `hasLeft`: what was there had closed its link before. */
  unlist(address: string, hasLeft: boolean): void {
    const place = this.#places.get(address)
    if (place === undefined) return
    this.#places.delete(address)
    if (hasLeft && place.origin !== null) this.#end(place.origin)
  }

  /** It said so itself, at this address. */
  found(address: string, origin: number): void {
    const place = this.#places.get(address)
    if (place === undefined) return
    if (place.origin !== null && place.origin !== origin) this.#end(place.origin)
    place.origin = origin
    place.state = 'answering'
    this.alive(origin)
  }

  /** There is a link to it, whoever has opened it. */
  alive(origin: number): void {
    this.#gone.delete(origin)
  }

  /** Nobody listens at this address. true: that is news. */
  refused(address: string): boolean {
    const place = this.#places.get(address)
    if (place === undefined || place.state === 'refusing') return false
    place.state = 'refusing'
    if (place.origin !== null) this.#end(place.origin)
    return true
  }

  /** It can no longer be said who is at this address. */
  unsure(address: string): void {
    const place = this.#places.get(address)
    if (place !== undefined) place.state = 'unknown'
  }

  /** Where that process was heard last. */
  addressesOf(origin: number): readonly string[] {
    return [...this.#places].flatMap(([address, place]) => (place.origin === origin ? [address] : []))
  }

  originAt(address: string): number | null {
    return this.#places.get(address)?.origin ?? null
  }

  isGone({ region, origin }: VenueProcess): boolean {
    if (origin === this.#self.origin) return false
    if (this.#gone.has(origin)) return true
    const isOnlySelf = region === this.#self.region && !this.#hasPlaces(region)
    if (!isOnlySelf && !this.#fixed.has(region)) return false
    return this.#in(region).every((place) => place.state !== 'unknown' && place.origin !== origin)
  }

  isDeserted(region: RegionName): boolean {
    return this.#hasPlaces(region) && this.#in(region).every((place) => place.state === 'refusing')
  }

  #hasPlaces(region: RegionName): boolean {
    return this.#in(region).length > 0
  }

  #in(region: RegionName): readonly Place[] {
    return [...this.#places.values()].filter((place) => place.region === region)
  }

  #end(origin: number): void {
    if (origin === this.#self.origin) return
    this.#gone.add(origin)
    for (const oldest of this.#gone) {
      if (this.#gone.size <= GONE_MAX) return
      this.#gone.delete(oldest)
    }
  }
}
