/** `netwhy lab`: a cluster of network namespaces with the real kernel (CONTRACT, "The lab"). */
import { type Command, Option } from 'commander'
import type { LabOptions } from '../../lab/plan.ts'

/** Declares `netwhy lab` and what is below it. The lab itself is loaded when a command runs. */
export function declareLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('A cluster of network namespaces on this machine, with the real kernel, to try things on')
    // `exec` leaves the options after its first argument to the command it runs.
    .enablePositionalOptions()

  lab
    .command('up')
    .description('Start the lab; when one is up already, say so and change nothing')
    .addOption(choice('--topology <name>', 'network plugin', ['flannel', 'hostgw', 'calico'], 'flannel'))
    .addOption(choice('--proxy <mode>', 'kube-proxy mode', ['iptables', 'nftables'], 'iptables'))
    .addOption(choice('--iptables <backend>', 'iptables back end', ['nft', 'legacy'], 'nft'))
    .addOption(choice('--ip-stack <stack>', 'address families', ['ipv4', 'ipv6', 'dual'], 'ipv4'))
    .action(async (o: { topology: string; proxy: string; iptables: string; ipStack: string }) => {
      const { labUp } = await import('./lab-lifecycle.ts')
      const { topology, proxy, iptables, ipStack: stack } = o
      await labUp({ topology, proxy, iptables, stack } as LabOptions)
    })

  lab
    .command('down')
    .description('Take the lab down; nothing is left of it')
    .action(async () => (await import('./lab-lifecycle.ts')).labDown())

  lab
    .command('exec')
    .description('Run a command on a node or in a pod: lab exec pod/tools/client -- curl web.shop')
    .argument('<where>', 'node/NAME or pod/NAMESPACE/NAME')
    .argument('<command...>', 'the command and its arguments, after --')
    .passThroughOptions()
    .action(async (where: string, command: string[]) => (await import('./lab-use.ts')).labExec(where, command))

  lab
    .command('apply')
    .description('Create or change objects, and what follows from them')
    .requiredOption('-f, --filename <file>', 'JSON or YAML file; - for standard input')
    .action(async (o: { filename: string }) => (await import('./lab-use.ts')).labApply(o.filename))

  lab
    .command('delete')
    .description('Delete an object: lab delete networkpolicy shop/deny-all')
    .argument('<kind>')
    .argument('<name>', 'NAMESPACE/NAME, or NAME of what has no namespace')
    .action(async (kind: string, name: string) => (await import('./lab-use.ts')).labDelete(kind, name))

  lab
    .command('break')
    .description('Break something; `netwhy lab list faults` names what can be broken')
    .argument('<fault>')
    .action(async (fault: string) => (await import('./lab-lifecycle.ts')).labBreak(fault))

  lab
    .command('heal')
    .description('Undo every fault: rebuild the lab as it was, with the objects applied so far')
    .action(async () => (await import('./lab-lifecycle.ts')).labHeal())

  lab
    .command('list')
    .description('Show what is up; `list faults` shows what can be broken')
    .argument('[what]', 'lab or faults', 'lab')
    .addOption(choice('-o, --output <format>', 'output format', ['text', 'json', 'yaml'], 'text'))
    .action(async (what: string, o: { output: string }) => (await import('./lab-list.ts')).labList(what, o.output))

  lab.action(() => lab.help({ error: true }))
}

function choice(flags: string, about: string, values: string[], standard: string): Option {
  return new Option(flags, about).choices(values).default(standard)
}
