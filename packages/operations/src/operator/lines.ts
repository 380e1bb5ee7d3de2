// The last lines that an operator said, for whoever asks: bounded, and a line that only repeats the one before is not said again.

export type Line = { readonly at: string; readonly part: string; readonly text: string }

const LINES_MAX = 200

export class Lines {
  readonly #lines: Line[] = []
  readonly #last = new Map<string, string>()

  /** True: it is news. */
  add(part: string, text: string): boolean {
    if (this.#last.get(part) === text) return false
    this.#last.set(part, text)
    this.#lines.push({ at: new Date().toISOString(), part, text })
    if (this.#lines.length > LINES_MAX) this.#lines.shift()
    return true
  }

  get recent(): readonly Line[] {
    return this.#lines
  }
}
