/** What `why` and `walk` share: how a connection is asked about, and how its inquiry is made, with packets when allowed. */
import type { Command } from 'commander'
import type { ClusterState } from '../diagnose/cluster/check.ts'
import type { Inquiry } from '../diagnose/inquiry.ts'
import type { AskOptions } from '../diagnose/question/ask.ts'
import type { Asked } from '../diagnose/question/asked.ts'
import { UsageError } from './errors.ts'
import { inventoryFile, type SourceOptions, withSource } from './source.ts'

export interface ConnectionOptions extends SourceOptions {
  readonly protocol?: string
  readonly port?: string
  readonly sourcePort?: string
  readonly namespace: string
  readonly output: string
  readonly prove?: boolean
}

/** Exit code for each verdict (CONTRACT, `why`). */
export const EXIT_CODES = { reachable: 0, unreachable: 1, partial: 1, unknown: 3 } as const

/** Adds the options of a question about one connection, and where evidence comes from. */
export function withConnection(command: Command, formats: string): Command {
  return withSource(
    command
      .option('--protocol <name>', "tcp, udp, icmp or sctp; the Service port's own otherwise, or tcp")
      .option('--port <port>', 'destination port, number or name; the one at the end of TO otherwise')
      .option('--source-port <number>', 'source port; old conntrack entries count only when it is given')
      .option('-n, --namespace <name>', 'namespace of references without one', 'default')
      .option('-o, --output <format>', formats, 'text')
      .option('--prove', 'also send packets from the source and read their answers'),
  )
}

function sourcePortOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535)
    throw new UsageError(`--source-port ${text}: must be a number from 1 to 65535`)
  return Number(text)
}

/** The options as `ask` takes them. @throws UsageError */
export function askOptions(from: string, to: string, options: ConnectionOptions): AskOptions {
  const sourcePort = sourcePortOf(options.sourcePort)
  return {
    from,
    to,
    namespace: options.namespace,
    ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
  }
}

/** The inventory to send packets from; null without `--prove`. @throws UsageError for a snapshot */
export function provingInventory(options: SourceOptions & { readonly prove?: boolean }): string | null {
  if (!options.prove) return null
  const file = inventoryFile(options)
  if (file === null) throw new UsageError('--prove sends packets, which a snapshot cannot: use --inventory or --lab')
  return file
}

/** The inquiry, with what packets said when `inventory` names where to send them from. */
export async function inquiryInto(state: ClusterState, asked: Asked, inventory: string | null): Promise<Inquiry> {
  const { inquire } = await import('../diagnose/diagnose.ts')
  const inquiry = inquire(state.network, state.objects, asked)
  if (inventory === null) return inquiry
  const { readInventory } = await import('../collect/inventory.ts')
  const { prove } = await import('./prove.ts')
  const probes = await prove(inquiry, asked, readInventory(inventory))
  return probes ? { ...inquiry, probes } : inquiry
}
