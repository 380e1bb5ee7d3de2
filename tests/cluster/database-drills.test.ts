// The drills of the database on a platform of three regions: whatever is broken, no acknowledged order is lost, none is executed twice, the history
// checker finds every promise kept, and the history that was written is the one that the journals give. Each once: the most frequent over the delays of a
// deployment, the others next door, which is quicker (`database-drills-wan.long.test.ts` has each over the delays).

import { DATABASE_FAULTS, type DatabaseFault } from '@wintrades/operations/drill'
import { describe, test } from 'vitest'
import { useDrills } from './drilling.ts'
import { WAN_DELAYS } from './lab/index.ts'

const FAR = ['database-promotion', 'database-loss'] as const satisfies readonly DatabaseFault[]
const NEAR = (Object.keys(DATABASE_FAULTS) as DatabaseFault[]).filter((kind) => !FAR.some((far) => far === kind))

describe('over 80 and 200 ms, clients trading', () => {
  test.each(FAR)('%s loses nothing', useDrills(WAN_DELAYS))
})

describe('regions next door, clients trading', () => {
  test.each(NEAR)('%s loses nothing', useDrills())
})
