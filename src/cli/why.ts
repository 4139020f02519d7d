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
    .addHelpText('after', EXAMPLES)
  withConnection(command, 'text, wide, json, yaml, markdown or html').action(
    async (from: string, to: string, options: ConnectionOptions) => {
      process.exitCode = await why(from, to, options)
    },
  )
}

async function why(from: string, to: string, options: ConnectionOptions): Promise<number> {
  const { ANSWER_FORMATS, renderAnswer } = await import('../report/answer.ts')
  const format = formatOf(ANSWER_FORMATS, options.output)
  const question = askOptions(from, to, options)
  const inventory = provingInventory(options)
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { ask } = await import('../diagnose/question/ask.ts')
  const { conclude } = await import('../diagnose/diagnose.ts')
  const state = assemble(snapshot)
  const asked = ask(state.network, state.objects, question)
  const answer = conclude(await inquiryInto(state, asked, inventory), asked)
  process.stdout.write(renderAnswer(answer, format, terminal()))
  return EXIT_CODES[answer.verdict]
}
