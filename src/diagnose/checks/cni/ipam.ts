/** Addresses of pods: none left, or one given twice. */
import { formatIp, formatPrefix, type Prefix, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { NodeObject } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof, podProof } from '../../view/object-proof.ts'
import { holdsAddress } from '../../view/owner.ts'
import { podConcerns, podsWords, proofsOf, stuckBy } from './sandbox.ts'
import { saysExhausted } from './sandbox-cause.ts'

/** `ipam-exhausted`: the IPAM says so of a pod that waits, or all addresses of the node's range are reserved. */
export const ipamExhausted: ClusterCheck = {
  name: 'ipam-exhausted',
  find(state) {
    const told = stuckBy(state, (c) => c.kind === 'addresses-exhausted').map((g) => {
      const node = state.objects.nodes.find((n) => n.meta.name === g.node)
      const log = ipamLog(state, g.node)
      const seats = node && podSeats(state, node)
      const leak = node && leaked(state, node)
      return clusterFinding('ipam-exhausted', {
        severity: 'error',
        title: `no pod address is left${g.node ? ` on ${g.node}` : ''}: ${podsWords(g.troubles)} cannot start`,
        text: [
          "The network plugin works, but has no free address to give: the node's range, the subnet or the addresses its network interfaces may have are used up.",
          seats && seats.running >= seats.most
            ? `${node.meta.name} runs ${seats.running} pods, and ${seats.most} is the most it may run.`
            : '',
          leak
            ? `${leak.reserved} addresses are reserved on ${node.meta.name} for ${leak.pods} pods: the others were never given back.`
            : '',
        ]
          .filter((t) => t !== '')
          .join(' '),
        where: g.node ? { node: g.node } : {},
        concerns: podConcerns(g.troubles),
        evidence: [...proofsOf(g.troubles), log, node && nodeProof(node), leak?.evidence],
        remedy: {
          text: leak
            ? 'Remove the reservations of pods that are gone (files below /var/lib/cni/networks), after a look at the runtime for pods that still have them.'
            : 'Give the pods a bigger or a second range (in the cloud: a bigger subnet, prefix delegation, more interfaces), or run fewer pods per node.',
        },
      })
    })
    const known = new Set(told.map((f) => f.finding.where.node))
    return [...told, ...state.objects.nodes.filter((n) => !known.has(n.meta.name)).flatMap((n) => full(state, n))]
  },
}

function ipamLog({ network }: ClusterState, node: string | undefined): Evidence | undefined {
  const logs = node === undefined ? [] : (network.nodes.get(node)?.files?.logs ?? [])
  for (const log of logs) {
    const line = log.lines.findLast((l) => saysExhausted(l.text))
    if (line) return line
  }
  return undefined
}

function podSeats(state: ClusterState, node: NodeObject): { readonly running: number; readonly most: number } | null {
  const most = Number(node.allocatable.pods)
  const running = state.objects.pods.filter(
    (p) => p.nodeName === node.meta.name && p.phase !== 'Succeeded' && p.phase !== 'Failed' && p.podIPs.length > 0,
  ).length
  return Number.isInteger(most) && most > 0 ? { running, most } : null
}

/** Addresses of `range` that pods can have: not those of network, gateway and broadcast (host-local allocates from .1, gateway out). */
function usable(range: Prefix): number {
  return 2 ** ((range.ip.family === 4 ? 32 : 128) - range.length) - 3
}

interface Reserved {
  readonly reserved: number
  readonly pods: number
  readonly range: Prefix
  readonly evidence: Evidence
}

function reservations(state: ClusterState, node: NodeObject): Reserved[] {
  const networks = state.network.nodes.get(node.meta.name)?.files?.ipamNetworks ?? []
  return node.podCIDRs.flatMap((text) => {
    const range = parsePrefix(text)
    if (!range) return []
    const pods = state.objects.pods.filter(
      (p) => p.nodeName === node.meta.name && holdsAddress(p) && p.podIPs.length > 0,
    )
    return networks.flatMap((n) => {
      const own = n.addresses.filter((a) => prefixContains(range, a.ip))
      const proof = {
        ...n.evidence,
        text: `${n.evidence.text} ${own.length} addresses of ${formatPrefix(range)} are reserved`,
      }
      return own.length === 0 ? [] : [{ reserved: own.length, pods: pods.length, range, evidence: proof }]
    })
  })
}

function leaked(state: ClusterState, node: NodeObject): Reserved | undefined {
  if (!state.objects.known.has('Pod')) return undefined
  return reservations(state, node).find((r) => r.reserved > r.pods + 10)
}

/** host-local's folder holds every address of the range. */
function full(state: ClusterState, node: NodeObject): ClusterFinding[] {
  const r = reservations(state, node).find((x) => x.reserved >= usable(x.range))
  if (!r) return []
  return [
    clusterFinding('ipam-exhausted', {
      severity: 'warning',
      title: `every pod address of ${node.meta.name} (${formatPrefix(r.range)}) is reserved: the next pod cannot start there`,
      text: `${r.reserved} addresses are reserved for ${r.pods} pods. ${r.reserved > r.pods + 10 ? 'Most belong to pods that are gone: they were never given back (a runtime that crashed, a forced removal).' : 'The range is too small for the pods of this node.'}`,
      where: { node: node.meta.name, object: `Node ${node.meta.name}` },
      concerns: [{ kind: 'object' }],
      evidence: [r.evidence, nodeProof(node)],
      remedy: {
        text:
          r.reserved > r.pods + 10
            ? 'Remove the reservations of pods that are gone (files below /var/lib/cni/networks).'
            : 'Give the nodes bigger ranges (controller-manager --node-cidr-mask-size), or run fewer pods per node.',
      },
    }),
  ]
}

/** `pod-address-duplicate`: two pods that run have one address. */
export const podAddressDuplicate: ClusterCheck = {
  name: 'pod-address-duplicate',
  find(state) {
    const holders = new Map<string, { name: string; namespace: string; node: string; evidence: Evidence[] }[]>()
    const add = (ip: string, name: string, namespace: string, node: string, evidence: Evidence) => {
      const list = holders.get(ip) ?? []
      const same = list.find((h) => h.name === name && h.namespace === namespace)
      if (same) same.evidence.push(evidence)
      else list.push({ name, namespace, node, evidence: [evidence] })
      holders.set(ip, list)
    }
    for (const p of state.objects.pods)
      if (holdsAddress(p) && p.phase === 'Running' && p.meta.deletionTimestamp === undefined)
        for (const ip of p.podIPs) add(ip, p.meta.name, p.meta.namespace, p.nodeName ?? '', podProof(p))
    const going = new Set(
      state.objects.pods
        .filter((p) => p.meta.deletionTimestamp !== undefined || p.phase === 'Succeeded' || p.phase === 'Failed')
        .map((p) => `${p.meta.namespace}/${p.meta.name}`),
    )
    // Only addresses that are some pod's address: bridges inside pods (docker in docker) have the same ones in every pod.
    for (const netns of state.network.netns.values()) {
      if (!netns.pod || going.has(`${netns.pod.namespace}/${netns.pod.name}`)) continue
      for (const link of netns.links)
        for (const a of link.addresses) {
          const ip = formatIp(a.ip)
          if (holders.has(ip) && link.kind !== 'loopback' && link.kind !== 'bridge')
            add(ip, netns.pod.name, netns.pod.namespace, netns.node, a.evidence)
        }
    }
    return [...holders].flatMap(([ip, list]) => {
      if (list.length < 2) return []
      const names = list.map((h) => `${h.namespace}/${h.name}${h.node ? ` (${h.node})` : ''}`)
      return [
        clusterFinding('pod-address-duplicate', {
          severity: 'error',
          title: `${ip} is the address of ${list.length} pods: ${names.slice(0, 3).join(', ')}`,
          text: `Connections to ${ip} reach one of them, and answers to the others are lost. The IPAM forgot a reservation (its files were removed, or two configurations share one range), or somebody set an address by hand.`,
          where: { object: `Pod ${list[0]!.namespace}/${list[0]!.name}` },
          concerns: list.map((h) => ({ kind: 'pod', namespace: h.namespace, name: h.name })),
          evidence: list.flatMap((h) => h.evidence),
          remedy: {
            text: 'Delete the pod whose address the IPAM does not know, and look at what gives out addresses twice.',
            commands: [`kubectl -n ${list.at(-1)!.namespace} delete pod ${list.at(-1)!.name}`],
          },
        }),
      ]
    })
  },
}
