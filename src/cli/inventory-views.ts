/** `netwhy links` and `netwhy rules owners`: single tables of the inventory. */
import type { Command } from 'commander'
import { UsageError } from './errors.ts'
import { formatOf, terminal } from './output.ts'
import { loadEvidence, type SourceOptions, withSource } from './source.ts'

interface ViewOptions extends SourceOptions {
  readonly output: string
}

const LINKS_EXAMPLES = `
Examples:
  # Where does this pod hang on its node?
  netwhy links pod/shop/web-1 --lab

  # Every interface of a node and of its pods
  netwhy links node2 --snapshot snap.tar.gz

Exit code: 0 told, 2 usage, 3 no link was collected, 4 netwhy failed.`

const OWNERS_EXAMPLES = `
Examples:
  # Who made the chains and rules of this node, and which are nobody's?
  netwhy rules owners node2 --inventory inv.yaml

Exit code: 0 told, 2 usage, 3 no rules were collected, 4 netwhy failed.`

/** Declares `netwhy links`. */
export function declareLinks(program: Command): void {
  const command = program
    .command('links [node-or-pod]')
    .summary('Show interfaces and how pods hang on their nodes')
    .description('List every interface with its type, and pod ↔ veth ↔ bridge with hairpin and MTU.')
    .option('-o, --output <format>', 'text, json or yaml', 'text')
    .addHelpText('after', LINKS_EXAMPLES)
  withSource(command).action(async (reference: string | undefined, options: ViewOptions) => {
    process.exitCode = await view('links', reference, options)
  })
}

/** Declares `netwhy rules owners` below `netwhy rules`. */
export function declareRulesOwners(rules: Command): void {
  const command = rules
    .command('owners [node-or-pod]')
    .summary('Say who made each chain and rule')
    .description('Count chains and rules by owner on every node and in every pod, and list the chains of nobody known.')
    .option('-o, --output <format>', 'text, json or yaml', 'text')
    .addHelpText('after', OWNERS_EXAMPLES)
  withSource(command).action(async (reference: string | undefined, options: ViewOptions) => {
    process.exitCode = await view('owners', reference, options)
  })
}

async function view(what: 'links' | 'owners', reference: string | undefined, options: ViewOptions): Promise<number> {
  const { renderView, VIEW_FORMATS } = await import('../report/inventory.ts')
  const format = formatOf(VIEW_FORMATS, options.output)
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { takeInventory } = await import('../diagnose/inventory/inventory.ts')
  const { narrowTo } = await import('../diagnose/inventory/narrow.ts')
  const { network, objects } = assemble(snapshot)
  const whole = takeInventory(network, objects, { owners: what === 'owners' })
  const inventory = reference === undefined ? whole : narrowTo(whole, reference)
  if (!inventory) throw new UsageError(`${reference}: no node or pod of that name in the evidence`)
  process.stdout.write(renderView(inventory, what, format, terminal()))
  if (what === 'links') return inventory.interfaces.length > 0 ? 0 : 3
  return [...network.netns.values()].some((n) => n.known.has('iptables') || n.known.has('nft')) ? 0 : 3
}
