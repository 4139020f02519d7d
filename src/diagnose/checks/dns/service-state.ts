/** The DNS Service itself, without a question: `dns-tcp-blocked`, `dns-slow`, `dns-upstream-unreachable`. */
import { formatIp, type Ip, isLoopback, parseIp } from '../../../base/ip.ts'
import { TCP, UDP } from '../../../base/protocol.ts'
import { traceConnection } from '../../../datapath/trace.ts'
import { type Forward, forwardsOf } from '../../../kubeobj/corefile.ts'
import type { Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { failuresOf } from '../../failure.ts'
import type { Branch, Inquiry } from '../../inquiry.ts'
import { firstPacket } from '../../question/asked.ts'
import { corefileOf, dnsLogs, dnsPods, loggedQueries } from '../../view/dns-view.ts'
import { podProof, serviceProof } from '../../view/object-proof.ts'
import { netnsOfPod } from '../../view/owner.ts'
import { podName } from '../../view/pod-view.ts'
import { dnsServices, serviceName } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'
import { dnsUpstream } from './dns.ts'

/** A DNS Service that publishes UDP 53 alone: truncated answers are asked for again over TCP and find nobody. */
export const dnsTcp: ClusterCheck = {
  name: 'dns-tcp-blocked',
  find({ objects }) {
    return dnsServices(objects).flatMap((s): ClusterFinding[] => {
      const udp = s.ports.find((p) => p.port === 53 && p.protocol === 'UDP')
      if (!udp || s.ports.some((p) => p.port === 53 && p.protocol === 'TCP')) return []
      const patch = JSON.stringify([
        {
          op: 'add',
          path: '/spec/ports/-',
          value: { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: udp.targetPort },
        },
      ])
      return [
        clusterFinding('dns-tcp-blocked', {
          severity: 'warning',
          title: `Service ${serviceName(s)} has no TCP port 53`,
          text: 'Answers too long for a UDP packet come back truncated and the client asks again over TCP, where nobody listens: names with many addresses or long records do not resolve.',
          where: { object: `Service ${serviceName(s)}` },
          concerns: [{ kind: 'dns' }],
          evidence: [serviceProof(s)],
          remedy: {
            text: 'Publish TCP 53 as well.',
            commands: [
              `kubectl -n ${shellWord(s.meta.namespace)} patch service ${shellWord(s.meta.name)} --type json -p ${shellWord(patch)}`,
            ],
          },
        }),
      ]
    })
  },
}

/** Half of at least so many logged queries taking so long is not one slow outside name. */
const ENOUGH = 20
const SLOW_SECONDS = 1

export const dnsSlow: ClusterCheck = {
  name: 'dns-slow',
  find({ network, objects }) {
    const queries = loggedQueries(dnsLogs(network, objects))
    const slow = queries.filter((q) => q.seconds >= SLOW_SECONDS)
    if (queries.length < ENOUGH || slow.length * 2 < queries.length) return []
    const sorted = queries.map((q) => q.seconds).sort((x, y) => x - y)
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0
    return [
      clusterFinding('dns-slow', {
        severity: 'warning',
        title: `the cluster DNS takes ${median.toFixed(1)} s for half of the queries`,
        text: `${slow.length} of ${queries.length} logged queries took a second or more in CoreDNS itself, so it is not the way to it that is slow.`,
        where: { object: 'CoreDNS' },
        concerns: [{ kind: 'dns' }],
        evidence: slow.slice(-3).map((q) => q.evidence),
        remedy: {
          text: "Look at the upstream's answer times, at CPU limits of CoreDNS, and whether it has enough pods.",
        },
      }),
    ]
  },
}

interface Upstream {
  readonly ip: Ip
  readonly port: number
  readonly protocol: number
}

/** Where a forward line sends from inside `netns`; null when a part of it cannot be told. */
function upstreamsOf(forward: Forward, netns: Netns): Upstream[] | null {
  const out: Upstream[] = []
  for (const to of forward.to) {
    if (to.startsWith('/')) {
      if (!netns.known.has('resolv-conf') || !netns.resolvConf) return null
      for (const ip of netns.resolvConf.nameservers) out.push({ ip, port: 53, protocol: UDP })
      continue
    }
    const tls = to.startsWith('tls://')
    const m = /^(?:dns:\/\/|tls:\/\/)?(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)|([0-9a-fA-F:]+))(?::(\d+))?$/.exec(to)
    const ip = parseIp(m?.[1] ?? m?.[2] ?? m?.[3] ?? '')
    if (!ip) return null
    out.push({ ip, port: Number(m?.[4] ?? (tls ? 853 : 53)), protocol: tls ? TCP : UDP })
  }
  return out.filter((u) => !isLoopback(u.ip))
}

/** Lines of CoreDNS's errors plugin about an upstream that does not answer. */
const TIMEOUT = /plugin\/errors: .*->(\S+?):\d+: (i\/o timeout|read: connection refused|no route to host)/

/** Every upstream of a DNS pod is traced from the pod; when all of them fail, outside names do not resolve through it. */
export const dnsUpstreamState: ClusterCheck = {
  name: 'dns-upstream-unreachable',
  find(state) {
    const read = corefileOf(state.objects)
    if (!read) return []
    const forward = forwardsOf(read.corefile).find((f) => f.zone === '.')
    if (!forward) return []
    const logs = dnsLogs(state.network, state.objects)
    return dnsPods(state.objects).flatMap((pod): ClusterFinding[] => {
      const netns = netnsOfPod(state.network, pod.meta.namespace, pod.meta.name)
      const upstreams = netns ? upstreamsOf(forward, netns) : null
      if (!netns || !upstreams || upstreams.length === 0) return []
      const diagnoses = upstreams.map((u) => explain(state, netns, u, podName(pod)))
      const [one] = diagnoses
      if (!one || diagnoses.some((d) => d === null)) return []
      const said = logs
        .filter((l) => l.pod === pod)
        .flatMap((l) => l.lines.filter((e) => TIMEOUT.test(e.text)).slice(-2))
      const { finding } = one
      return [
        {
          hurts: false,
          concerns: [{ kind: 'dns' }],
          finding: {
            ...finding,
            where: { ...finding.where, object: `Pod ${podName(pod)}` },
            evidence: [...finding.evidence, read.proof(forward.line, forward.text), ...said, podProof(pod)].slice(
              0,
              12,
            ),
          },
          ...(one.edit ? { edit: one.edit } : {}),
        },
      ]
    })
  },
}

/** The diagnosis of the query from the DNS pod to one upstream, when none of its ways gets there. */
function explain({ network, objects }: ClusterState, netns: Netns, u: Upstream, pod: string) {
  const source = { label: `pod/${pod}`, netns: netns.id, ip: null }
  const target = { label: formatIp(u.ip), ip: u.ip, port: u.port, share: 1 }
  const branches: Branch[] = traceConnection(network, {
    from: netns.id,
    packet: firstPacket(u.protocol, null, u.ip, u.port, 0),
  }).map((trace) => ({ source, target, trace }))
  const inquiry: Inquiry = {
    question: { from: source.label, to: target.label, protocol: u.protocol === TCP ? 'tcp' : 'udp', port: u.port },
    protocol: u.protocol,
    network,
    objects,
    branches,
    failures: failuresOf(network, branches),
  }
  const well = (d: string) => d === 'delivered' || d === 'exits-network' || d === 'insufficient-info'
  if (branches.length === 0 || branches.some((b) => well(b.trace.disposition))) return null
  for (const f of inquiry.failures) {
    const found = dnsUpstream.explain(f, inquiry)
    if (found) return found
  }
  return null
}
