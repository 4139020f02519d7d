/** Bad input: one line naming file and place; exit code 2. */
export class UsageError extends Error {
  readonly code = 2
}

/** netwhy itself, or a machine it needed, failed; exit code 4. */
export class FailureError extends Error {
  readonly code = 4
}
