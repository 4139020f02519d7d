/** Who else claims a port that a Service or a hostPort holds on a node ("Blackholes and Wormholes": traffic lands on another pod). */
import { formatEndpoint, isLoopback, parseIp } from '../../../base/ip.ts'
import { protocolName, TCP, UDP } from '../../../base/protocol.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Socket } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof, serviceProof } from '../../view/object-proof.ts'
import { ruleOwner } from '../../view/rule-owner.ts'
import { serviceName } from '../../view/service-view.ts'
import { concernsNode, type Host, hostsOf } from '../links/hosts.ts'
import { type HostPort, hostPortsOn, nodePortsOf } from '../links/node-ports.ts'
import { isPerObject, namesPort, redirects, ruleProof, rulesOf } from './rule-scan.ts'

/** Programs that hold the port on behalf of Kubernetes: old kube-proxy, CRI-O, docker, k3s. */
const HOLDERS = /kube-proxy|k3s|rke2|crio|docker|containerd|kubelet|kube-router|cilium|antrea|svclb|lb-/

/** One party's claim to `port`. */
interface Claim {
  readonly who: string
  readonly wins: boolean
  readonly proof: Evidence
  readonly port: number
  readonly protocol: number
  readonly object?: string
}

function conflict(host: Host, winner: Claim, loser: Claim): ClusterFinding {
  const port = `${protocolName(winner.protocol)} port ${winner.port}`
  return clusterFinding('nodeport-port-conflict', {
    severity: 'error',
    title: `${port} of ${host.node} is claimed by ${winner.who} and by ${loser.who}`,
    text: `Packets to ${port} of ${host.node} are translated before any program of the node sees them, and the first rule that matches wins: they go to ${winner.who}. ${loser.who} gets nothing from outside, although it looks healthy.`,
    where: { node: host.node, netns: 'host', ...(winner.object === undefined ? {} : { object: winner.object }) },
    concerns: concernsNode(host),
    evidence: [winner.proof, loser.proof],
    remedy: { text: `Give one of them another port.` },
  })
}

function listeners(host: Host): Socket[] {
  return host.netns.sockets.filter(
    (s) =>
      !s.raw &&
      ((s.protocol === TCP && s.state === 'LISTEN') ||
        (s.protocol === UDP && s.state === 'UNCONN' && s.remotePort === 0)) &&
      !isLoopback(s.local) &&
      s.process !== undefined &&
      !HOLDERS.test(s.process),
  )
}

const hostPortClaim = (h: HostPort): Claim => ({
  who: `hostPort of pod ${h.pod.meta.namespace}/${h.pod.meta.name}`,
  wins: true,
  proof: podProof(h.pod),
  port: h.hostPort,
  protocol: h.protocol,
  object: `Pod ${h.pod.meta.namespace}/${h.pod.meta.name}`,
})

/** Ports of a Service's externalIPs that are an address of this node: they are taken from its own programs. */
function externalClaims(state: ClusterState, host: Host): Claim[] {
  const own = new Set(
    host.netns.links
      .filter((l) => l.name !== 'kube-ipvs0')
      .flatMap((l) => l.addresses.map((a) => `${a.ip.family} ${a.ip.a} ${a.ip.b} ${a.ip.c} ${a.ip.d}`)),
  )
  return state.objects.services.flatMap((s) =>
    s.externalIPs.some((text) => {
      const ip = parseIp(text)
      return ip !== null && own.has(`${ip.family} ${ip.a} ${ip.b} ${ip.c} ${ip.d}`)
    })
      ? s.ports.map((p) => ({
          who: `Service ${serviceName(s)} (externalIPs)`,
          wins: true,
          proof: serviceProof(s),
          port: p.port,
          protocol: p.protocol.toUpperCase() === 'UDP' ? UDP : TCP,
          object: `Service ${serviceName(s)}`,
        }))
      : [],
  )
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const out: ClusterFinding[] = []
  const nodePorts = nodePortsOf(state.objects)
  const services: Claim[] = nodePorts.map((n) => ({
    who: `Service ${serviceName(n.service)} (nodePort)`,
    wins: true,
    proof: serviceProof(n.service),
    port: n.nodePort,
    protocol: n.protocol,
    object: `Service ${serviceName(n.service)}`,
  }))
  const pods = hostPortsOn(state.objects, host.node)
  const hostPorts = pods.map(hostPortClaim)
  const same = (x: Claim, y: Claim) => x.port === y.port && x.protocol === y.protocol
  for (const h of hostPorts) {
    const s = services.find((c) => same(c, h))
    if (s) out.push(conflict(host, h, s))
  }
  for (const [i, h] of hostPorts.entries()) {
    const other = hostPorts.slice(i + 1).find((c) => same(c, h) && c.object !== h.object)
    if (other) out.push(conflict(host, h, other))
  }
  const translated = [...services, ...hostPorts, ...externalClaims(state, host)]
  for (const s of listeners(host)) {
    const winner = translated.find((c) => c.port === s.localPort && c.protocol === s.protocol)
    if (!winner) continue
    const who = `${s.process} (listens on ${formatEndpoint(s.local, s.localPort)})`
    out.push(conflict(host, winner, { who, wins: false, proof: s.evidence, port: s.localPort, protocol: s.protocol }))
  }
  out.push(...foreignRules(state, host, [...services, ...hostPorts]))
  return out
}

/** Rules of nobody in the cluster that translate the very port, at the hook where node ports are translated. */
function foreignRules(_state: ClusterState, host: Host, claims: readonly Claim[]): ClusterFinding[] {
  const out: ClusterFinding[] = []
  if (claims.length === 0) return out
  const nat = rulesOf(host.netns, (t, c) => {
    if (isPerObject(c.name) || t.name === 'kube-proxy') return false
    const owner = ruleOwner(t.name, c.name)
    return owner === 'admin' || owner === 'firewalld' || owner === 'docker'
  })
  for (const at of nat) {
    if (!redirects(at.rule) || (at.chain.base && at.chain.base.hook === 'output')) continue
    if (at.rule.parts.some((p) => p.kind === 'address' && p.side === 'dst' && !p.negate)) continue
    const claim = claims.find((c) => namesPort(at.rule, c.protocol, c.port))
    if (!claim) continue
    const rule = {
      who: `a rule of ${at.table.name} ${at.chain.name}`,
      wins: true,
      proof: ruleProof(at),
      port: claim.port,
      protocol: claim.protocol,
    }
    out.push(conflict(host, rule, claim))
  }
  return out
}

/** `nodeport-port-conflict`: a node port, a hostPort, a program or a foreign rule on one port. */
export const nodePortClaims: ClusterCheck = {
  name: 'nodeport-port-conflict',
  find: (state) =>
    state.objects.known.has('Service') && state.objects.known.has('Pod')
      ? hostsOf(state).flatMap((host) => ofHost(state, host))
      : [],
}
