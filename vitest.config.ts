import { defineConfig } from 'vitest/config'

// Two projects: `unit` is pure and fast; `kernel` builds network namespaces (root only) and runs one file at a time,
// because two labs on one machine would fight over names.
// Shell and Python programs are imported as text, as esbuild's `text` loader does in the build.
const asText = {
  name: 'programs-as-text',
  enforce: 'pre' as const,
  transform: (code: string, id: string) =>
    /\.(sh|py)$/.test(id) ? { code: `export default ${JSON.stringify(code)}`, map: null } : undefined,
}

export default defineConfig({
  plugins: [asText],
  test: {
    projects: [
      {
        plugins: [asText],
        test: {
          name: 'unit',
          include: ['{src,lab,scripts,test}/**/*.test.ts'],
          exclude: ['**/*.kernel.test.ts', 'node_modules/**'],
        },
      },
      {
        plugins: [asText],
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
