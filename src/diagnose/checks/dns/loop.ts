/** `dns-loop`: CoreDNS forwards to itself (coredns plugin/loop README, "Troubleshooting Loops In Kubernetes Clusters"). */
import { formatIp, isLoopback, parseIp } from '../../../base/ip.ts'
import { type Forward, forwardsOf } from '../../../kubeobj/corefile.ts'
import type { PodObject } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ResolvConf } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { corefileOf, dnsLogs, dnsPods } from '../../view/dns-view.ts'
import { podProof } from '../../view/object-proof.ts'
import { hostNetns, netnsOfPod } from '../../view/owner.ts'
import { isReady, podName } from '../../view/pod-view.ts'
import { dnsServices } from '../../view/service-view.ts'

const DETECTED = /Loop \(.*\) detected for zone/
/** The stub of systemd-resolved, and where it keeps the real resolvers. */
const REAL = '/run/systemd/resolve/resolv.conf'

export const dnsLoop: ClusterCheck = {
  name: 'dns-loop',
  find(state) {
    const { network, objects } = state
    const read = corefileOf(objects)
    const forwards = read ? forwardsOf(read.corefile) : []
    const logged = dnsLogs(network, objects).flatMap((l) => l.lines.filter((e) => DETECTED.test(e.text)).slice(-1))
    const toFile = forwards.find((f) => f.to.some((t) => t.startsWith('/')))
    const own = forwards.flatMap((f) => ownAddress(state, f))[0]
    const loops = toFile || !read ? loopback(state) : []
    const proven = loops.filter((l) => l.certain)
    if (logged.length === 0 && !own && (proven.length === 0 || !toFile)) return []
    const why = own
      ? `Its Corefile forwards to ${own.address}, which is ${own.whose}.`
      : loops[0]
        ? `It forwards to the name servers of ${loops[0].file}, and the one there is ${loops[0].address}, a loopback address: inside the pod that is CoreDNS itself.`
        : 'Its own loop test says so; what it forwards to leads back to it.'
    return [found(state, why, own?.forward ?? toFile, logged, loops)]
  },
}

function found(
  state: ClusterState,
  why: string,
  forward: Forward | undefined,
  logged: readonly Evidence[],
  loops: readonly Loopback[],
): ClusterFinding {
  const read = corefileOf(state.objects)
  return clusterFinding('dns-loop', {
    severity: 'error',
    hurts: true,
    title: 'the cluster DNS forwards queries to itself',
    text: `${why} With the loop plugin CoreDNS stops at once and crashes again and again; without it each outside name goes round until it times out.`,
    where: { object: 'CoreDNS' },
    concerns: [{ kind: 'dns' }],
    evidence: [
      ...logged.slice(0, 2),
      forward && read ? read.proof(forward.line, forward.text) : undefined,
      ...loops.slice(0, 2).map((l) => l.evidence),
      ...dnsPods(state.objects)
        .filter((p) => !isReady(p))
        .slice(0, 2)
        .map(podProof),
    ],
    remedy: {
      text: `Give kubelet the real resolvers (resolvConf: ${REAL} in /var/lib/kubelet/config.yaml, then restart kubelet and delete the CoreDNS pods), or name the upstream in the Corefile: "forward . ADDRESS". Removing the loop plugin only hides it.`,
      commands: [
        'kubectl -n kube-system edit configmap coredns',
        'kubectl -n kube-system rollout restart deployment coredns',
      ],
    },
  })
}

/** A forward to the DNS Service's own address, to a DNS pod, or to a loopback address on port 53. */
function ownAddress(
  { objects }: ClusterState,
  forward: Forward,
): { readonly forward: Forward; readonly address: string; readonly whose: string }[] {
  // A zone of its own may well be sent to another server block that answers it.
  if (!/^\.(:53)?$/.test(forward.zone)) return []
  return forward.to.flatMap((to) => {
    const ip = parseIp(
      to
        .replace(/^dns:\/\//, '')
        .replace(/^\[(.*)\](:53)?$/, '$1')
        .replace(/^(\d+\.\d+\.\d+\.\d+):53$/, '$1'),
    )
    if (!ip) return []
    const address = formatIp(ip)
    if (isLoopback(ip)) return [{ forward, address, whose: 'the pod itself' }]
    if (dnsServices(objects).some((s) => s.clusterIPs.includes(address)))
      return [{ forward, address, whose: "the cluster DNS's own Service" }]
    const pod = dnsPods(objects).find((p) => !p.hostNetwork && p.podIPs.includes(address))
    return pod ? [{ forward, address, whose: `its own pod ${podName(pod)}` }] : []
  })
}

interface Loopback {
  readonly address: string
  readonly file: string
  readonly evidence: Evidence
  /** The pod's own file, or the node's where kubelet is known to hand that on and the pod does not run well. */
  readonly certain: boolean
}

/** Loopback name servers that CoreDNS inherits, pod by pod: its own resolv.conf, else the node's as kubelet passes it on. */
function loopback({ network, objects }: ClusterState): Loopback[] {
  return dnsPods(objects).flatMap((p): Loopback[] => {
    const own = p.hostNetwork ? undefined : netnsOfPod(network, p.meta.namespace, p.meta.name)?.resolvConf
    if (own) return first(own, `pod ${podName(p)}'s /etc/resolv.conf`, true)
    if (p.nodeName === undefined || (p.dnsPolicy !== 'Default' && p.dnsPolicy !== undefined)) return []
    const kubelet = network.nodes.get(p.nodeName)?.files?.kubelet
    const file = kubelet?.resolvConf ?? '/etc/resolv.conf'
    if (file !== '/etc/resolv.conf') return []
    const host = hostNetns(network, p.nodeName)?.resolvConf
    return host ? first(host, `/etc/resolv.conf of ${p.nodeName}`, kubelet !== undefined && unwell(p)) : []
  })
}

function first(conf: ResolvConf, file: string, certain: boolean): Loopback[] {
  const ip = conf.nameservers[0]
  return ip && isLoopback(ip) ? [{ address: formatIp(ip), file, evidence: conf.evidence, certain }] : []
}

function unwell(p: PodObject): boolean {
  return !isReady(p) && p.containerStatuses.some((c) => c.restartCount > 0 || c.waitingReason === 'CrashLoopBackOff')
}
