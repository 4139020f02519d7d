/**
 * Cilium's policies as a stage, joined by Kubernetes' NetworkPolicies: all add up, deny rules win (pkg/policy, docs "Policy Rule
 * Basics" and "Deny Policies"). The host always reaches its own pods (allow-localhost); pods reach it as egress rules say.
 */
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import type { Issue } from '../../../model/evidence.ts'
import type { Direction, PolicyPeer } from '../policy.ts'
import type { CompileDialect, StagePolicy, StageRule } from '../stage.ts'
import { complainer } from '../tier.ts'
import { decodeSpec, specsOf } from './rules.ts'

const KINDS = ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy']

/** A policy of Cilium's own: where there is one, Cilium enforces. */
export function isCiliumPolicy(o: OtherObject): boolean {
  return o.apiVersion.startsWith('cilium.io/') && KINDS.includes(o.kind)
}

/** All stages of a cluster where Cilium enforces. */
export const ciliumStages: CompileDialect = (objects: KubeObjects, kubernetes) => {
  const issues: Issue[] = []
  const requires = new Set<Direction>()
  const own = objects.others.filter(isCiliumPolicy).flatMap((o) => {
    const complain = complainer(o, issues)
    const specs = specsOf(o)
    if (specs.length === 0) complain('it has neither spec nor specs')
    return specs.flatMap(([where, spec]) => {
      const decoded = decodeSpec(o, spec, where, objects, complain)
      for (const direction of decoded.requires) requires.add(direction)
      return decoded.policies
    })
  })
  const policies = [...own, ...kubernetes.networkPolicies.policies.map(outsideBlocks)]
  const { admin, baseline } = kubernetes
  return {
    stages: [
      admin,
      {
        name: 'Cilium',
        mode: 'additive',
        policies: requires.size === 0 ? policies : policies.map((p) => narrowed(p, requires)),
        unmatched: 'deny',
        tiesUndefined: false,
        sparesOwnNode: ['ingress'],
      },
      baseline,
    ],
    issues: [...issues, ...[...admin.policies, ...baseline.policies].map(notEverywhere)],
  }
}

const notEverywhere = ({ kind, name, evidence }: StagePolicy): Issue => ({
  artefact: evidence.artefact,
  ...(evidence.line === undefined ? {} : { line: evidence.line }),
  message: `${kind} ${name}: not every version of Cilium enforces it; it is evaluated as if this one did`,
})

function mapRules(policy: StagePolicy, change: (rule: StageRule, direction: Direction) => StageRule): StagePolicy {
  const { ingress, egress } = policy.rules
  return {
    ...policy,
    rules: {
      ...(ingress ? { ingress: ingress.map((r) => change(r, 'ingress')) } : {}),
      ...(egress ? { egress: egress.map((r) => change(r, 'egress')) } : {}),
    },
  }
}

/** An ipBlock does not find pods or nodes here, as no CIDR does (pkg/k8s/network_policy.go makes a CIDR rule of it). */
function outsideBlocks(policy: StagePolicy): StagePolicy {
  return mapRules(policy, (rule) => (rule.peers ? { ...rule, peers: rule.peers.map(outsideBlock) } : rule))
}

function outsideBlock(peer: PolicyPeer): PolicyPeer {
  if (peer.kind !== 'ipBlock') return peer
  const block: PolicyPeer = { kind: 'networks', cidrs: [peer.cidr], outsideOnly: true }
  if (peer.except.length === 0) return block
  return { kind: 'allOf', peers: [block, { kind: 'not', peer: { kind: 'networks', cidrs: peer.except } }] }
}

/** A requirement of one policy narrows what the others allow (rule.go resolveIngressPolicy); by how much is not evaluated. */
function narrowed(policy: StagePolicy, requires: ReadonlySet<Direction>): StagePolicy {
  const why = 'fromRequires and toRequires are not evaluated'
  return mapRules(policy, (rule, direction) => {
    if (!requires.has(direction) || rule.action !== 'allow') return rule
    return { ...rule, condition: rule.condition === undefined ? why : `${rule.condition}; ${why}` }
  })
}
