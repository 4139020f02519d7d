import type { Command } from 'commander'
import type { Asked } from '../diagnose/question/asked.ts'
import { UsageError } from './errors.ts'
import { inventoryFile, loadEvidence, type SourceOptions, withSource } from './source.ts'

interface WalkOptions extends SourceOptions {
  readonly protocol?: string
  readonly port?: string
  readonly sourcePort?: string
  readonly namespace: string
  readonly output: string
  readonly prove?: boolean
}

const EXAMPLES = `
Each step is ✓ proven by the evidence, ✗ failed, ? not known, or – not reached
or not needed; the line below it says what was seen and where.

Ends of a connection are written as for netwhy why; TO may also be
  ingress/NS/NAME   an Ingress: class, controller, backend Service
  node/NAME:PORT    a NodePort

Examples:
  # The eight steps from pod to pod
  netwhy walk pod/shop/web-1 pod/shop/api-2:9090 --inventory inv.yaml

  # Service, then the pods behind it
  netwhy walk shop/web-1 svc/shop/api:8080 --lab

  # resolv.conf, DNS Service, the name, then the Service
  netwhy walk shop/web-1 host:api.shop:8080 --snapshot snap.tar.gz

  # A client outside to a NodePort
  netwhy walk external node/node2:30080 --lab

Exit code: 0 reachable, 1 unreachable or partial, 2 usage, 3 unknown,
4 netwhy or the API failed.`

/** Declares `netwhy walk`. */
export function declareWalk(program: Command): void {
  const command = program
    .command('walk <from> <to>')
    .summary('Go through a connection step by step, as a checklist')
    .description(
      'Answer the same question as why, as a numbered checklist: DNS, Service, then the eight steps from pod to pod, each with its evidence.',
    )
    .option('--protocol <name>', "tcp, udp, icmp or sctp; the Service port's own otherwise, or tcp")
    .option('--port <port>', 'destination port, number or name; the one at the end of TO otherwise')
    .option('--source-port <number>', 'source port; old conntrack entries count only when it is given')
    .option('-n, --namespace <name>', 'namespace of references without one', 'default')
    .option('-o, --output <format>', 'text, wide, json, yaml or markdown', 'text')
    .option('--prove', 'also send packets from the source and read their answers')
    .addHelpText('after', EXAMPLES)
  withSource(command).action(async (from: string, to: string, options: WalkOptions) => {
    process.exitCode = await walk(from, to, options)
  })
}

const EXIT_CODES = { reachable: 0, unreachable: 1, partial: 1, unknown: 3 } as const

function portOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535)
    throw new UsageError(`--source-port ${text}: must be a number from 1 to 65535`)
  return Number(text)
}

async function walk(from: string, to: string, options: WalkOptions): Promise<number> {
  const { renderWalk, WALK_FORMATS } = await import('../report/walk.ts')
  const format = WALK_FORMATS.find((f) => f === options.output)
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${WALK_FORMATS.join(', ')}`)
  const sourcePort = portOption(options.sourcePort)
  const inventory = options.prove ? inventoryFile(options) : null
  if (options.prove && inventory === null)
    throw new UsageError('--prove sends packets, which a snapshot cannot: use --inventory or --lab')
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { conclude, inquire } = await import('../diagnose/diagnose.ts')
  const { askWalk } = await import('../diagnose/walk/ask-walk.ts')
  const { brokenWalk, walkOf } = await import('../diagnose/walk/walk.ts')
  const { network, objects } = assemble(snapshot)
  const way = askWalk(network, objects, {
    from,
    to,
    ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    namespace: options.namespace,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
  })
  const followed = async (asked: Asked) => {
    let inquiry = inquire(network, objects, asked)
    if (inventory !== null) {
      const { readInventory } = await import('../collect/inventory.ts')
      const { prove } = await import('./prove.ts')
      const probes = await prove(inquiry, asked, readInventory(inventory))
      if (probes) inquiry = { ...inquiry, probes }
    }
    return walkOf(inquiry, asked, conclude(inquiry, asked), way)
  }
  const result =
    way.asked === null
      ? brokenWalk(way, way.question ?? { from, to, protocol: options.protocol ?? 'tcp', port: null })
      : await followed(way.asked)
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  process.stdout.write(renderWalk(result, format, { colour, width: Math.min(process.stdout.columns ?? 80, 100) }))
  return EXIT_CODES[result.verdict]
}
