// Plain data → YAML in block form, as a person would write it. Text is quoted wherever a reader of YAML 1.1 or 1.2 could take it for something else.

/** Written as it is: a number with leading zeros, such as a file's mode. */
export class Verbatim {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Yaml = string | number | boolean | Verbatim | readonly Yaml[] | { readonly [key: string]: Yaml | undefined }

/** Members that are `undefined` are left out. */
export function formatYaml(value: Yaml): string {
  return `${lines(value).join('\n')}\n`
}

function lines(value: Yaml): readonly string[] {
  if (isScalar(value)) return [scalar(value)]
  if (isList(value)) return value.length === 0 ? ['[]'] : value.flatMap((item) => under('- ', lines(item)))
  const members = Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : [[key, member] as const],
  )
  return members.length === 0 ? ['{}'] : members.flatMap(([key, member]) => memberLines(text(key), member))
}

function memberLines(key: string, value: Yaml): readonly string[] {
  const inner = lines(value)
  if (isScalar(value) || inner[0] === '[]' || inner[0] === '{}') return [`${key}: ${inner[0]}`]
  return [`${key}:`, ...under('  ', inner)]
}

function under(first: string, inner: readonly string[]): readonly string[] {
  return inner.map((line, index) => (index === 0 ? first : '  ') + line)
}

type Scalar = string | number | boolean | Verbatim

function isScalar(value: Yaml): value is Scalar {
  return typeof value !== 'object' || value instanceof Verbatim
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value)
}

function scalar(value: Scalar): string {
  if (value instanceof Verbatim) return value.text
  return typeof value === 'string' ? text(value) : String(value)
}

const PLAIN = /^[A-Za-z_/][A-Za-z0-9_/.@ +=-]*(:[A-Za-z0-9_/.@+=-]+)*$/
/** Words, and what is a number without digits before its exponent. */
const MEANS_SOMETHING = /^(true|false|yes|no|on|off|null|y|n|e[+-]?[\d_]+)$/i

function text(value: string): string {
  const isPlain = PLAIN.test(value) && !MEANS_SOMETHING.test(value) && !value.endsWith(' ')
  return isPlain ? value : JSON.stringify(value)
}
