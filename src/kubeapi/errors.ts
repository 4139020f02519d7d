/** A kubeconfig, or a flag of kubectl, that is not what it should be: one line. Exit code 2 at the command line. */
export class KubeconfigError extends Error {
  readonly code = 2
}

/** The API server could not be reached, or refused everything: one line. Exit code 4 at the command line. */
export class ApiError extends Error {
  readonly code = 4
}
