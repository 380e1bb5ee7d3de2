// What the planner wants done to Redis nodes, each with its reason. All of them may be repeated: a round that was cut short is planned anew.

import { type NodeId, slotText } from './cluster-nodes.ts'

/** Names are of observed nodes. */
export type Action =
  /** `node` gets to know `other` at the address where the operator reaches it. */
  | { readonly kind: 'meet'; readonly node: string; readonly other: string; readonly why: string }
  /** Takes slots that nobody serves; what was in them is lost already. */
  | { readonly kind: 'adopt'; readonly node: string; readonly slots: readonly number[]; readonly why: string }
  /**
   * A replica becomes the master: `planned` waits until both have the same, `forced` asks the other masters for their votes, `takeover` asks
   * nobody.
   */
  | {
      readonly kind: 'promote'
      readonly node: string
      readonly how: 'planned' | 'forced' | 'takeover'
      readonly why: string
    }
  | {
      readonly kind: 'replicate'
      readonly node: string
      readonly masterId: NodeId
      /** It has keys of slots that are not its own; nobody can reach them. */
      readonly hasLeftovers: boolean
      readonly why: string
    }
  /** With their keys, while they are used. */
  | {
      readonly kind: 'move'
      readonly from: string
      readonly to: string
      readonly slots: readonly number[]
      readonly why: string
    }
  /** A migration that nobody will finish is called off at this end. */
  | { readonly kind: 'settle'; readonly node: string; readonly slots: readonly number[]; readonly why: string }
  /** Forgets every other node and becomes an empty master. */
  | { readonly kind: 'reset'; readonly node: string; readonly why: string }
  /** Every node that answers forgets this one. */
  | { readonly kind: 'forget'; readonly id: NodeId; readonly why: string }

export function describe(action: Action): string {
  return `${deed(action)}: ${action.why}`
}

function deed(action: Action): string {
  switch (action.kind) {
    case 'meet':
      return `${action.node} meets ${action.other}`
    case 'adopt':
      return `${action.node} takes slots ${slotText(action.slots)}`
    case 'promote':
      return `${action.node} becomes a master (${action.how})`
    case 'replicate':
      return `${action.node} becomes a replica of ${action.masterId.slice(0, 8)}`
    case 'move':
      return `slots ${slotText(action.slots)} move from ${action.from} to ${action.to}`
    case 'settle':
      return `${action.node} calls off the migration of ${slotText(action.slots)}`
    case 'reset':
      return `${action.node} is emptied`
    case 'forget':
      return `${action.id.slice(0, 8)} is forgotten`
  }
}
