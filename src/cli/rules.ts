import type { Command } from 'commander'
import { declareRulesOwners } from './inventory-views.ts'
import type { EvalOptions } from './rules-query.ts'

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value]

const EXAMPLES = `
Examples:
  # Where does node2 send a packet of a pod for a Service address?
  iptables-save > node2.rules
  netwhy rules eval --ruleset node2.rules --local-ip 10.0.0.12 \\
    --src 10.244.2.40:40000 --dst 10.96.10.10:80 --in cni0 --out eth0

  # Many questions in one run
  netwhy rules eval --ruleset node2.rules --local-ip 10.0.0.12 \\
    --queries questions.jsonl

Exit code: 0 answered, 2 usage or bad file, 3 a single answer is unknown.`

/** Declares `netwhy rules` and its subcommands. */
export function declareRules(program: Command): void {
  const rules = program.command('rules').description('Read netfilter rules: what they do to a packet')
  rules
    .command('eval')
    .description('Follow one new connection through saved rulesets, without a cluster')
    .requiredOption('--ruleset <file>', 'iptables-save, ip6tables-save or nft output (repeatable)', collect)
    .option('--ipset <file>', 'ipset save output (repeatable)', collect)
    .option('--local-ip <ip>', "this machine's addresses (repeatable, comma lists)", collect)
    .option('--src <ip[:port]>', 'source of the packet')
    .option('--dst <ip[:port]>', 'destination of the packet')
    .option('--protocol <name>', 'tcp, udp, sctp, icmp, icmpv6 or a number', 'tcp')
    .option('--in <link>', 'link it comes in by')
    .option('--out <link>', 'link it leaves by')
    .option('--in-address <ip>', 'addresses of the in link, for REDIRECT (repeatable, comma lists)', collect)
    .option('--out-address <ip>', 'addresses of the out link, for MASQUERADE (repeatable, comma lists)', collect)
    .option('--mark <n>', 'packet mark, decimal or 0x…')
    .option('--ttl <n>', 'TTL or hop limit as it arrives', '64')
    .option('--dscp <n>', 'differentiated services code point', '0')
    .option('--length <bytes>', 'length of the IP packet')
    .option('--ctstate <state>', 'new, established, related, invalid or untracked', 'new')
    .option('--queries <file>', 'answer one question per line of a JSONL file, one answer per line')
    .option('-o, --output <format>', 'json (default) or text')
    .addHelpText('after', EXAMPLES)
    .action(async (options: EvalOptions) => {
      const { runEval } = await import('./rules-eval.ts')
      process.exitCode = await runEval(options)
    })
  declareRulesOwners(rules)
}
