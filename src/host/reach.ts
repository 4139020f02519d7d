/** How a node is reached, and the command line that runs a program there. */
import { shellQuote } from './quote.ts'

export type Via =
  | { readonly kind: 'local' }
  /** A named network namespace of this machine. */
  | { readonly kind: 'netns'; readonly name: string }
  /** `user@host`, or a host of the user's ssh configuration. */
  | { readonly kind: 'ssh'; readonly target: string; readonly port?: number; readonly identity?: string }

/** A name as `ip netns` takes it: no path, no option. */
export function isNetnsName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(name)
}

/** A target ssh cannot take for an option, without blanks or control characters. */
export function isSshTarget(target: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.@:%[\]-]{0,254}$/.test(target)
}

/** In words, for messages and the manifest. */
export function describeVia(via: Via): string {
  switch (via.kind) {
    case 'local':
      return 'local'
    case 'netns':
      return `netns ${via.name}`
    case 'ssh':
      return `ssh ${via.target}`
  }
}

/**
 * Program and arguments that run `command` on the node.
 * @param connectTimeout seconds to wait for an ssh connection
 */
export function commandOn(
  via: Via,
  command: readonly string[],
  connectTimeout: number,
): { program: string; args: string[] } {
  switch (via.kind) {
    case 'local':
      return { program: command[0]!, args: command.slice(1) }
    case 'netns':
      return { program: 'ip', args: ['netns', 'exec', via.name, ...command] }
    case 'ssh': {
      const options = ['BatchMode=yes', `ConnectTimeout=${connectTimeout}`, 'ServerAliveInterval=5', 'LogLevel=ERROR']
      const args = ['-T', ...options.flatMap((o) => ['-o', o])]
      if (via.port !== undefined) args.push('-p', String(via.port))
      if (via.identity !== undefined) args.push('-i', via.identity)
      // ssh joins its arguments with blanks and hands them to the remote user's shell.
      args.push('--', via.target, command.map(shellQuote).join(' '))
      return { program: 'ssh', args }
    }
  }
}
