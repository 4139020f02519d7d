/** Shell and Python programs are bundled as text (esbuild's and vitest's loader for `.sh` and `.py`). */
declare module '*.sh' {
  const text: string
  export default text
}

declare module '*.py' {
  const text: string
  export default text
}
