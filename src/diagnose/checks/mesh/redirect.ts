/** `mesh-redirect-no-proxy`: rules in a pod send its connections to a proxy that nobody runs. */
import { TCP } from '../../../base/protocol.ts'
import type { Netns } from '../../../model/network.ts'
import type { Rule, Ruleset } from '../../../model/ruleset.ts'
import { type ClusterCheck, type ClusterFinding, netnsInFocus } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof } from '../../view/object-proof.ts'
import { isAlive } from '../../view/pod-view.ts'
import { ruleOwner } from '../../view/rule-owner.ts'
import { shellWord } from '../../view/words.ts'

/** Istio's outbound, inbound and HBONE ports; Linkerd's inbound and outbound. */
const PROXY_PORTS: ReadonlySet<number> = new Set([15001, 15006, 15008, 4143, 4140])

interface Redirect {
  readonly port: number
  readonly rule: Rule
  readonly ruleset: Ruleset
}

/** Redirects of the mesh: its own chains, or the well-known ports of its proxies. */
function redirects(netns: Netns): Redirect[] {
  const out: Redirect[] = []
  for (const ruleset of netns.rulesets)
    for (const table of ruleset.tables)
      for (const chain of table.chains.values())
        for (const rule of chain.rules())
          for (const part of rule.parts) {
            if (part.kind !== 'redirect' || part.port?.kind !== 'range') continue
            const port = part.port.from
            if (PROXY_PORTS.has(port) || ruleOwner(table.name, chain.name) === 'mesh') out.push({ port, rule, ruleset })
          }
  return out
}

export const meshRedirect: ClusterCheck = {
  name: 'mesh-redirect-no-proxy',
  find(state) {
    const { objects } = state
    return netnsInFocus(state).flatMap((netns): ClusterFinding[] => {
      const { pod } = netns
      if (!pod || !netns.known.has('sockets')) return []
      const object = objects.pods.find((p) => p.meta.namespace === pod.namespace && p.meta.name === pod.name)
      if (object && (!isAlive(object) || object.phase !== 'Running')) return []
      const listening = (port: number) =>
        netns.sockets.some((s) => s.protocol === TCP && s.state === 'LISTEN' && s.localPort === port)
      const dead = redirects(netns).filter((r) => !listening(r.port))
      const [one] = dead
      if (!one) return []
      const name = `${pod.namespace}/${pod.name}`
      const ports = [...new Set(dead.map((r) => r.port))].join(', ')
      return [
        clusterFinding('mesh-redirect-no-proxy', {
          severity: 'error',
          hurts: true,
          title: `pod ${name} sends its connections to a mesh proxy on port ${ports}, where nothing listens`,
          text: `The mesh's init container left rules that redirect TCP of this pod to port ${ports} of the pod itself. The proxy that should listen there does not run, so these connections are refused by the pod's own kernel.`,
          where: { node: netns.node, netns: `pod/${name}`, object: `Pod ${name}` },
          concerns: [{ kind: 'pod', ...pod }],
          evidence: [
            ...dead.slice(0, 3).map((r) => ({ artefact: r.ruleset.artefact, line: r.rule.line, text: r.rule.text })),
            object ? podProof(object) : undefined,
          ],
          remedy: {
            text: 'Find out why the proxy does not run (its container, its certificates, its control plane); or take the pod out of the mesh and create it anew, which gives it a namespace without the rules.',
            commands: [
              `kubectl -n ${shellWord(pod.namespace)} get pod ${shellWord(pod.name)} -o jsonpath='{.spec.containers[*].name}'`,
            ],
          },
        }),
      ]
    })
  },
}
