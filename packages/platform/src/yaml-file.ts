// Reads a YAML file and has its content checked by whoever owns its meaning; every fault comes back with file, line and path.

import { readFileSync } from 'node:fs'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'

/** A fault of the content: where (`instruments[2].tick_size`), and what to write instead. */
export type ContentFault = { readonly path: string; readonly message: string }

export type FileFault = ContentFault & { readonly file: string /** 0: the file as a whole. */; readonly line: number }

type Refused<Fault> = { readonly ok: false; readonly faults: readonly Fault[] }

const FILE_BYTES_MAX = 4 * 1024 * 1024

/**
 * @example
 * const result = readYamlFile('markets.yml', readMarkets)
 * if (!result.ok) for (const fault of result.faults) console.error(formatFileFault(fault))
 */
export function readYamlFile<Accepted extends { readonly ok: true }>(
  file: string,
  check: (raw: unknown) => Accepted | Refused<ContentFault>,
): Accepted | Refused<FileFault> {
  const text = readText(file)
  if (!text.ok) return { ok: false, faults: [{ file, line: 0, path: '', message: text.fault }] }
  const lines = new LineCounter()
  const document = parseDocument(text.text, { lineCounter: lines, uniqueKeys: true })
  if (document.errors.length > 0) {
    const faults = document.errors.map((error) => ({
      file,
      line: lines.linePos(error.pos[0]).line,
      path: '',
      message: error.message.split('\n')[0] ?? error.code,
    }))
    return { ok: false, faults }
  }
  const result = check(document.toJS())
  if (result.ok) return result
  return {
    ok: false,
    faults: result.faults.map((fault) => ({ file, line: lineOf(document, lines, fault.path), ...fault })),
  }
}

/** `markets.yml:12: instruments[2].tick_size must be greater than zero` */
export function formatFileFault(fault: FileFault): string {
  const place = fault.line > 0 ? `${fault.file}:${fault.line}` : fault.file
  return `${place}: ${fault.path === '' ? '' : `${fault.path} `}${fault.message}`
}

function readText(file: string): { ok: true; text: string } | { ok: false; fault: string } {
  try {
    const bytes = readFileSync(file)
    if (bytes.length > FILE_BYTES_MAX) return { ok: false, fault: `is larger than ${FILE_BYTES_MAX} bytes` }
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return { ok: false, fault: 'does not exist' }
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { ok: false, fault: 'is not UTF-8 text' }
    return { ok: false, fault: `cannot be read (${code ?? String(error)})` }
  }
}

/** The line of the node at `path`, or of its nearest ancestor that exists. */
function lineOf(document: Document, lines: LineCounter, path: string): number {
  const keys = path.split(/[.[\]]+/).filter((part) => part !== '')
  for (let length = keys.length; length > 0; length -= 1) {
    const node = document.getIn(
      keys.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key)),
      true,
    )
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}
