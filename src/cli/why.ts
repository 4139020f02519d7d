import type { Command } from 'commander'
import { UsageError } from './errors.ts'
import { inventoryFile, loadEvidence, type SourceOptions, withSource } from './source.ts'

interface WhyOptions extends SourceOptions {
  readonly protocol?: string
  readonly port?: string
  readonly sourcePort?: string
  readonly namespace: string
  readonly output: string
  readonly prove?: boolean
}

const EXAMPLES = `
Ends of a connection:
  pod/NS/NAME  svc/NS/NAME[:PORT]  deploy|sts|ds|rs|job|cronjob/NS/NAME
  node/NAME  ip:ADDRESS  host:DNSNAME  external  NS/NAME (pod or workload)
  ADDRESS[:PORT]  [ADDRESS6]:PORT

Examples:
  # Why does web not reach the api Service?
  netwhy why pod/shop/web-1 svc/shop/api:8080 --inventory inv.yaml

  # The same from a saved snapshot, as JSON
  netwhy why shop/web-1 svc/shop/api:http --snapshot snap.tar.gz -o json

  # A DNS query to the cluster DNS, confirmed with real packets
  netwhy why shop/web-1 svc/kube-system/kube-dns:53 --protocol udp --lab --prove

  # A client outside to a NodePort
  netwhy why external 10.0.0.12:30080 --inventory inv.yaml

Exit code: 0 reachable, 1 unreachable or partial, 2 usage, 3 unknown,
4 netwhy or the API failed.`

/** Declares `netwhy why`. */
export function declareWhy(program: Command): void {
  const command = program
    .command('why <from> <to>')
    .summary('Say why one end of a connection does not reach the other')
    .description(
      'Follow a connection hop by hop, both directions and every load-balancing choice, through the state of the nodes; name what kills it, the evidence and a remedy.',
    )
    .option('--protocol <name>', "tcp, udp, icmp or sctp; the Service port's own otherwise, or tcp")
    .option('--port <port>', 'destination port, number or name; the one at the end of TO otherwise')
    .option('--source-port <number>', 'source port; old conntrack entries count only when it is given')
    .option('-n, --namespace <name>', 'namespace of references without one', 'default')
    .option('-o, --output <format>', 'text, wide, json, yaml, markdown or html', 'text')
    .option('--prove', 'also send packets from the source and read their answers')
    .addHelpText('after', EXAMPLES)
  withSource(command).action(async (from: string, to: string, options: WhyOptions) => {
    process.exitCode = await why(from, to, options)
  })
}

const EXIT_CODES = { reachable: 0, unreachable: 1, partial: 1, unknown: 3 } as const

function portOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535)
    throw new UsageError(`--source-port ${text}: must be a number from 1 to 65535`)
  return Number(text)
}

async function why(from: string, to: string, options: WhyOptions): Promise<number> {
  const { ANSWER_FORMATS, renderAnswer } = await import('../report/answer.ts')
  const format = ANSWER_FORMATS.find((f) => f === options.output)
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${ANSWER_FORMATS.join(', ')}`)
  const sourcePort = portOption(options.sourcePort)
  const inventory = options.prove ? inventoryFile(options) : null
  if (options.prove && inventory === null)
    throw new UsageError('--prove sends packets, which a snapshot cannot: use --inventory or --lab')
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { ask } = await import('../diagnose/question/ask.ts')
  const { conclude, inquire } = await import('../diagnose/diagnose.ts')
  const { network, objects } = assemble(snapshot)
  const asked = ask(network, objects, {
    from,
    to,
    ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    namespace: options.namespace,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
  })
  let inquiry = inquire(network, objects, asked)
  if (inventory !== null) {
    const { readInventory } = await import('../collect/inventory.ts')
    const { prove } = await import('./prove.ts')
    const probes = await prove(inquiry, asked, readInventory(inventory))
    if (probes) inquiry = { ...inquiry, probes }
  }
  const answer = conclude(inquiry, asked)
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  process.stdout.write(renderAnswer(answer, format, { colour, width: Math.min(process.stdout.columns ?? 80, 100) }))
  return EXIT_CODES[answer.verdict]
}
