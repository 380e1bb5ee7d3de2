// What differs between two stacks, service by service, in words: what a deployment is about to change, and in which order that can be done. Pure.

import { parseStackFile } from './region-services.ts'

/** A stack file, and the environment that its names are filled in from. */
export type StackVersion = { readonly file: string; readonly environment: Readonly<Record<string, string>> }

export type ServiceChange = {
  readonly service: string
  readonly kind: 'added' | 'removed' | 'changed'
  /** A line each: what changes. Empty where it is added or removed. */
  readonly details: readonly string[]
}

const DETAILS_MAX = 12

type Resource = { readonly name?: string; readonly file?: string }
type Stack = {
  readonly services?: Readonly<Record<string, unknown>>
  readonly networks?: Readonly<Record<string, unknown>>
  readonly configs?: Readonly<Record<string, Resource>>
  readonly secrets?: Readonly<Record<string, Resource>>
}

/** `before`: null where nothing runs. */
export function compareStacks(before: StackVersion | null, after: StackVersion): readonly ServiceChange[] {
  const old = before === null ? new Map<string, Properties>() : servicesOf(readStack(before))
  const now = servicesOf(readStack(after))
  const changes: ServiceChange[] = []
  for (const [service, properties] of now) {
    const former = old.get(service)
    if (former === undefined) changes.push({ service, kind: 'added', details: [] })
    else {
      const details = differences(former, properties)
      if (details.length > 0) changes.push({ service, kind: 'changed', details: shortened(details) })
    }
  }
  for (const service of old.keys()) {
    if (!now.has(service)) changes.push({ service, kind: 'removed', details: [] })
  }
  return changes
}

/** Networks that would have to be other ones: docker makes them once and never changes them. */
export function changedNetworks(before: StackVersion, after: StackVersion): readonly string[] {
  const old = readStack(before).networks ?? {}
  return Object.entries(readStack(after).networks ?? {}).flatMap(([name, network]) =>
    old[name] !== undefined && JSON.stringify(old[name]) !== JSON.stringify(network) ? [name] : [],
  )
}

/** With every name filled in. */
export function readStack({ file, environment }: StackVersion): Stack {
  const text = file.replaceAll(/\$\{(\w+)(?::[^}]*)?\}/g, (_all, name: string) => environment[name] ?? '')
  return (parseStackFile(text).toJS() ?? {}) as Stack
}

/** What it is called in a line → its value, and how a line about it reads. */
type Properties = ReadonlyMap<string, { readonly value: string; readonly asWhole?: string }>

function servicesOf(stack: Stack): ReadonlyMap<string, Properties> {
  return new Map(Object.entries(stack.services ?? {}).map(([name, service]) => [name, propertiesOf(service, stack)]))
}

type Mounted = { readonly source: string; readonly target: string }

function propertiesOf(service: unknown, { configs = {}, secrets = {} }: Stack): Properties {
  const {
    configs: files = [],
    secrets: kept = [],
    ...rest
  } = service as Record<string, unknown> & {
    readonly configs?: readonly Mounted[]
    readonly secrets?: readonly Mounted[]
  }
  const properties = new Map<string, { value: string; asWhole?: string }>()
  for (const file of files) {
    const { name = '', file: path = file.source } = configs[file.source] ?? {}
    properties.set(`file ${file.target}`, {
      value: `${name} ${JSON.stringify(file)}`,
      asWhole: `${path.replace(/^\.\//, '')} changed`,
    })
  }
  for (const secret of kept) {
    const value = `${secrets[secret.source]?.name ?? ''} ${JSON.stringify(secret)}`
    properties.set(`secret ${secret.target}`, { value, asWhole: `secret ${secret.source} is another one` })
  }
  flatten('', rest, properties)
  return properties
}

function flatten(path: string, value: unknown, into: Map<string, { value: string }>): void {
  if (Array.isArray(value)) {
    // What is mounted or published is known by where to; of the rest the place in the list says which.
    for (const [i, item] of value.entries()) flatten(`${path}[${(item as Mounted | null)?.target ?? i}]`, item, into)
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) flatten(path === '' ? key : `${path}.${key}`, member, into)
  } else into.set(path.replace(/^(environment|deploy)\./, ''), { value: String(value) })
}

function differences(old: Properties, now: Properties): readonly string[] {
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key) => {
    const [former, present] = [old.get(key), now.get(key)]
    if (former?.value === present?.value) return []
    if (former !== undefined && present !== undefined) {
      return [present.asWhole ?? `${key}: ${former.value} → ${present.value}`]
    }
    const whole = former?.asWhole !== undefined || present?.asWhole !== undefined
    if (whole) return [`${key} ${present === undefined ? 'goes' : 'comes'}`]
    return [`${key}: ${former?.value ?? 'not set'} → ${present?.value ?? 'not set'}`]
  })
}

function shortened(details: readonly string[]): readonly string[] {
  const more = details.length - DETAILS_MAX
  return more <= 0 ? details : [...details.slice(0, DETAILS_MAX), `and ${more} more`]
}
