// Finds SQL that is built from strings. Works on the syntax tree: what reaches a method that runs SQL, and every text that reads like SQL wherever
// it is, must be constant: a literal, or composed of constants that can be followed to their literals, over imports too. Values go in
// as parameters, names through Kysely. Kysely's own tag (sql`… ${value}`) makes parameters and is no string.

import { posix } from 'node:path'
import { parseAst } from 'vite'
import type { SourceFile } from './repository.ts'

/** The node of an ESTree; what is not looked at stays unknown. */
type Node = { readonly type: string; readonly start: number; readonly [field: string]: unknown }

/** Methods that take SQL as their first argument, of node:sqlite, mysql2, Kysely and our wrappers of them. */
const SINKS = new Set(['query', 'execute', 'prepare', 'exec', 'raw', 'lit', 'compiled', 'rows'])
/** Of Kysely's `sql`: these put a text into the statement as it is. */
const VERBATIM = new Set(['raw', 'lit'])

const NAME = '[`"\\w.@$]+'
/** How statements begin, loosely enough for what one would write and not for prose. */
const SQL = new RegExp(
  `^\\s*(select\\s[^]*\\bfrom\\b|select\\s+(@@|\\w+\\()|insert\\s+(ignore\\s+)?into\\s|replace\\s+into\\s|update\\s+${NAME}\\s+set\\s|delete\\s+from\\s|` +
    'create\\s+(or\\s+replace\\s+)?(unique\\s+)?(table|index|user|role|database|schema|view|trigger|function|event)\\s+(?!of\\b)|' +
    'alter\\s+(table|user|database|instance)\\s|drop\\s+(table|index|user|database|view|trigger)\\s|rename\\s+table\\s|truncate\\s+table\\s|' +
    'grant\\s[^]*\\bto\\b|revoke\\s[^]*\\bfrom\\b|pragma\\s|attach\\s+database|set\\s+(global|session|persist|@@|@\\w|sql_log_bin|password\\s)|' +
    'change\\s+replication\\s|clone\\s+instance\\s|(start|stop|reset)\\s+replica\\b|show\\s+(tables|databases|replica|create|variables|grants)|' +
    'purge\\s+binary\\s|kill\\s+(query|connection|\\$)|call\\s+\\w+\\(|load\\s+data\\s|lock\\s+tables?\\s|with\\s+\\w+\\s+as\\s*\\()',
  'i',
)

/** `path:line: what` for every place where SQL is not constant. */
export function findBuiltSql(files: readonly SourceFile[]): string[] {
  const modules = new Map(files.map((file) => [file.path, new Module(file)]))
  return [...modules.values()].flatMap((module) => new Linter(module, modules).faults())
}

class Module {
  readonly path: string
  readonly text: string
  readonly program: Node
  /** What each name is set to, in any scope of the file. */
  readonly values = new Map<string, (Node | null)[]>()
  readonly imports = new Map<string, { readonly from: string; readonly name: string }>()

  constructor({ path, text }: SourceFile) {
    this.path = path
    this.text = text
    this.program = parseAst(text.replace(/^#!.*/, ''), { lang: 'ts' }) as unknown as Node
    visit(this.program, (node) => this.#remember(node))
  }

  lineOf(node: Node): number {
    return this.text.slice(0, node.start).split('\n').length
  }

  #remember(node: Node): void {
    if (node.type === 'VariableDeclarator') this.#set(node['id'], node['init'])
    else if (node.type === 'AssignmentExpression') {
      // Built up piece by piece: never constant.
      this.#set(node['left'], node['operator'] === '=' ? node['right'] : null)
    } else if (node.type === 'ImportDeclaration') {
      const from = (node['source'] as { value: string }).value
      for (const one of node['specifiers'] as Node[]) {
        const imported = one['imported'] as { name?: string } | undefined
        if (imported?.name !== undefined) {
          this.imports.set((one['local'] as { name: string }).name, { from, name: imported.name })
        }
      }
    }
  }

  #set(target: unknown, value: unknown): void {
    if (!isNode(target) || target.type !== 'Identifier') return
    const name = String(target['name'])
    this.values.set(name, [...(this.values.get(name) ?? []), isNode(value) ? value : null])
  }
}

class Linter {
  readonly #module: Module
  readonly #modules: ReadonlyMap<string, Module>
  /** By line: one line is one fault. */
  readonly #faults = new Map<number, string>()

  constructor(module: Module, modules: ReadonlyMap<string, Module>) {
    this.#module = module
    this.#modules = modules
  }

  faults(): string[] {
    const tagged = new Set<Node>()
    visit(this.#module.program, (node) => {
      if (node.type === 'TaggedTemplateExpression') tagged.add(node['quasi'] as Node)
      if (node.type === 'CallExpression') this.#call(node)
      else if (isText(node) && !tagged.has(node) && SQL.test(opening(node)) && !this.#isConstant(node, this.#module)) {
        this.#fault(node, 'SQL is composed of what is not constant')
      }
    })
    return [...this.#faults.values()]
  }

  #call(node: Node): void {
    const callee = node['callee'] as Node
    const method = nameOf(callee.type === 'MemberExpression' ? callee['property'] : callee)
    const [first] = node['arguments'] as Node[]
    if (method === null || first === undefined || !SINKS.has(method)) return
    const isSqlTag = callee.type === 'MemberExpression' && nameOf(callee['object']) === 'sql'
    if (VERBATIM.has(method)) {
      if (isSqlTag && !this.#isConstant(first, this.#module))
        this.#fault(first, `sql.${method} of what is not constant`)
      return
    }
    if (this.#isBuilt(first, this.#module)) this.#fault(first, `${method}() of a text that was put together`)
  }

  /** A string that was put together of parts that are not all constant; what comes from elsewhere is judged there. */
  #isBuilt(node: Node, module: Module): boolean {
    if (isText(node)) return !this.#isConstant(node, module)
    if (node.type === 'CallExpression') {
      const callee = node['callee'] as Node
      const method = callee.type === 'MemberExpression' ? nameOf(callee['property']) : null
      if (method === 'concat' || method === 'join' || method === 'replace' || method === 'replaceAll') {
        const parts = [callee['object'] as Node, ...(node['arguments'] as Node[])]
        return !parts.every((part) => this.#isConstant(part, module))
      }
      return false
    }
    if (node.type === 'ConditionalExpression') {
      return this.#isBuilt(node['consequent'] as Node, module) || this.#isBuilt(node['alternate'] as Node, module)
    }
    if (node.type === 'Identifier') {
      const values = module.values.get(String(node['name'])) ?? []
      return values.some((value) => value === null || (value !== node && this.#isBuilt(value, module)))
    }
    if (node.type.startsWith('TS') && isNode(node['expression'])) return this.#isBuilt(node['expression'], module)
    return false
  }

  #isConstant(node: Node, module: Module, depth = 0): boolean {
    if (depth > 20) return false
    const all = (nodes: unknown) => (nodes as Node[]).every((one) => this.#isConstant(one, module, depth + 1))
    switch (node.type) {
      case 'Literal':
        return true
      case 'TemplateLiteral':
        return all(node['expressions'])
      case 'BinaryExpression':
        return all([node['left'], node['right']])
      case 'ArrayExpression':
        return all(node['elements'])
      case 'UnaryExpression':
        return all([node['argument']])
      case 'CallExpression': {
        const callee = node['callee'] as Node
        const isJoin = callee.type === 'MemberExpression' && ['join', 'trim'].includes(nameOf(callee['property']) ?? '')
        return isJoin && all([callee['object'], ...(node['arguments'] as Node[])])
      }
      case 'Identifier':
        return this.#isConstantName(String(node['name']), module, depth)
      default:
        // `as const`, `satisfies …`.
        return node.type.startsWith('TS') && isNode(node['expression']) && all([node['expression']])
    }
  }

  #isConstantName(name: string, module: Module, depth: number): boolean {
    const values = module.values.get(name)
    if (values !== undefined) {
      return values.every((value) => value !== null && this.#isConstant(value, module, depth + 1))
    }
    const imported = module.imports.get(name)
    if (imported === undefined || !imported.from.startsWith('.')) return false
    const target = this.#modules.get(posix.join(posix.dirname(module.path), imported.from))
    return target !== undefined && this.#isConstantName(imported.name, target, depth + 1)
  }

  #fault(node: Node, what: string): void {
    const line = this.#module.lineOf(node)
    if (!this.#faults.has(line)) this.#faults.set(line, `${this.#module.path}:${line}: ${what}`)
  }
}

function isText(node: Node): boolean {
  return node.type === 'TemplateLiteral' || (node.type === 'BinaryExpression' && node['operator'] === '+')
}

/** What a text begins with, as far as it is written there; `$` for what is put in. */
function opening(node: Node): string {
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : '$'
  if (node.type === 'BinaryExpression') return opening(node['left'] as Node) + opening(node['right'] as Node)
  if (node.type !== 'TemplateLiteral') return '$'
  return (node['quasis'] as { value: { raw: string } }[]).map((quasi) => quasi.value.raw).join('$')
}

function nameOf(node: unknown): string | null {
  if (!isNode(node)) return null
  const name = node['name']
  return typeof name === 'string' ? name.replace(/^#/, '') : null
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

function visit(node: Node, look: (node: Node) => void): void {
  look(node)
  for (const value of Object.values(node)) {
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) visit(one, look)
  }
}
