/** One argument quoted for a POSIX shell: single quotes, with `'` as `'\''` (POSIX.1 XCU 2.2.2). NUL cannot be passed. */
export function shellQuote(argument: string): string {
  if (argument.includes('\0')) throw new Error('an argument may not hold a NUL byte')
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}
