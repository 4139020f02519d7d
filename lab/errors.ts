/** The lab could not do what was asked. `code` is the exit code: 2 the request is wrong, 4 the machine or the lab failed. */
export class LabError extends Error {
  readonly code: 2 | 4
  constructor(code: 2 | 4, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
