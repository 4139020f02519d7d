/** Shell programs are bundled as text (esbuild's and vitest's loader for `.sh`). */
declare module '*.sh' {
  const text: string
  export default text
}
