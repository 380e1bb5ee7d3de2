// Seeded random numbers for tests (xorshift128): a failing seed is the whole bug report.

export class Random {
  private x: number
  private y = 362_436_069
  private z = 521_288_629
  private w = 88_675_123

  constructor(seed: number) {
    this.x = (seed ^ 0x5f3759df) | 1
    for (let i = 0; i < 16; i++) this.below(2)
  }

  /** A whole number from 0 to n − 1. */
  below(n: number): number {
    const t = this.x ^ (this.x << 11)
    this.x = this.y
    this.y = this.z
    this.z = this.w
    this.w = this.w ^ (this.w >>> 19) ^ t ^ (t >>> 8)
    return (this.w >>> 0) % n
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}
