import type { Command } from 'commander'
import type { Deletion } from '../diagnose/policy-diff/overlay.ts'
import { UsageError } from './errors.ts'
import { type DiffOutputOptions, formatOf, given, printDiff, withDiffOutput } from './policy-diff.ts'
import { readFlows } from './policy-flows.ts'
import { loadPolicyObjects, type PolicySourceOptions, warnOf, withPolicySource } from './policy-source.ts'

interface WhatIfOptions extends DiffOutputOptions, PolicySourceOptions {
  readonly namespace: string
  readonly on: readonly string[]
  readonly delete: readonly string[]
}

const EXAMPLES = `
MANIFESTs are laid over the present state as kubectl apply would: an object
of the same kind, namespace and name is replaced, others are added.

Examples:
  # What would this YAML cut, in what is in git?
  netwhy policy what-if deny-all.yaml --on manifests/

  # In a cluster, weighed by traffic that was seen
  hubble observe --last 100000 -o json |
    netwhy policy what-if deny-all.yaml --snapshot snap.tar.gz --flows -

  # What would go wrong, or right, without this policy?
  netwhy policy what-if --delete NetworkPolicy shop/deny-all --on manifests/

Exit code: 0 nothing lost, 1 something lost (see --fail-on), 2 usage,
3 nothing is surely lost but something is not known, 4 netwhy failed.`

const collect = (value: string, list: readonly string[]) => [...list, value]

/** Declares `netwhy policy what-if`. */
export function declarePolicyWhatIf(policy: Command): void {
  const command = policy
    .command('what-if [manifest...]')
    .summary('Say what applying or deleting policies would cut, before it is done')
    .description(
      'Lay manifests over the present state and compare: which connections would be lost or gained, and which observed flows would be cut.',
    )
    .option('--on <path>', 'the present state: files and folders of manifests (repeatable), or a snapshot', collect, [])
    .option('--delete <kind-and-name...>', 'also delete this object: KIND NS/NAME (repeatable)')
    .addHelpText('after', EXAMPLES)
  withPolicySource(withDiffOutput(command)).action(async (manifests: string[], options: WhatIfOptions) => {
    process.exitCode = await whatIf(manifests, options)
  })
}

async function whatIf(manifests: readonly string[], options: WhatIfOptions): Promise<number> {
  const format = await formatOf(options.output)
  const deletions = deletionsOf(options.delete ?? [], options.namespace)
  if (manifests.length === 0 && deletions.length === 0)
    throw new UsageError('nothing would change: give a MANIFEST to apply, or --delete KIND NS/NAME')
  const evidence = options.snapshot !== undefined || options.lab === true || options.inventory !== undefined
  if (options.on.length === 0 && !evidence)
    throw new UsageError(
      'on what? Give --on PATH (manifests or a snapshot), --snapshot PATH, --inventory FILE or --lab',
    )
  const base = await loadPolicyObjects(options.on, options)
  const { noObjects } = await import('../kubeobj/decode.ts')
  const applied =
    manifests.length === 0
      ? { objects: noObjects(), issues: [] }
      : await loadPolicyObjects(manifests, { namespace: options.namespace })
  warnOf([...base.issues, ...applied.issues])
  if (manifests.length > 0 && isEmpty(applied.objects)) throw new UsageError(`${manifests.join(', ')}: no object in it`)
  const { overlay } = await import('../diagnose/policy-diff/overlay.ts')
  const { policyDiff } = await import('../diagnose/policy-diff/diff.ts')
  const { workloadNames } = await import('../intent/policy/matrix/workload-name.ts')
  const laid = overlay(base.objects, applied.objects, deletions, workloadNames(base.objects))
  const missed = laid.missed[0]
  if (missed) throw new UsageError(`--delete: there is no ${missed.kind} ${missed.namespace}/${missed.name}`)
  const flows = options.flows === undefined ? undefined : await readFlows(options.flows)
  const done = [
    ...(manifests.length > 0 ? [`with ${manifests.join(', ')}`] : []),
    ...deletions.map((d) => `without ${d.kind} ${d.namespace}/${d.name}`),
  ]
  const words = { before: 'now', after: done.join(' and '), namespace: options.namespace }
  return printDiff(policyDiff(base.objects, laid.objects, { ...words, ...given(flows) }), format, options.failOn)
}

function isEmpty(
  o: { readonly [list in 'pods' | 'others' | 'namespaces' | 'services' | 'nodes']: readonly unknown[] },
): boolean {
  return o.pods.length + o.others.length + o.namespaces.length + o.services.length + o.nodes.length === 0
}

/** Kinds by the names kubectl takes. */
const KINDS: Readonly<Record<string, string>> = {
  netpol: 'NetworkPolicy',
  networkpolicies: 'NetworkPolicy',
  anp: 'AdminNetworkPolicy',
  banp: 'BaselineAdminNetworkPolicy',
  deploy: 'Deployment',
  sts: 'StatefulSet',
  ds: 'DaemonSet',
  ns: 'Namespace',
  po: 'Pod',
  svc: 'Service',
}

/** `KIND NS/NAME` in two words, or `KIND/NS/NAME` in one. */
function deletionsOf(words: readonly string[], namespace: string): Deletion[] {
  const out: Deletion[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const parts = word.includes('/') ? word.split('/') : [word, ...(words[++i] ?? '').split('/')]
    const [kind = '', ...path] = parts
    const [ns, name] = path.length === 2 ? path : [namespace, path[0]]
    if (!/^[A-Za-z]+$/.test(kind) || !name || path.length > 2 || /\.(ya?ml|json)$/.test(word))
      throw new UsageError(`--delete ${parts.join(' ')}: write KIND NS/NAME; MANIFESTs come before --delete`)
    out.push({ kind: KINDS[kind.toLowerCase()] ?? kind, namespace: ns ?? namespace, name })
  }
  return out
}
