// docs/configuration.md, written from the table of variables so that it cannot differ from it.

import { type AnyVariable, VARIABLES } from './variables.ts'

const GROUPS: readonly { readonly title: string; readonly pattern: RegExp }[] = [
  { title: 'Trading', pattern: /^(APP_ENV|REGION|TIMEZONE|TRADING_MODE|RISK_LIMIT|MAX_POSITION_SIZE|MARKETS_FILE)$/ },
  {
    title: 'Process',
    pattern:
      /^(HTTP_|LINK_HOST|LINK_PORT|LINK_PEERS|LINK_C|REGION_ADDRESSES|DATA_|LOG_|STOP_|DRAIN_|TRUSTED_|OPERATOR_FILE)/,
  },
  { title: 'Secrets', pattern: /^(JWT_|ENCRYPTION_KEY|API_KEY|LINK_KEY)/ },
  { title: 'Limits of clients', pattern: /^RATE_LIMIT_/ },
  { title: 'Database', pattern: /^DB_/ },
  { title: 'Cache', pattern: /^(CACHE_DRIVER|REDIS_)/ },
  { title: 'Signals', pattern: /^ML_/ },
]

const INTRODUCTION = `# Configuration

WinTrades is configured by environment variables. Every one is checked at start-up; with a fault the process does not
start, and says which variable, what it found (never for a secret) and what to write. An empty value counts as not given.
This page is written by \`./wintrades docs\` from the table that checks them.

A **secret** may stand in a file instead: \`JWT_SECRET_FILE=/run/secrets/jwt\` instead of \`JWT_SECRET=…\`. Secrets that
are not given are generated on the first start in \`DATA_DIRECTORY/secrets\`, readable only by the owner, and never logged.
**Not used yet** means: checked, and named at start-up, while the part that reads it does not exist.

\`./wintrades up\` passes its own environment on to the processes it starts, and sets for each of them REGION, HTTP_PORT,
LINK_PORT, LINK_PEERS, DATA_DIRECTORY and MARKETS_FILE itself.
`

export function configurationReference(): string {
  const variables: readonly AnyVariable[] = Object.values(VARIABLES)
  const sections = GROUPS.map(({ title, pattern }) => {
    const rows = variables.filter((variable) => pattern.test(variable.name)).map(row)
    return `## ${title}\n\n| variable | value | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`
  })
  const grouped = variables.filter((variable) => GROUPS.some(({ pattern }) => pattern.test(variable.name)))
  if (grouped.length !== variables.length) throw new Error('a variable belongs to no group of the reference')
  return [INTRODUCTION, ...sections].join('\n')
}

function row(variable: AnyVariable): string {
  const value = `${variable.secret ? '**secret**, ' : ''}${variable.kind.meaning}`
  const fallback = variable.default === null ? '–' : `\`${variable.default}\``
  const unused = variable.notUsedYet === undefined ? '' : ` *Not used yet: ${variable.notUsedYet}.*`
  return `| \`${variable.name}\` | ${value} | ${fallback} | ${variable.description}${unused} |`
}
