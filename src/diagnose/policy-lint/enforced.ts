/** `policy-not-enforced` from the objects alone: the network plugin here is one that knows no policies, and no engine is beside it. */
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Finding } from '../../model/finding.ts'
import { lintFinding, listed, objectOf } from './finding.ts'
import type { LintWorld } from './input.ts'
import { podText } from './subjects.ts'

/** Images of plugins and engines that enforce policies, and of all-in-one distributions' agents. */
const ENGINE =
  /calico|canal|cilium|antrea|weave|kube-router|ovn|npc|network-polic|netpol|azure-npm|aws-node|aws-network-policy|kindnet|romana|anetd|nuage|contiv|tigera|kubeovn|nsx|aci-/i

export function notEnforced(world: LintWorld): Finding[] {
  const [first] = world.policies
  if (!first) return []
  const text = (p: PodObject) => `${p.meta.name} ${p.containers.map((c) => `${c.name} ${c.image ?? ''}`).join(' ')}`
  const flannel = world.objects.pods.find((p) => p.hostNetwork && /flannel/.test(text(p)))
  if (!flannel || world.objects.pods.some((p) => ENGINE.test(text(p)))) return []
  const { length } = world.policies
  return [
    lintFinding('policy-not-enforced', world.input.complete ? 'warning' : 'info', objectOf(first), {
      title: `${length === 1 ? `NetworkPolicy ${first.name} has` : `${length} NetworkPolicies have`} no effect with flannel alone`,
      text: `The network plugin here is flannel (${podText(flannel)}), which knows no policies, and no policy engine is among these objects. What ${listed(world.policies.map((p) => p.name))} should deny gets through.`,
      evidence: [flannel.evidence, first.object.evidence],
      remedy: {
        text: 'Install a policy engine beside it (kube-network-policies, or Calico for policy only).',
        verified: false,
      },
    }),
  ]
}
