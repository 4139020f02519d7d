/** One question to the two-node cluster of cluster.ts, with a few things changed, through the whole engine. */
import { topology } from '../../datapath/testing/topology.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { ConntrackEntry } from '../../model/conntrack.ts'
import type { Answer } from '../../model/finding.ts'
import type { Network } from '../../model/network.ts'
import type { Ruleset } from '../../model/ruleset.ts'
import { conclude, inquire } from '../diagnose.ts'
import type { ProbeReport } from '../inquiry.ts'
import { ask } from '../question/ask.ts'
import { OBJECTS, STATE } from './cluster.ts'

export interface Case {
  /** Replacements in the text of the topology; each must match. */
  readonly edits?: readonly (readonly [string | RegExp, string])[]
  /** Netfilter rules of a netns, by its id. */
  readonly rulesets?: Readonly<Record<string, readonly Ruleset[]>>
  readonly conntrack?: Readonly<Record<string, readonly ConntrackEntry[]>>
  readonly objects?: KubeObjects
  /** pod/client1 when absent. */
  readonly from?: string
  /** Port 8080 of pod web2 on the other node when absent. */
  readonly to?: string
  /** tcp when absent. */
  readonly protocol?: string
  /** What --prove saw. */
  readonly probes?: ProbeReport
}

/** @throws when an edit matches nothing, or the question names what is not there */
export function answer(c: Case): Answer {
  const text = (c.edits ?? []).reduce((t, [from, to]) => {
    const after = t.replace(from, to)
    if (after === t) throw new Error(`no match: ${from}`)
    return after
  }, STATE)
  const network = withConntrack(topology(text, { ...c.rulesets }), c)
  const objects = c.objects ?? OBJECTS
  const asked = ask(network, objects, {
    from: c.from ?? 'pod/client1',
    to: c.to ?? '10.244.2.20:8080',
    protocol: c.protocol ?? 'tcp',
    namespace: 'default',
  })
  return conclude(inquire(network, objects, asked, c.probes), asked)
}

function withConntrack(network: Network, c: Case): Network {
  const netns = new Map(network.netns)
  for (const [id, conntrack] of Object.entries(c.conntrack ?? {})) {
    const known = netns.get(id)
    if (!known) throw new Error(`no netns: ${id}`)
    netns.set(id, { ...known, conntrack })
  }
  return { ...network, netns }
}
