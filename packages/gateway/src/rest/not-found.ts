// Addresses nobody has (404), and methods that an address does not know (405, with those that it does).

import { ApiFault } from '../errors.ts'
import { sendFault } from './error-handler.ts'
import type { Api } from './http.ts'

/** Add it before the routes: it remembers each. */
export function addNotFound(api: Api): void {
  const methodsByPattern = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()
  api.addHook('onRoute', ({ url, method }) => {
    const known = methodsByPattern.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() }
    for (const one of [method].flat()) known.methods.add(one)
    methodsByPattern.set(url, known)
  })
  api.setNotFoundHandler({}, (request, reply) => {
    const path = (request.raw.url ?? '/').split('?', 1)[0] as string
    const matching = [...methodsByPattern.values()].filter(({ pattern }) => pattern.test(path))
    if (matching.length === 0) return sendFault(reply, new ApiFault('NOT_FOUND'))
    const allowed = [...new Set(matching.flatMap(({ methods }) => [...methods]))]
    reply.header('allow', allowed.join(', '))
    return sendFault(reply, new ApiFault('METHOD_NOT_ALLOWED', { details: { allowed } }))
  })
}

/** `/orders/:orderId` matches one step in place of the parameter; `*` the rest. */
function patternOf(url: string): RegExp {
  const steps = url
    .split('/')
    .map((step) => (step.startsWith(':') ? '[^/]+' : step === '*' ? '.*' : step.replace(/[.+?^${}()|[\]\\]/g, '\\$&')))
  return new RegExp(`^${steps.join('/')}$`)
}
