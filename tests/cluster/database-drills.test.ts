// The drills of the database on a platform of three regions: whatever is broken, no acknowledged order is lost, none is executed twice, the history
// checker finds every promise kept, and the history that was written is the one that the journals give.

import { DATABASE_FAULTS, type DatabaseFault } from '@wintrades/operations/drill'
import { describe, test } from 'vitest'
import { useDrills } from './drilling.ts'
import { WAN_DELAYS } from './lab/index.ts'

describe('regions next door, clients trading', () => {
  const carryOut = useDrills()
  test.each(Object.keys(DATABASE_FAULTS) as DatabaseFault[])('%s loses nothing', carryOut)
})

describe('over 80 and 200 ms, clients trading', () => {
  const carryOut = useDrills(WAN_DELAYS)
  test.each(['database-promotion', 'database-loss'] as const)('%s loses nothing', carryOut)
})
