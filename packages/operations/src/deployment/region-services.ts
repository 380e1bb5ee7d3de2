// Which services of a stack are a region's own: they come and go with it, and nothing else depends on where they run. And a stack file of chosen services
// alone: docker leaves the others as they are.

import { appServiceOf, operatorServiceOf } from '@wintrades/topology'
import { type Document, isMap, isScalar, parseDocument } from 'yaml'

/** App processes and the operator. Databases and Prometheus run on a region's nodes too, but belong to all. */
export function servicesOfRegion(region: string): readonly string[] {
  return [appServiceOf(region), operatorServiceOf(region)]
}

export function onlyServices(stackFile: string, names: readonly string[]): string {
  const document = parseStackFile(stackFile)
  const services = document.get('services')
  if (isMap(services)) {
    services.items = services.items.filter(({ key }) => names.includes(String(isScalar(key) ? key.value : key)))
  }
  return stackFileText(document)
}

/** By YAML 1.1, as docker reads it: `0444` is octal there and must stay so. */
export function parseStackFile(text: string): Document {
  return parseDocument(text, { version: '1.1' })
}

export function stackFileText(document: Document): string {
  return document.toString({ lineWidth: 0 })
}
