/** One line on a terminal that is replaced as work goes on. */
export interface Progress {
  readonly show: (message: string) => void
  /** Removes the line. */
  readonly clear: () => void
}

/** Progress on `stream`, or none at all when it is no terminal. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return { show: () => {}, clear: () => {} }
  let shown = false
  return {
    show: (message) => {
      shown = true
      stream.write(`\r\x1b[K${message}`)
    },
    clear: () => {
      if (shown) stream.write('\r\x1b[K')
      shown = false
    },
  }
}
