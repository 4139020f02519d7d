/** A file the user named is not what it should be: the message names file and place. Exit code 2 at the command line. */
export class BadInputError extends Error {
  readonly code = 2
}

/** Nothing could be collected, or the result could not be written. Exit code 4 at the command line. */
export class CollectError extends Error {
  readonly code = 4
}

/** The reason of a failed file operation, without Node's repetition of the path. */
export function fileReason(e: unknown): string {
  const code = (e as NodeJS.ErrnoException).code
  switch (code) {
    case 'ENOENT':
      return 'no such file or folder'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'EISDIR':
      return 'is a folder'
    case 'ENOTDIR':
      return 'a part of the path is not a folder'
    case 'ENOSPC':
      return 'no space left'
    default:
      return (e as Error).message
  }
}
