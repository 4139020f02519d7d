/** `doctor`: every cluster check, and a sample of connections tried on the model, as one report. */
import type { Missing } from '../../model/evidence.ts'
import type { Report, ReportFinding } from '../../model/finding.ts'
import type { ClusterState } from '../cluster/check.ts'
import { CLUSTER_CHECKS } from '../cluster/registry.ts'
import { setupState } from '../setup/state.ts'
import { mergeFindings } from './merge.ts'
import { sampleQuestions } from './sample.ts'
import { concernsScope, inScope, type Scope } from './scope.ts'
import { type Trial, tryAll } from './tried.ts'
import { verdictsOf } from './verdicts.ts'

/** The report on the whole cluster, or on the part `scope` names. */
export function examine(state: ClusterState, scope: Scope = {}): Report {
  const nodeOf = nodeLookup(state)
  const questions = sampleQuestions(state).filter((q) => inScope(q, scope, nodeOf))
  const trial = tryAll(state, questions)
  const found = CLUSTER_CHECKS.flatMap((check) => check.find(state)).filter((f) => concernsScope(f, scope))
  const findings = mergeFindings(found, trial.causes, trial.tried)
  const verdicts = verdictsOf(setupState(state), trial, new Set(faults(trial, findings)))
  const count = (fate: string) => trial.tried.filter((t) => t.fate === fate).length
  return {
    ...verdicts,
    tried: {
      connections: trial.tried.length,
      delivered: count('delivered') + count('outside'),
      undecided: count('unknown'),
    },
    findings,
    missing: missingOf(state, trial),
  }
}

/** Tried connections that die of something reported as an error. */
function faults(trial: Trial, findings: readonly ReportFinding[]) {
  const codes = new Set(findings.filter((f) => f.severity === 'error').map((f) => f.code))
  return trial.causes.filter((c) => codes.has(c.finding.code)).flatMap((c) => c.victims)
}

function nodeLookup({ objects }: ClusterState): (ref: string) => string | undefined {
  const pods = new Map(objects.pods.map((p) => [`pod/${p.meta.namespace}/${p.meta.name}`, p.nodeName]))
  const addresses = new Map(objects.nodes.flatMap((n) => n.addresses.map((a) => [a.address, n.meta.name] as const)))
  return (ref) => {
    if (ref.startsWith('node/')) return ref.slice('node/'.length)
    const address = /^\[?([0-9a-fA-F.:]+?)\]?:\d+$/.exec(ref)?.[1]
    return pods.get(ref.replace(/:\d+$/, '')) ?? (address === undefined ? undefined : addresses.get(address))
  }
}

/** What was not collected, and what the tried connections lacked. */
function missingOf({ network, objects }: ClusterState, trial: Trial): Missing[] {
  const out: Missing[] = [...network.missing]
  const seen = new Set(out.map((m) => m.artefact))
  if (objects.nodes.length === 0 && !objects.known.has('Node'))
    out.push({ artefact: 'objects of kind Node', consequence: 'what the cluster should be is not known' })
  const hosts = [...network.netns.values()].filter((n) => n.kind === 'host')
  if (hosts.length === 0)
    out.push({
      artefact: 'state of the nodes',
      consequence: 'no connection can be tried: only what the objects say was looked at',
    })
  for (const t of trial.tried)
    for (const b of t.branches)
      for (const p of [b.trace.forward, b.trace.reply])
        for (const u of p?.disposition === 'insufficient-info' ? p.unknowns : []) {
          if (seen.has(u)) continue
          seen.add(u)
          out.push({ artefact: u, consequence: 'connections through here cannot be decided' })
        }
  return out
}
