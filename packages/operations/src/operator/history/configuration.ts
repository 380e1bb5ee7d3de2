// The section `history` of operator.yml.

import { PARTITION_POLICY, type PartitionPolicy } from '@wintrades/marketdata'
import type { Fields } from '@wintrades/topology'

export type HistoryConfiguration = { readonly policy: PartitionPolicy }

const DAYS_MAX = 36_500
const PARTITION_DAYS_MAX = 366

export function readHistorySection(fields: Fields): HistoryConfiguration {
  const { days, ahead_days, retention_days } = PARTITION_POLICY
  const kept = fields.integer('retention_days', 0, DAYS_MAX, retention_days ?? 0)
  const policy = {
    days: fields.integer('partition_days', 1, PARTITION_DAYS_MAX, days),
    ahead_days: fields.integer('ahead_days', 1, PARTITION_DAYS_MAX, ahead_days),
    // 0: for good.
    retention_days: kept === 0 ? null : kept,
  }
  fields.end()
  return { policy }
}
