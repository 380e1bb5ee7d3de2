// What an action says to the nodes, where they are not as the plan believed.

import { expect, test } from 'vitest'
import type { NodeId } from '../../../src/operator/redis/cluster-nodes.ts'
import type { NodeConnection } from '../../../src/operator/redis/node-connection.ts'
import { perform } from '../../../src/operator/redis/perform.ts'
import { ModelCluster } from './model.ts'

test('a move that was cut short after the receiver had taken a slot is finished', async () => {
  const cluster = new ModelCluster()
  for (const name of ['giver', 'receiver']) cluster.add(name, 'us-east')
  const observation = cluster.observe()
  const idOf = (name: string) => observation.nodes.find((node) => node.name === name)?.state?.id as NodeId
  const told: string[] = []
  const connection = ({ name }: { readonly name: string }) => {
    const answer = (command: readonly unknown[]) => {
      told.push(`${name}: ${command.join(' ')}`)
      if (command[1] === 'COUNTKEYSINSLOT') return 0
      const isHad = name === 'receiver' && command[3] === 'IMPORTING' && command[2] === 7
      return isHad ? new Error("ERR I'm already the owner of hash slot 7") : 'OK'
    }
    return {
      all: async (commands: readonly (readonly unknown[])[]) => commands.map(answer),
    } as unknown as NodeConnection
  }
  const access = { user: '', password: () => '', ca: '', certificateName: null, clientName: '' }
  const parts = { observation, access, signal: new AbortController().signal, connection: connection as never }
  await perform({ kind: 'move', from: 'giver', to: 'receiver', slots: [7, 8], why: 'it was begun' }, parts)
  for (const name of ['giver', 'receiver']) {
    for (const slot of [7, 8]) expect(told).toContain(`${name}: CLUSTER SETSLOT ${slot} NODE ${idOf('receiver')}`)
  }
  expect(told).toContain(`receiver: CLUSTER SETSLOT 8 IMPORTING ${idOf('giver')}`)
})
