// What destroys is done when a person has typed the name of what it destroys.

import { createInterface } from 'node:readline/promises'

/** `given`: typed with the command already. Throws unless it is the stack's name. */
export async function requireTyped(stack: string, given: string | undefined): Promise<void> {
  const typed = given ?? (await ask(`Type ${stack} to remove this: `))
  if (typed !== stack) throw new Error('nothing was removed: the name was not typed')
}

async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new Error('nothing was removed: there is nobody to ask; give --confirm with the name of the stack')
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}
