// Where the clients of each region shall go, from what the load balancers say: pure. A balancer that has just started knows nothing and is told what the
// others do; one that was told by a person is believed. So the wish outlives every single balancer and every single operator, and needs no place of its own.

/** region → where its clients are sent; itself: to its own. */
export type Wishes = Readonly<Record<string, string>>

/** What a balancer says of each region; null: nobody has told it yet. */
export type View = Readonly<Record<string, string | null>>

export type Telling = { readonly balancer: string; readonly region: string; readonly to: string }

export type Decision = {
  readonly wishes: Wishes
  readonly tell: readonly Telling[]
  /** Regions about which balancers disagree, while nobody here has been asked to change that. */
  readonly disputed: readonly string[]
}

/** What an operator was asked for, and the balancers that have taken it since. */
export type Asks = Readonly<Record<string, { readonly to: string; readonly taken: readonly string[] }>>

/** Of these, what is still to be done: not what every balancer has, nor what somebody has changed again after a balancer had taken it. */
export function stillAsked(asked: Asks, balancers: readonly string[], views: ReadonlyMap<string, View>): Asks {
  const entries = Object.entries(asked).flatMap(([region, { to, taken }]) => {
    const said = (balancer: string) => views.get(balancer)?.[region] ?? null
    const isEverywhere = balancers.length > 0 && balancers.every((balancer) => said(balancer) === to)
    const isOverruled = taken.some((balancer) => said(balancer) !== null && said(balancer) !== to)
    if (isEverywhere || isOverruled) return []
    const takenNow = balancers.filter((balancer) => said(balancer) === to || taken.includes(balancer))
    return [[region, { to, taken: takenNow }] as const]
  })
  return Object.fromEntries(entries)
}

/** `asked`: what this operator was asked for and has not seen at every balancer yet. */
export function decide(
  regions: readonly string[],
  before: Wishes,
  asked: Asks,
  views: ReadonlyMap<string, View>,
): Decision {
  const wishes: Record<string, string> = {}
  const tell: Telling[] = []
  const disputed: string[] = []
  for (const region of regions) {
    const said = [...views].map(([balancer, view]) => ({ balancer, to: view[region] ?? null }))
    const known = [...new Set(said.flatMap(({ to }) => (to === null ? [] : [to])))]
    const ask = asked[region]?.to
    const wish = ask ?? (known.length === 1 ? known[0] : before[region]) ?? region
    wishes[region] = wish
    if (ask === undefined && known.length > 1) disputed.push(region)
    for (const { balancer, to } of said) {
      if (to === wish) continue
      // Somebody else may be in the middle of telling them: only who knows nothing is told.
      if (to === null || ask !== undefined) tell.push({ balancer, region, to: wish })
    }
  }
  return { wishes, tell, disputed }
}
