/** Makes the namespaces of a lab and everything in them. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { decodeObjects } from '../src/kubeobj/decode.ts'
import { coverNames } from './cover.ts'
import { LabError } from './errors.ts'
import { writeInventory } from './inventory.ts'
import { type KubeJson, ofKind } from './kubejson.ts'
import { claimNetns } from './ownership.ts'
import { families, type LabOptions, type LabPlace, NODES, type NodePlan, nodeNetns } from './plan.ts'
import { machineResolvConf, type PodPlan, plugScript, podPlan, resolvConfOf, writeResolvConf } from './pods.ts'
import { compilePolicies } from './policy/compile.ts'
import { policyIptables, policyNft } from './policy/render.ts'
import { kubeletChains, proxySync, restore } from './proxy.ts'
import { run, script } from './run.ts'
import { nodeServer, outsideServer, podServer, type Server, serverProgram, startServer } from './servers.ts'
import { withSlices } from './slices.ts'
import { requireRoot, writeObjects } from './state.ts'
import { calicoBatch, calicoFdbLines, calicoJumps, calicoRules, calicoSets } from './topology/calico.ts'
import { cniBatch, fdbLines, flannelRules } from './topology/flannel.ts'
import { fabricBatch, machineNetns, nodeScript, outsideScript } from './topology/underlay.ts'

const TOOLS = ['ip', 'bridge', 'nft', 'ipset']

/** A LabError when this machine cannot hold a lab: not root, a tool or br_netfilter missing. */
export async function checkMachine(options: LabOptions, signal?: AbortSignal): Promise<void> {
  requireRoot()
  const tools = [...TOOLS, `iptables-${options.iptables}-restore`, `ip6tables-${options.iptables}-restore`]
  const path = (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin')
  const missing = tools.filter((t) => !path.some((dir) => existsSync(`${dir}/${t}`)))
  if (missing.length > 0)
    throw new LabError(4, `the lab needs ${missing.join(', ')} (Debian: iproute2, iptables, nftables, ipset)`)
  if (!existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')) {
    await run(['modprobe', 'br_netfilter'], { mayFail: true, signal })
    if (!existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables'))
      throw new LabError(4, 'the lab needs the kernel module br_netfilter, which this kernel does not load')
  }
}

/** Builds a whole lab for these objects (slices are made here) and starts its processes. Answers kube-proxy's chains. */
export async function build(
  place: LabPlace,
  options: LabOptions,
  start: readonly KubeJson[],
  signal?: AbortSignal,
): Promise<Record<string, readonly string[]>> {
  const program = serverProgram(process.env)
  const objects = withSlices(start)
  const pods = ofKind(objects, 'Pod').flatMap((pod) => {
    const plan = podPlan(place, pod, options)
    return plan ? [{ pod, plan, server: podServer(place, pod, options) }] : []
  })
  writeObjects(place, objects)
  writeInventory(
    place,
    pods.map((p) => p.plan),
  )

  const netns = [...machineNetns(place), ...pods.map((p) => p.plan.netns)]
  await addNetns(place, netns, signal)
  for (const name of machineNetns(place).slice(1)) writeResolvConf(name, machineResolvConf(options))
  for (const { pod, plan } of pods) writeResolvConf(plan.netns, resolvConfOf(pod, options))
  // The switch forwards frames and filters nothing, whatever the nodes do.
  const fabric = `echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables
ip -batch - <<'END'
${fabricBatch(place)}END
`
  await script(nodeNetns(place, 'fabric'), fabric, signal)

  const chains: Record<string, readonly string[]> = {}
  const start1 = (server: Server | null) => (server ? startServer(place, server, program) : undefined)
  await settle([
    script(nodeNetns(place, 'outside'), outsideScript(options), signal).then(() =>
      start1(outsideServer(place, options)),
    ),
    ...NODES.map(async (node) => {
      const mine = pods.filter((p) => p.plan.node.index === node.index)
      const network =
        nodeScript(node, options) + cniScript(node, options) + mine.map((p) => plugScript(p.plan, options)).join('')
      await script(nodeNetns(place, node.name), network, signal)
      const servers = settle([start1(nodeServer(place, node)), ...mine.map((p) => start1(p.server))])
      const rules = nodeRules(
        objects,
        node,
        options,
        mine.map((p) => p.plan),
        null,
      )
      Object.assign(chains, rules.chains)
      await settle([servers, script(nodeNetns(place, node.name), cniRules(node, options) + rules.script, signal)])
    }),
  ])
  return chains
}

/**
 * Makes network namespaces with one program. Its input is a file of the lab's folder, so that the program can be told by
 * its arguments: should this process be killed now, it would run on.
 */
async function addNetns(place: LabPlace, names: readonly string[], signal?: AbortSignal): Promise<void> {
  await coverNames(place)
  claimNetns(place, names)
  const batch = join(place.dir, 'work', 'netns.batch')
  mkdirSync(dirname(batch), { recursive: true })
  writeFileSync(batch, names.map((n) => `netns add ${n}\n`).join(''))
  await run(['ip', '-batch', batch], { signal })
}

/** Waits for all, then throws the first failure: nothing is left running unseen. */
async function settle(work: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(work)
  const failed = results.find((r) => r.status === 'rejected')
  if (failed) throw failed.reason
}

function cniScript(node: NodePlan, options: LabOptions): string {
  const calico = options.topology === 'calico'
  const fdb = calico ? calicoFdbLines(node, options) : fdbLines(node, options)
  return `ip -batch - <<'END'
${(calico ? calicoBatch(node, options) : cniBatch(node, options)).join('\n')}
END
${fdb.length > 0 ? `bridge -batch - <<'END'\n${fdb.join('\n')}\nEND\n` : ''}`
}

/** The rules the CNI and kubelet make once. */
function cniRules(node: NodePlan, options: LabOptions): string {
  const fs = families(options.stack)
  if (options.topology === 'calico')
    return (
      kubeletChains(options) +
      `ipset restore <<'END'\n${calicoSets(options)}END\n` +
      fs.map((f) => restore(options, f, calicoJumps())).join('')
    )
  return kubeletChains(options) + fs.map((f) => restore(options, f, flannelRules(node, f))).join('')
}

/** Shell lines for what follows the objects on one node: kube-proxy, policies, Felix' endpoints. `known` null: the first time. */
export function nodeRules(
  objects: readonly KubeJson[],
  node: NodePlan,
  options: LabOptions,
  pods: readonly PodPlan[],
  known: Readonly<Record<string, readonly string[]>> | null,
): { script: string; chains: Record<string, readonly string[]> } {
  const proxy = proxySync(decodeObjects([{ artefact: 'objects.json', value: objects }]).value, node, options, known)
  const chains = proxy.chains
  let text = proxy.script
  if (options.topology === 'calico')
    for (const f of families(options.stack))
      text += restore(
        options,
        f,
        calicoRules(
          f,
          pods.map((p) => p.veth),
        ),
      )
  const policies = compilePolicies(objects).filter((p) => p.node === node.name)
  if (options.proxy === 'nftables') text += `nft -f - <<'END'\n${policyNft(policies)}END\n`
  else
    for (const f of families(options.stack)) {
      const key = `policy/${node.name}/${f}`
      const rendering = policyIptables(policies, f, known === null, known?.[key] ?? [])
      chains[key] = rendering.chains
      text += restore(options, f, rendering.text)
    }
  return { script: text, chains }
}
