// Faults that can be planted in the model's adapter: each is a rule broken, and the exploration must notice every one.

export type PlantedFaults = {
  /** Fences are reported as done and are not. */
  readonly skipFence: boolean
  /** A fenced server's GTID sets are those that were read when its lock was taken. */
  readonly setsBeforeFence: boolean
  /** Nothing checks the server's durable term. */
  readonly ignoreTerm: boolean
  /** A server is attached whatever transactions of its own it has. */
  readonly attachUnchecked: boolean
  /** A primary is opened that acknowledges alone. */
  readonly openWithoutSemiSync: boolean
  /** The server without a vote acknowledges too. */
  readonly readerAcknowledges: boolean
  /** A cloned server goes on with its old uuid and numbers its transactions as before. */
  readonly cloneKeepsUuid: boolean
  /** A wiped server counts as a voter at once. */
  readonly wipedVotes: boolean
}

export const NO_PLANTED_FAULTS: PlantedFaults = {
  skipFence: false,
  setsBeforeFence: false,
  ignoreTerm: false,
  attachUnchecked: false,
  openWithoutSemiSync: false,
  readerAcknowledges: false,
  cloneKeepsUuid: false,
  wipedVotes: false,
}
