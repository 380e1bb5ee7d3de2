// `wintrades test`: runs the tiers one after another and sums their results in one closing line. A tier that cannot run counts
// as failed. What a test is belongs to the tiers: Vitest projects, and for `lint` the formatter and the type checker.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { Command } from 'commander'
import { inRepository, REPOSITORY } from '../repository.ts'

export const TIERS = ['lint', 'unit', 'sim', 'e2e', 'cluster', 'long'] as const
/** Run only where it is named: minutes of waiting for real servers, a file. */
const ASKED_FOR: ReadonlySet<Tier> = new Set(['long'])
export type Tier = (typeof TIERS)[number]

type Totals = {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Each on a line of its own: which, and what it says. */
  readonly failures: readonly string[]
}

type TierOptions = {
  readonly seed?: string
  readonly seeds?: string
  readonly rest: readonly string[]
  /** The tiers were named, not just all of them run. */
  readonly isNamed: boolean
}

const NONE: Totals = { passed: 0, failed: 0, skipped: 0, failures: [] }
const FAILURE_CHARACTERS = 300

const HELP = `
Tiers (all of them but long, in this order, if none is named):
  lint   formatting, lint rules, types, import directions, purity of domain and engine, tidiness
  unit   the tests of every package
  sim    the venue under a seeded scheduler: crashes, delays, partitions, lost answers
  e2e    real processes: trade, kill a region, restart, front door
  cluster
         real MySQL and Redis servers in containers, over a delayed network that is cut: needs Linux, root and Docker
  long   what takes minutes on such servers: full disks, backups as commands and as the operators' part, accounts over promotions,
         promotions and every drill of the database over 80 and 200 ms, a deployment on three nodes; before a
         release, and when such a part has changed

Everything after -- goes to the test runner, for example: wintrades test unit -- packages/engine -t "stop orders"
`

export function testCommand(): Command {
  return new Command('test')
    .description('Runs the tests and ends with one line: N passed, N failed.')
    .argument('[tiers...]', `any of ${TIERS.join(', ')}`)
    .option('--seed <number>', 'sim: run this one seed, as a failure printed it')
    .option('--seeds <count>', 'sim: how many seeds to run')
    .addHelpText('after', HELP)
    .action(async (words: string[], options: { seed?: string; seeds?: string }, command: Command) => {
      const firstOther = words.findIndex((word) => !isTier(word))
      const named = firstOther === -1 ? words : words.slice(0, firstOther)
      const rest = words.slice(named.length)
      if (rest.length > 0 && !process.argv.includes('--')) {
        command.error(`error: ${rest[0]} is not a tier; tiers are ${TIERS.join(', ')}`)
      }
      const tiers = TIERS.filter((tier) => (named.length === 0 ? !ASKED_FOR.has(tier) : named.includes(tier)))
      const totals = await runTiers(tiers, { ...options, rest, isNamed: named.length > 0 })
      process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1
    })
}

function isTier(word: string): word is Tier {
  return (TIERS as readonly string[]).includes(word)
}

async function runTiers(tiers: readonly Tier[], options: TierOptions): Promise<Totals> {
  const results: { tier: Tier; totals: Totals; seconds: number }[] = []
  for (const tier of tiers) {
    heading(tier)
    const started_ms = performance.now()
    const totals = await runTier(tier, options)
    results.push({ tier, totals, seconds: (performance.now() - started_ms) / 1_000 })
  }
  const sum = results.map((result) => result.totals).reduce(add, NONE)
  process.stdout.write('\n')
  for (const { tier, totals, seconds } of results) {
    process.stdout.write(`${tier.padEnd(7)} ${describe(totals)} in ${seconds.toFixed(1)} s\n`)
  }
  // Far above stands more of each; who reads the end alone learns which.
  if (sum.failures.length > 0) process.stdout.write(`\nfailed:\n${sum.failures.map((line) => `  ${line}\n`).join('')}`)
  process.stdout.write(`\n${describe(sum)}\n`)
  return sum
}

/** Never throws: what keeps a tier from running is one failure, said aloud. */
async function runTier(tier: Tier, options: TierOptions): Promise<Totals> {
  try {
    if (tier === 'lint') return await runLint()
    if (NEED_LAB.has(tier) && !canHaveLab()) return withoutLab(tier, options.isNamed)
    const seed = options.seed === undefined ? {} : { SIM_SEED: options.seed, SIM_SEEDS: '1' }
    const seeds = options.seeds === undefined ? {} : { SIM_SEEDS: options.seeds }
    return await runVitest(tier, options.rest, { ...seed, ...seeds })
  } catch (error) {
    const line = `THE TIER ${tier} COULD NOT RUN: ${error instanceof Error ? error.message : String(error)}`
    process.stdout.write(`\n${line}\n`)
    return failure(line)
  }
}

/** These have servers in a lab. */
const NEED_LAB: ReadonlySet<Tier> = new Set(['cluster', 'long'])

/** The lab makes network namespaces and containers. */
function canHaveLab(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0
}

/** A developer's machine may lack what it takes; where it was asked for, and in continuous integration, that is a failure. */
function withoutLab(tier: Tier, isNamed: boolean): Totals {
  const line = `THE TIER ${tier} DID NOT RUN: it needs Linux and root. Run it with sudo: ./wintrades test ${tier}`
  process.stdout.write(`\n${line}\n`)
  return isNamed || process.env['CI'] ? failure(line) : { ...NONE, skipped: 1 }
}

async function runLint(): Promise<Totals> {
  const node = process.execPath
  const bin = (...parts: string[]) => inRepository('node_modules', ...parts)
  const tsc = bin('typescript', 'bin', 'tsc')
  const checks: readonly (readonly [string, readonly string[]])[] = [
    ['format and lint rules', [bin('@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings', REPOSITORY]],
    ['types', [tsc, '-p', inRepository('tsconfig.json')]],
    ['domain without Node or DOM', [tsc, '-p', inRepository('packages', 'domain', 'tsconfig.json')]],
    ['engine without Node or DOM', [tsc, '-p', inRepository('packages', 'engine', 'tsconfig.json')]],
  ]
  let totals = NONE
  for (const [name, args] of checks) {
    const { code, output } = await capture(node, args)
    process.stdout.write(`${code === 0 ? '✓' : '✗'} ${name}\n`)
    if (code !== 0) process.stdout.write(`${output.trimEnd()}\n`)
    totals = add(totals, code === 0 ? { ...NONE, passed: 1 } : failure(name))
  }
  return add(totals, await runVitest('tidy', [], {}))
}

/** Runs one Vitest project with its own reporter on the screen, and reads the totals from its JSON report. */
async function runVitest(
  project: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Totals> {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-test-'))
  try {
    const report = join(directory, 'report.json')
    const vitest = inRepository('node_modules', 'vitest', 'vitest.mjs')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const code = await inherit(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', vitest, 'run', '--project', project, ...reporters, ...args],
      environment,
    )
    return readReport(report, code)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

type Report = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly FileReport[]
}

type FileReport = {
  readonly name: string
  readonly status: string
  readonly message: string
  readonly assertionResults: readonly {
    readonly status: string
    readonly fullName: string
    readonly failureMessages: readonly string[]
  }[]
}

function readReport(path: string, exitCode: number): Totals {
  let report: Report
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch (error) {
    throw new Error(`the test runner left no report (exit code ${exitCode})`, { cause: error })
  }
  // A file that does not even load has no failed test to count, but it is a failure.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = report.numFailedTests + brokenFiles.length
  const failures = report.testResults.flatMap(failuresOf)
  const isOutside = failed === 0 && exitCode !== 0
  return {
    passed: report.numPassedTests,
    failed: isOutside ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
    failures: isOutside ? [`an error outside every test: the runner ended with exit code ${exitCode}`] : failures,
  }
}

function failuresOf(file: FileReport): string[] {
  const path = relative(REPOSITORY, file.name)
  const tests = file.assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => `${path}: ${fullName}: ${firstLine(failureMessages[0])}`)
  return tests.length > 0 || file.status !== 'failed' ? tests : [`${path}: ${firstLine(file.message)}`]
}

function firstLine(text = ''): string {
  const [line = ''] = stripVTControlCharacters(text).trim().split('\n')
  return line.slice(0, FAILURE_CHARACTERS)
}

function failure(line: string): Totals {
  return { ...NONE, failed: 1, failures: [line] }
}

function add(left: Totals, right: Totals): Totals {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
    failures: [...left.failures, ...right.failures],
  }
}

function describe(totals: Totals): string {
  const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''
  return `${totals.passed} passed, ${totals.failed} failed${skipped}`
}

function heading(tier: Tier): void {
  process.stdout.write(`\n── ${tier} ${'─'.repeat(Math.max(0, 60 - tier.length))}\n`)
}

function capture(file: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

function inherit(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment }
    const child = spawn(file, args, { cwd: REPOSITORY, stdio: ['ignore', 'inherit', 'inherit'], env })
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}
