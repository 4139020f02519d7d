/** `apiserver-unreachable`: what kubelet, kube-proxy, CoreDNS and network agents log when they cannot reach the API server. */
import { formatEndpoint, parseIp } from '../../../base/ip.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState, Concern } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { probeOutcome } from '../../setup/probe-text.ts'
import { readyOf } from '../../setup/proof.ts'

/** A log tells of now by its last lines only. */
const LAST = 8
const FAILS =
  /dial tcp (\S+?):? .*?(i\/o timeout|connection refused|no route to host|network is unreachable)|(net\/http: (?:TLS handshake timeout|request canceled while waiting for connection))/i

/** Addresses of the API server: Service default/kubernetes and its endpoints. */
function apiAddresses({ objects }: ClusterState): ReadonlySet<string> {
  const out = new Set<string>()
  const add = (text: string, port: number) => {
    const ip = parseIp(text)
    if (ip) out.add(formatEndpoint(ip, port))
  }
  for (const s of objects.services)
    if (s.meta.namespace === 'default' && s.meta.name === 'kubernetes')
      for (const ip of s.clusterIPs) for (const p of s.ports) add(ip, p.port)
  for (const s of objects.endpointSlices)
    if (s.meta.namespace === 'default' && s.serviceName === 'kubernetes')
      for (const e of s.endpoints) for (const ip of e.addresses) for (const p of s.ports) add(ip, p.port ?? 443)
  return out
}

/** The last lines when at least two of them fail on the API server and the very last ones are not of success again. */
function failing(lines: readonly Evidence[], api: ReadonlySet<string>): readonly { line: Evidence; to: string }[] {
  const bad = lines.slice(-LAST).flatMap((line) => {
    const m = FAILS.exec(line.text)
    const to = m?.[1]?.replace(/:$/, '')
    return to !== undefined && (api.has(to) || /:6443$/.test(to)) ? [{ line, to }] : []
  })
  return bad.length >= 2 && lines.slice(-3).some((l) => bad.some((b) => b.line === l)) ? bad : []
}

const HOW = {
  refused: 'Connection refused: packets arrive at a machine where nothing serves on that port, or a rule rejects them.',
  timeout: 'Timeout: packets or their answers are dropped on the way.',
  'no-route': 'No route to host: the node has no way there, or nobody answers ARP for the next hop.',
  'answered-badly': 'The other end breaks the connection off.',
  other: '',
}

export const apiServerUnreachable: ClusterCheck = {
  name: 'apiserver-unreachable',
  find(state) {
    const api = apiAddresses(state)
    return [...state.network.nodes.values()].flatMap((node): ClusterFinding[] => {
      const files = node.files
      if (!files) return []
      const object = state.objects.nodes.find((n) => n.meta.name === node.name)
      const kubelet = failing(files.kubeletLog ?? [], api)
      const out: ClusterFinding[] = []
      // A kubelet whose Node is Ready reports all the same: its lines are old.
      if (kubelet[0] && (!object || readyOf(object)?.status !== 'True'))
        out.push(finding(`kubelet of ${node.name}`, node.name, kubelet, 'error', [{ kind: 'node', node: node.name }]))
      for (const log of files.logs) {
        const pod = state.objects.pods.find((p) => p.meta.namespace === log.namespace && p.meta.name === log.pod)
        if (state.objects.known.has('Pod') && (!pod || (pod.phase === 'Running' && readyOf(pod)?.status === 'True')))
          continue
        const lines = failing(log.lines, api)
        if (lines[0])
          out.push(
            finding(`${log.namespace}/${log.pod} (${log.container})`, node.name, lines, 'warning', [
              { kind: 'pod', namespace: log.namespace, name: log.pod },
            ]),
          )
      }
      return out
    })
  },
}

function finding(
  who: string,
  node: string,
  lines: readonly { readonly line: Evidence; readonly to: string }[],
  severity: 'error' | 'warning',
  concerns: readonly Concern[],
): ClusterFinding {
  const { line, to } = lines.at(-1)!
  return clusterFinding('apiserver-unreachable', {
    severity,
    title: `${who} does not reach the API server at ${to}`,
    text: `Its log ends with it. ${HOW[probeOutcome(line.text)]} What it knows of pods and Services stays as it was.`,
    where: { node },
    concerns,
    evidence: lines.slice(-3).map((l) => l.line),
    remedy: {
      text: `Ask where the way ends: netwhy why ${severity === 'error' ? `node/${node}` : `pod/${who.split(' ')[0]}`} ${to}.`,
      commands: [`netwhy why ${severity === 'error' ? `node/${node}` : `pod/${who.split(' ')[0]}`} ${to}`],
    },
  })
}
