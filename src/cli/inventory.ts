/** `netwhy inventory`: what the cluster's network is made of, and who made it. */
import type { Command } from 'commander'
import { UsageError } from './errors.ts'
import { formatOf, terminal } from './output.ts'
import { loadEvidence, type SourceOptions, withSource } from './source.ts'

interface InventoryCommandOptions extends SourceOptions {
  readonly node?: string
  readonly links?: boolean
  readonly output: string
}

const EXAMPLES = `
Examples:
  # The network of a cluster on one screen
  netwhy inventory --inventory inv.yaml

  # One node, with its interfaces and how pods hang on it
  netwhy inventory --node node2 --links --snapshot snap.tar.gz

  # Everything, with evidence, and every chain by owner
  netwhy inventory --lab -o wide

Exit code: 0 told, 2 usage, 3 nothing was collected that tells anything,
4 netwhy or the API failed.`

/** Declares `netwhy inventory`. */
export function declareInventory(program: Command): void {
  const command = program
    .command('inventory')
    .summary('Say what the network of the cluster is made of, and who made it')
    .description(
      'List the design decisions of the cluster network, its layers with their owners, and every place where a packet is rewritten. No judgement: see doctor for that.',
    )
    .option('--node <name>', 'only this node')
    .option('--links', 'also the interfaces, and pod ↔ veth ↔ bridge')
    .option('-o, --output <format>', 'text, wide, json, yaml or markdown', 'text')
    .addHelpText('after', EXAMPLES)
  withSource(command).action(async (options: InventoryCommandOptions) => {
    process.exitCode = await inventory(options)
  })
}

async function inventory(options: InventoryCommandOptions): Promise<number> {
  const { INVENTORY_FORMATS, renderInventory } = await import('../report/inventory.ts')
  const format = formatOf(INVENTORY_FORMATS, options.output)
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { takeInventory } = await import('../diagnose/inventory/inventory.ts')
  const { network, objects } = assemble(snapshot)
  const nodes = [...new Set([...network.nodes.keys(), ...objects.nodes.map((n) => n.meta.name)])]
  if (options.node !== undefined && !nodes.includes(options.node))
    throw new UsageError(
      `--node ${options.node}: not in the evidence; there ${nodes.length === 1 ? 'is' : 'are'} ${nodes.slice(0, 20).join(', ') || 'none'}`,
    )
  const taken = takeInventory(network, objects, {
    ...(options.node === undefined ? {} : { node: options.node }),
    owners: format !== 'text',
  })
  process.stdout.write(renderInventory(taken, format, { ...terminal(), links: options.links === true }))
  return taken.decisions.every((d) => d.state === 'unknown') ? 3 : 0
}
