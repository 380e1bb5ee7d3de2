// Every drill of the database over 80 and 200 ms; `database-drills.test.ts` has each once, most of them next door.

import { DATABASE_FAULTS, type DatabaseFault } from '@wintrades/operations/drill'
import { describe, test } from 'vitest'
import { useDrills } from './drilling.ts'
import { WAN_DELAYS } from './lab/index.ts'

describe('over 80 and 200 ms, clients trading', () => {
  const carryOut = useDrills(WAN_DELAYS)
  test.each(Object.keys(DATABASE_FAULTS) as DatabaseFault[])('%s loses nothing', carryOut)
})
