/** A cluster's state for tests of cluster checks: the two-node cluster of cluster.ts with a few things changed. */
import { parseIp } from '../../base/ip.ts'
import { topology } from '../../datapath/testing/topology.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { ConntrackEntry } from '../../model/conntrack.ts'
import type { Netns, NetworkNode, Sysctl } from '../../model/network.ts'
import type { Ruleset } from '../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../cluster/check.ts'
import { OBJECTS, STATE } from './cluster.ts'

export interface Change {
  /** Replacements in the text of the topology; each must match. */
  readonly edits?: readonly (readonly [string | RegExp, string])[]
  /** The whole text, instead of the two-node cluster's. */
  readonly text?: string
  readonly objects?: Partial<KubeObjects>
  readonly rulesets?: Readonly<Record<string, readonly Ruleset[]>>
  /** Fields of a netns, by id. */
  readonly netns?: Readonly<Record<string, Partial<Netns>>>
  readonly nodes?: Readonly<Record<string, Partial<NetworkNode>>>
  /** Sysctls of a netns beside those of the text; null takes one away. */
  readonly sysctls?: Readonly<Record<string, Readonly<Record<string, string | null>>>>
}

export function stateOf(change: Change = {}): ClusterState {
  const text = (change.edits ?? []).reduce((t, [from, to]) => {
    const after = t.replace(from, to)
    if (after === t) throw new Error(`no match: ${from}`)
    return after
  }, change.text ?? STATE)
  const network = topology(text, { ...change.rulesets })
  const netns = new Map(network.netns)
  for (const [id, fields] of Object.entries(change.netns ?? {})) netns.set(id, { ...netns.get(id)!, ...fields })
  for (const [id, values] of Object.entries(change.sysctls ?? {})) {
    const sysctls = new Map<string, Sysctl>(netns.get(id)!.sysctls)
    for (const [key, value] of Object.entries(values))
      if (value === null) sysctls.delete(key)
      else sysctls.set(key, { value, evidence: { artefact: `nodes/${id}/sysctl.txt`, text: `${key} = ${value}` } })
    netns.set(id, { ...netns.get(id)!, sysctls })
  }
  const nodes = new Map(network.nodes)
  for (const [name, fields] of Object.entries(change.nodes ?? {})) nodes.set(name, { ...nodes.get(name)!, ...fields })
  return { network: { ...network, netns, nodes }, objects: { ...OBJECTS, ...change.objects } }
}

export function findings(check: ClusterCheck, change: Change = {}): readonly ClusterFinding[] {
  return check.find(stateOf(change))
}

/** Severity (with ` hurts` where it does), code and place: `['error', 'fdb-wrong', 'node1/host/flannel.1']`. */
export type Row = readonly [severity: string, code: string, place: string]

/** What a check finds, in a fixed order. */
export function summary(check: ClusterCheck, change: Change = {}): Row[] {
  return findings(check, change)
    .map(({ finding: f, hurts }): Row => {
      const place = [f.where.node, f.where.netns, f.where.link].filter((x) => x !== undefined).join('/')
      return [`${f.severity}${hurts ? ' hurts' : ''}`, f.code, place]
    })
    .sort((x, y) => (x.join(' ') < y.join(' ') ? -1 : 1))
}

const address = (text: string) => {
  const found = parseIp(text)
  if (!found) throw new Error(`not an address: ${text}`)
  return found
}

/** `tcp SYN_SENT 10.0.0.1:40000>10.96.0.1:80 10.244.2.2:8080>10.0.0.1:40000 UNREPLIED`: the tuples as conntrack -L prints them. */
export function entry(text: string): ConntrackEntry {
  const words = text.split(' ')
  const tuples = words.filter((w) => w.includes('>')).map((w) => w.split('>').map((e) => e.split(':')))
  const tuple = (i: number) => {
    const [from, to] = tuples[i]!
    return {
      src: address(from![0]!),
      dst: address(to![0]!),
      protocol: words[0] === 'udp' ? 17 : 6,
      sport: Number(from![1]),
      dport: Number(to![1]),
    }
  }
  const state = words[1]!.includes('>') ? undefined : words[1]!
  return {
    original: tuple(0),
    reply: tuple(1),
    ...(state === undefined ? {} : { tcpState: state }),
    seenReply: !words.includes('UNREPLIED'),
    assured: false,
    mark: 0,
    zone: 0,
    evidence: { artefact: 'nodes/node1/host/conntrack.txt', line: 1, text },
  }
}

/** Lines of a kernel log. */
export function log(...lines: readonly string[]): NetworkNode['kernelLog'] {
  return lines.map((text, i) => ({ artefact: 'nodes/node1/node/kernel-log.txt', line: i + 1, text }))
}
