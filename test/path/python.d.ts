/** Python programs are imported as text (vitest.config.ts, esbuild's text loader). */
declare module '*.py' {
  const text: string
  export default text
}
