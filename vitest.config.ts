import { defineConfig } from 'vitest/config'

// Two projects: `unit` is pure and fast; `kernel` builds network namespaces (root only) and runs one file at a time,
// because two labs on one machine would fight over names.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{src,lab,scripts,test}/**/*.test.ts'],
          exclude: ['**/*.kernel.test.ts', 'node_modules/**'],
        },
      },
      {
        test: {
          name: 'kernel',
          include: ['{src,lab,test}/**/*.kernel.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
