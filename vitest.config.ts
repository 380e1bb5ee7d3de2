// Where the tests are, by tier: `tidy` is about the code itself, `unit` is every package's own, `sim`, `e2e`,
// `cluster` and `long` cross packages.
// `./wintrades test` runs them.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Small machines too use all they have: by default one processor would be left over.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'services/*/test/**/*.test.ts'],
          // Property tests take seconds; on a machine that others use too, several times as many.
          testTimeout: 60_000,
        },
      },
      { test: { name: 'tidy', include: ['tests/tidy/**/*.test.ts'] } },
      { test: { name: 'sim', include: ['tests/sim/**/*.test.ts'], testTimeout: 600_000, fileParallelism: false } },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['tests/cluster/**/*.test.ts'],
          exclude: ['tests/cluster/**/*.long.test.ts'],
          testTimeout: 300_000,
          // The lab's images are built in the first of them.
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'long',
          include: ['tests/cluster/**/*.long.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
