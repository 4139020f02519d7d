/** kubectl's own flags: which API server, as whom, and the namespace its context names. */
import { type Command, Option } from 'commander'
import type { Access, KubeFlags } from '../kubeapi/access.ts'
import { UsageError } from './errors.ts'

export interface KubeOptions extends KubeFlags {
  /** As kubectl takes it: `30s`, `1m`, or seconds. */
  readonly requestTimeout?: string
}

/** Flags few people need; `docs/kubernetes-api.md` has them all. */
const RARE: readonly (readonly [flags: string, what: string])[] = [
  ['--cluster <name>', 'cluster of the kubeconfig'],
  ['--user <name>', 'user of the kubeconfig'],
  ['-s, --server <url>', 'address of the API server'],
  ['--token <token>', 'bearer token'],
  ['--certificate-authority <file>', 'certificate of the authority that signed the API server’s'],
  ['--client-certificate <file>', 'client certificate'],
  ['--client-key <file>', 'key of the client certificate'],
  ['--insecure-skip-tls-verify', 'do not check the certificate of the API server'],
  ['--tls-server-name <name>', 'name the certificate of the API server must have'],
  ['--as-uid <uid>', 'UID to act as'],
  ['--request-timeout <time>', 'longest wait for one answer, such as 30s'],
]

const GROUP = 'Options of kubectl:'

/**
 * Adds kubectl's flags. Where the command reads from the API server and has `-n` with a default, the default becomes the
 * namespace of the context.
 * @param fromApi whether this run reads from the API server at all
 */
export function withKubeFlags(command: Command, fromApi: (command: Command) => boolean): Command {
  const add = (flags: string, what: string) => command.addOption(new Option(flags, what).helpGroup(GROUP))
  add('--kubeconfig <file>', 'kubeconfig; else KUBECONFIG, else ~/.kube/config')
  add('--context <name>', 'context of the kubeconfig')
  add('--as <user>', 'user to act as')
  command.addOption(
    new Option('--as-group <group>', 'group to act as, may be repeated')
      .argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
      .helpGroup(GROUP),
  )
  for (const [flags, what] of RARE) command.addOption(new Option(flags, what).hideHelp())
  return command.hook('preAction', async (_, acting) => {
    if (acting.getOptionValueSource('namespace') !== 'default' || !fromApi(acting)) return
    const { findAccess } = await import('../kubeapi/access.ts')
    const access = findAccess(acting.opts<KubeOptions>())
    if (access) acting.setOptionValueWithSource('namespace', access.namespace, 'config')
  })
}

/** The API server the flags and the environment name; null when nothing names one. @throws an error with code 2 */
export async function accessBy(options: KubeOptions): Promise<Access | null> {
  const { findAccess } = await import('../kubeapi/access.ts')
  return findAccess(options)
}

/** Milliseconds; undefined when not given, or `0`, which means no limit to kubectl and ours to us. @throws UsageError */
export function requestTimeout(text: string | undefined): number | undefined {
  if (text === undefined || text === '0') return undefined
  const [, number, unit = 's'] = /^(\d{1,5})(ms|s|m|h)?$/.exec(text) ?? []
  if (number === undefined) throw new UsageError(`--request-timeout ${text}: must be a time such as 30s`)
  return Number(number) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h']
}
