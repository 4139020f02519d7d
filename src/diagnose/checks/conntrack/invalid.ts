import type { Rule } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { concernsNode, counterProof, type Host, hostsOf, sysctl, sysctlProof } from '../links/hosts.ts'

const LIBERAL = 'net.netfilter.nf_conntrack_tcp_be_liberal'
/** Scans and old connections make some packets invalid on any node. */
const MANY = 1000

function dropsInvalid(rule: Rule): boolean {
  const invalid =
    rule.parts.some((p) => p.kind === 'ctState' && !p.negate && p.states.includes('invalid')) ||
    /ct state invalid|ctstate INVALID/.test(rule.text)
  return invalid && (/-j DROP\b/.test(rule.text) || /\bdrop\b/.test(rule.text))
}

function ofHost(host: Host): ClusterFinding[] {
  const { netns } = host
  const invalid = netns.counters.get('conntrack.invalid') ?? 0
  if (invalid < MANY || sysctl(netns, LIBERAL) !== '0' || !netns.known.has('iptables')) return []
  // Only where kube-proxy translates by iptables and its own chain lacks the rule.
  const chains = netns.rulesets.flatMap((r) =>
    r.tables.flatMap((t) => (t.name === 'filter' && t.family === 'ip' ? [t.chains.get('KUBE-FORWARD')] : [])),
  )
  const forward = chains.filter((c) => c !== undefined && c.rules().length > 0)
  const table = netns.rulesets.flatMap((r) => r.tables).find((t) => t.chains.get('KUBE-FORWARD') === forward[0])
  const direct = table?.chains.get('FORWARD')?.rules() ?? []
  if (forward.length === 0 || [...forward.flatMap((c) => c?.rules() ?? []), ...direct].some(dropsInvalid)) return []
  const first = forward[0]?.rules()[0]
  const artefact = netns.rulesets.find((r) => table && r.tables.includes(table))?.artefact
  return [
    clusterFinding('conntrack-invalid-drop', {
      severity: 'error',
      hurts: true,
      title: `late packets of Services pass ${host.node} untranslated, and the client resets the connection`,
      text: `conntrack called ${invalid} packets invalid (TCP out of window). It does not translate those back, and no rule of KUBE-FORWARD drops them, so a client sees a packet from a pod it never spoke to and answers with a reset: long downloads from a Service break with "connection reset by peer", rarely and under load. The program on either end is not to blame.`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [
        counterProof(netns, 'conntrack.invalid'),
        ...sysctlProof(netns, LIBERAL),
        first && artefact ? { artefact, line: first.line, text: first.text } : undefined,
      ],
      remedy: {
        text: 'Use a kube-proxy that drops invalid packets (1.15 or later), or let conntrack be liberal.',
        commands: [`sysctl -w ${LIBERAL}=1`],
      },
    }),
  ]
}

/** `conntrack-invalid-drop` where invalid packets are not dropped but escape (kubernetes#74839). */
export const conntrackInvalid: ClusterCheck = {
  name: 'conntrack-invalid',
  find: (state) => hostsOf(state).flatMap(ofHost),
}
