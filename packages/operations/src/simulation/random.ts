// Seeded randomness for the simulated market: the same seed gives the same wishes.

export type Random = () => number

/** Uniform in [0, 1): sfc32, seeded from a number and a name so that each part has a stream of its own. */
export function seededRandom(seed: number, name: string): Random {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0
  for (let i = 0; i < name.length; i++) c = Math.imul(c ^ name.charCodeAt(i), 0x5bd1e995) ^ (c >>> 15)
  let counter = 1
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

/** Standard normal, by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Time to the next event of a Poisson process. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean
}
