/** The packet arrived and nobody listens: whose mistake is it? */
import { formatEndpoint, formatIp, isLoopback, isUnspecified } from '../../../base/ip.ts'
import { protocolName } from '../../../base/protocol.ts'
import type { PodObject } from '../../../kubeobj/objects.ts'
import type { Netns, Socket } from '../../../model/network.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Failure, Inquiry } from '../../inquiry.ts'
import { withServiceEndpoints } from '../../remedy/service.ts'
import { podProof, serviceProof, sliceProof } from '../../view/object-proof.ts'
import { netnsOfPod, ownerOf } from '../../view/owner.ts'
import { backendsOf, frontendAsked, sameProtocol, serviceName, usableBackends } from '../../view/service-view.ts'
import { placeOf } from '../../view/words.ts'
import { patchService } from './no-endpoints.ts'

function nobodyListens(f: Failure): boolean {
  return f.cause === 'tcp-reset-no-listener' || f.cause === 'udp-no-listener' || f.cause === 'listens-other-address'
}

/** Sockets that take new peers: TCP in LISTEN, UDP without a peer. */
export function listeners(netns: Netns, protocol: number): Socket[] {
  return netns.sockets.filter(
    (s) =>
      s.protocol === protocol &&
      (s.state === 'LISTEN' ||
        (s.state === 'UNCONN' && s.remote === null) ||
        (s.state === 'UNCONN' && s.remotePort === 0)),
  )
}

function socketWords(s: Socket): string {
  const at = isUnspecified(s.local) ? '*' : formatIp(s.local)
  return `${at}:${s.localPort}${s.process ? ` (${s.process})` : ''}`
}

function listens(netns: Netns | undefined, protocol: number, port: number): boolean {
  return netns !== undefined && listeners(netns, protocol).some((s) => s.localPort === port && !isLoopback(s.local))
}

function workload(p: PodObject | undefined): string {
  const owner = p?.meta.owners[0]
  return owner ? `${owner.kind}/${owner.name}` : ''
}

/** `hostport-not-programmed`: a pod of this node claims the port, and no rule gives it to the pod. */
export const hostPortNotProgrammed: Check = {
  name: 'hostport-not-programmed',
  explain(f, q) {
    if (!nobodyListens(f) || f.netns?.kind !== 'host') return null
    const { packet } = f.step
    for (const pod of q.objects.pods) {
      if (pod.nodeName !== f.hop.node || pod.hostNetwork || pod.phase !== 'Running') continue
      const port = pod.containers
        .flatMap((c) => c.ports)
        .find((p) => p.hostPort === packet.dport && sameProtocol(p.protocol, packet.protocol))
      if (!port) continue
      const name = `${pod.meta.namespace}/${pod.meta.name}`
      return diagnosis(f, 'hostport-not-programmed', {
        title: `pod ${name} has hostPort ${packet.dport}, but ${f.hop.node} has no rule for it`,
        text: `Pod ${name} on ${f.hop.node} declares hostPort ${packet.dport} → ${port.containerPort}. No DNAT rule on the node sends that port to the pod and nothing listens on it, so the node itself refuses. Either the CNI chain lacks the portmap plugin, or its rules were flushed after the pod started; nobody writes them again.`,
        evidence: [podProof(pod)],
        where: { object: `Pod ${name}` },
        remedy: {
          text: 'Make sure that portmap is in the CNI configuration, then delete the pod so that its replacement gets the rules; and stop what flushes the nat table. Only the CNI writes these rules, so this cannot be tried on the model.',
          commands: [`kubectl -n ${pod.meta.namespace} delete pod ${pod.meta.name}`],
        },
      })
    }
    return null
  },
}

function viaService(f: Failure, q: Inquiry) {
  const first = f.branch.trace.forward.hops[0]?.steps[0]
  const front = first ? frontendAsked(q, first.packet) : null
  return front && front.port.port !== undefined ? front : null
}

/** `service-target-port-wrong`, `service-selector-too-broad`: the Service sends where this pod does not listen. */
export const serviceTarget: Check = {
  name: 'service-target',
  explain(f, q) {
    if (!nobodyListens(f) || f.cause === 'listens-other-address') return null
    const front = viaService(f, q)
    const { packet } = f.step
    if (!front || !f.netns) return null
    const name = serviceName(front.service)
    const backends = usableBackends(backendsOf(q.objects, front.service, front.port))
    const here = backends.find((b) => formatIp(b.ip) === formatIp(packet.dst))
    if (!here) return null
    const others = backends.filter((b) => b !== here)
    const working = others.filter((b) =>
      b.pod ? listens(netnsOfPod(q.network, b.pod.meta.namespace, b.pod.meta.name), packet.protocol, b.port) : false,
    )
    const own = listeners(f.netns, packet.protocol).filter((s) => !isLoopback(s.local))
    const evidence = [serviceProof(front.service), sliceProof(here.slice), ...own.slice(0, 4).map((s) => s.evidence)]
    const declares = (p: PodObject | undefined) =>
      p?.containers.some((c) => c.ports.some((x) => x.containerPort === here.port)) ?? false
    const stranger =
      working.length > 0 &&
      here.pod !== undefined &&
      working.every((b) => workload(b.pod) !== workload(here.pod) || (declares(b.pod) && !declares(here.pod)))
    if (stranger)
      return diagnosis(f, 'service-selector-too-broad', {
        title: `Service ${name} also selects pod ${here.pod?.meta.name}, which is of another kind`,
        text: `The selector of ${name} (${Object.entries(front.service.selector ?? {})
          .map(([k, v]) => `${k}=${v}`)
          .join(
            ',',
          )}) matches ${placeOf(f)}, which does not listen on ${here.port}; ${working.map((b) => b.pod?.meta.name).join(', ')} of the same Service do. ${backends.length} endpoints share the traffic, so about 1 connection in ${backends.length} is refused.`,
        evidence: [...evidence, here.pod ? podProof(here.pod) : undefined],
        where: { object: `Service ${name}` },
        remedy: { text: 'Add a label to the selector that only the right pods carry.' },
      })
    if (working.length > 0) return null
    const only = own.length === 1 ? own[0] : undefined
    return diagnosis(f, 'service-target-port-wrong', {
      title: `Service ${name} sends to port ${here.port}, where its pods do not listen`,
      text: `Service ${name} maps port ${front.port.port} to targetPort ${front.port.targetPort}. ${placeOf(f)} listens on ${own.map(socketWords).slice(0, 5).join(', ') || 'no port'}; the refusal comes from the pod's own kernel.`,
      evidence,
      where: { object: `Service ${name}` },
      remedy: {
        text: `Set targetPort to the port the container listens on${own[0] ? ` (${own[0].localPort})` : ''}.`,
        ...(only
          ? {
              commands: [
                patchService(front.service, { ports: [{ port: front.port.port, targetPort: only.localPort }] }),
              ],
            }
          : {}),
      },
      ...(only
        ? {
            edit: (n) =>
              withServiceEndpoints(
                n,
                front.service,
                front.port,
                backends.map((b) => ({ ip: b.ip, port: only.localPort })),
              ),
          }
        : {}),
    })
  },
}

/** `service-headless-port`: nothing translates the port of a headless Service. */
export const headlessPort: Check = {
  name: 'service-headless-port',
  explain(f, q) {
    const { service } = f.branch.target
    const { packet } = f.step
    if (!nobodyListens(f) || !service || service.clusterIPs.some((a) => a !== 'None' && a !== '')) return null
    const port = service.ports.find((p) => p.port === packet.dport && sameProtocol(p.protocol, packet.protocol))
    const real = port
      ? backendsOf(q.objects, service, port).find((b) => formatIp(b.ip) === formatIp(packet.dst))?.port
      : undefined
    if (!port || real === undefined || real === packet.dport) return null
    return diagnosis(f, 'service-headless-port', {
      title: `Service ${serviceName(service)} is headless: port ${packet.dport} is not turned into ${real}`,
      text: `The name of a headless Service resolves to the pods themselves, and no rule stands between: targetPort ${port.targetPort} has no effect. ${placeOf(f)} listens on ${real}, the client asks for ${packet.dport}.`,
      evidence: [serviceProof(service)],
      where: { object: `Service ${serviceName(service)}` },
      remedy: {
        text: `Ask for port ${real}, set the Service's port to ${real} as well, or give the Service a cluster IP.`,
      },
    })
  },
}

/** `not-listening`, `listens-on-loopback`, `listens-ipv4-only`, `accept-queue-overflow`. */
export const listener: Check = {
  name: 'listener',
  explain(f, q) {
    const { packet } = f.step
    if (!f.netns) return null
    const all = listeners(f.netns, packet.protocol)
    const onPort = all.filter((s) => s.localPort === packet.dport)
    const where = placeOf(f)
    const protocol = protocolName(packet.protocol)
    if (f.cause === 'accept-queue-full') {
      const s = onPort[0]
      return diagnosis(f, 'accept-queue-overflow', {
        title: `the program on ${where} port ${packet.dport} does not accept: its queue is full`,
        text: `${s ? `${s.recvQueue} connections wait in a queue for ${s.sendQueue}. ` : ''}The kernel drops further SYNs silently, so clients see a timeout although the port is open. The program is stuck or too slow.`,
        evidence: [s?.evidence],
        remedy: {
          text: 'Find out why the program does not accept (stuck worker, too few threads); raise its backlog and net.core.somaxconn if it is only bursts.',
        },
      })
    }
    if (!nobodyListens(f)) return null
    const loopback = onPort.find((s) => isLoopback(s.local))
    if (loopback)
      return diagnosis(f, 'listens-on-loopback', {
        title: `the program on ${where} listens on ${socketWords(loopback)} only`,
        text: `Port ${packet.dport} of ${where} is bound to the loopback address: connections from outside the pod are refused by its kernel.`,
        evidence: [loopback.evidence],
        remedy: { text: 'Bind the program to 0.0.0.0 (or [::]), or to the pod address.' },
      })
    const other = onPort.find((s) => s.local.family !== packet.dst.family)
    if (other && packet.dst.family === 6)
      return diagnosis(f, 'listens-ipv4-only', {
        title: `the program on ${where} port ${packet.dport} listens on IPv4 only`,
        text: `The connection comes over IPv6; the only listener on port ${packet.dport} has the IPv4 address ${formatEndpoint(other.local, other.localPort)}${other.process ? ` (${other.process})` : ''}, so the kernel of ${where} refuses.`,
        evidence: [other.evidence],
        remedy: { text: 'Bind the program to [::], which takes IPv4 as well unless the program asks for IPv6 only.' },
      })
    const owner = ownerOf(q.network, q.objects, packet.dst)
    const open = all.filter((s) => !isLoopback(s.local)).map(socketWords)
    return diagnosis(f, 'not-listening', {
      title: `nothing listens on ${protocol} port ${packet.dport} of ${where}`,
      text: `The packet reaches ${where}, whose kernel refuses it because no program listens on port ${packet.dport}. ${open.length > 0 ? `Open there: ${open.slice(0, 8).join(', ')}.` : `No ${protocol} port is open there.`}`,
      evidence: [
        ...onPort.map((s) => s.evidence),
        owner.kind === 'pod' ? (owner.pod ? podProof(owner.pod) : undefined) : undefined,
      ],
      remedy: { text: 'Use a port that is open, or find out why the program does not listen.' },
    })
  },
}
