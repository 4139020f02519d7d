import type { Command } from 'commander'
import {
  askOptions,
  type ConnectionOptions,
  EXIT_CODES,
  inquiryInto,
  provingInventory,
  withConnection,
} from './connection.ts'
import { formatOf, terminal } from './output.ts'
import { loadEvidence } from './source.ts'

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
    .addHelpText('after', EXAMPLES)
  withConnection(command, 'text, wide, json, yaml or markdown').action(
    async (from: string, to: string, options: ConnectionOptions) => {
      process.exitCode = await walk(from, to, options)
    },
  )
}

async function walk(from: string, to: string, options: ConnectionOptions): Promise<number> {
  const { renderWalk, WALK_FORMATS } = await import('../report/walk.ts')
  const format = formatOf(WALK_FORMATS, options.output)
  const question = askOptions(from, to, options)
  const inventory = provingInventory(options)
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { conclude } = await import('../diagnose/diagnose.ts')
  const { askWalk } = await import('../diagnose/walk/ask-walk.ts')
  const { brokenWalk, walkOf } = await import('../diagnose/walk/walk.ts')
  const state = assemble(snapshot)
  const way = askWalk(state.network, state.objects, question)
  const { asked } = way
  const inquiry = asked === null ? null : await inquiryInto(state, asked, inventory)
  const result =
    asked === null || inquiry === null
      ? brokenWalk(way, way.question ?? { from, to, protocol: options.protocol ?? 'tcp', port: null })
      : walkOf(inquiry, asked, conclude(inquiry, asked), way)
  process.stdout.write(renderWalk(result, format, terminal()))
  return EXIT_CODES[result.verdict]
}
