// Records in the order in which they came: a queue that grows and shrinks by segments, so that no record ever moves and no command
// waits while many do. A record is eight integers and a time; its reference stays the same for as long as it is there.

/** A record: 2^3 integers. */
export const RECORD_SHIFT = 3
const SEGMENT_SHIFT = 12
const SEGMENT = 1 << SEGMENT_SHIFT
const INSIDE = SEGMENT - 1
/** References count records and begin anew after 2^30: far more than are ever there at once. */
const REFERENCES = (1 << 30) - 1

/** Integers and floats in a page of the operating system's memory. */
const PAGE_INTEGERS = 1_024
const PAGE_FLOATS = 512

class Segment {
  readonly data = new Int32Array(SEGMENT << RECORD_SHIFT)
  readonly times = new Float64Array(SEGMENT)

  /** Its memory is there from the beginning: some microseconds once, instead of a page's wait now and then for many commands. */
  constructor() {
    for (let i = 0; i < this.data.length; i += PAGE_INTEGERS) this.data[i] = 0
    for (let i = 0; i < this.times.length; i += PAGE_FLOATS) this.times[i] = 0
  }
}

export class IdLog {
  /** The segment and the place in it of the record that was last sought. */
  data: Int32Array
  at = 0
  time = 0
  private readonly segments: Segment[] = [new Segment()]
  /** A segment that is in no use any more: a queue that keeps its length allocates nothing. */
  private spare: Segment | null = null
  private last: Segment
  /** The oldest record, and the one that comes next, counted from the beginning of the oldest segment. */
  private first = 0
  private end = 0
  /** Reference of a record at the beginning of the oldest segment. */
  private base = 0

  constructor() {
    this.last = this.segments[0] as Segment
    this.data = this.last.data
  }

  get size(): number {
    return this.end - this.first
  }

  /** Reference of the oldest record. */
  get oldest(): number {
    return (this.base + this.first) & REFERENCES
  }

  /** Time of the oldest record; there is one. */
  get oldestTime(): number {
    return (this.segments[0] as Segment).times[this.first]
  }

  /** Sets `data`, `at` and `time` to a record. */
  seek(reference: number): void {
    const n = (reference - this.base) & REFERENCES
    const segment = this.segments[n >> SEGMENT_SHIFT] as Segment
    if (this.data !== segment.data) this.data = segment.data
    this.at = (n & INSIDE) << RECORD_SHIFT
    this.time = segment.times[n & INSIDE]
  }

  /** A new record of this time, for the caller to fill: `data` and `at` are set to it. Returns its reference. */
  push(time: number): number {
    const n = this.end++
    if (n >> SEGMENT_SHIFT === this.segments.length) this.addSegment()
    this.last.times[n & INSIDE] = time
    if (this.data !== this.last.data) this.data = this.last.data
    this.at = (n & INSIDE) << RECORD_SHIFT
    return (this.base + n) & REFERENCES
  }

  /** Drops the oldest record. */
  drop(): void {
    this.first++
    if (this.first < SEGMENT) return
    if (this.segments.length > 1) {
      this.spare = this.segments.shift() as Segment
      this.first -= SEGMENT
      this.end -= SEGMENT
      this.base = (this.base + SEGMENT) & REFERENCES
      return
    }
    // The only segment is empty: it is used again.
    this.base = (this.base + this.end) & REFERENCES
    this.first = 0
    this.end = 0
  }

  /** Visits all records, oldest first. */
  forEach(visit: (data: Int32Array, at: number, time: number) => void): void {
    for (let n = this.first; n < this.end; n++) {
      const { data, times } = this.segments[n >> SEGMENT_SHIFT] as Segment
      visit(data, (n & INSIDE) << RECORD_SHIFT, times[n & INSIDE])
    }
  }

  private addSegment(): void {
    this.last = this.spare ?? new Segment()
    this.spare = null
    this.segments.push(this.last)
  }
}
