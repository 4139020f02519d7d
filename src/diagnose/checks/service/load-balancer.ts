/** `lb-pending`, `lb-hairpin`: what the objects tell of load balancers. */
import { configMapsOf } from '../../../kubeobj/configmap.ts'
import { balancerPods, keepsClientAddress, proxyProtocolAnnotation } from '../../../kubeobj/loadbalancer.ts'
import type { ServiceObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof, serviceProof } from '../../view/object-proof.ts'
import { isReady } from '../../view/pod-view.ts'
import { serviceName } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

/** Reasons of events that providers write when they give no address (MetalLB, cloud-provider's service controller). */
const REFUSED =
  /^(AllocationFailed|SyncLoadBalancerFailed|CreatingLoadBalancerFailed|FailedBuildModel|FailedDeployModel)$/

export const loadBalancerPending: ClusterCheck = {
  name: 'lb-pending',
  find({ objects }) {
    if (!objects.known.has('Pod')) return []
    const providers = balancerPods(objects)
    return objects.services.flatMap((s): ClusterFinding[] => {
      if (s.type !== 'LoadBalancer' || s.loadBalancerIngress.length > 0) return []
      const events = objects.events.filter(
        (e) =>
          e.about.kind === 'Service' &&
          e.about.name === s.meta.name &&
          e.about.namespace === s.meta.namespace &&
          REFUSED.test(e.reason),
      )
      const said = events.at(-1)
      const nobody = providers.length === 0
      const down = !nobody && !providers.some(isReady)
      const why = said
        ? `The provider says: ${said.message.slice(0, 300)}`
        : nobody
          ? 'No pod of a load balancer implementation that netwhy knows runs in the cluster (MetalLB, kube-vip, a cloud controller…), so nobody gives addresses out.'
          : down
            ? `The pods of the provider (${providers
                .slice(0, 3)
                .map((p) => p.meta.name)
                .join(', ')}) are not Ready.`
            : 'A provider runs; it may still be at work, or the Service may ask for a class or pool it does not serve.'
      return [
        clusterFinding('lb-pending', {
          severity: said || nobody || down ? 'error' : 'warning',
          title: `Service ${serviceName(s)} is of type LoadBalancer and has no address`,
          text: `${why} Clients outside have nothing to connect to; the ClusterIP${s.ports.some((p) => p.nodePort) ? ' and the node ports work' : ' works'}. No firewall is at fault.`,
          where: { object: `Service ${serviceName(s)}` },
          concerns: [{ kind: 'object' }],
          evidence: [
            { ...serviceProof(s), text: `${serviceProof(s).text}; type LoadBalancer; status.loadBalancer empty` },
            ...events
              .slice(-2)
              .map((e) => ({ ...e.evidence, text: `${e.evidence.text}: ${e.reason}: ${e.message.slice(0, 300)}` })),
            ...providers.slice(0, 3).map(podProof),
          ],
          remedy: {
            text: nobody
              ? 'Install a load balancer implementation, or reach the Service by its node port or an ingress.'
              : 'Look at what the provider says about the Service: a pool that is used up, a class it does not serve.',
            commands: [`kubectl -n ${shellWord(s.meta.namespace)} describe service ${shellWord(s.meta.name)}`],
          },
        }),
      ]
    })
  },
}

/** Known traps for clients inside the cluster; harmless as long as only outsiders use the balancer, so never more than info. */
export const loadBalancerHairpin: ClusterCheck = {
  name: 'lb-hairpin',
  find({ objects }) {
    const proxied = new Set(
      configMapsOf(objects)
        .filter((c) => c.data['use-proxy-protocol'] === 'true')
        .map((c) => c.meta.namespace),
    )
    return objects.services.flatMap((s): ClusterFinding[] => {
      if (s.type !== 'LoadBalancer' || s.loadBalancerIngress.length === 0) return []
      const kept = keepsClientAddress(s)
      if (kept !== null) return [keptAddress(s, kept)]
      const shortCut = s.loadBalancerIngress.find((i) => i.ip !== undefined && (i.ipMode ?? 'VIP') === 'VIP')
      const header = proxyProtocolAnnotation(s)
      return shortCut && header !== null && proxied.has(s.meta.namespace)
        ? [shortCutTaken(s, shortCut.ip ?? '', header)]
        : []
    })
  },
}

function shared(s: ServiceObject, proof: string) {
  return {
    severity: 'info' as const,
    where: { object: `Service ${serviceName(s)}` },
    concerns: [{ kind: 'object' as const }],
    evidence: [{ ...serviceProof(s), text: `${serviceProof(s).text}; ${proof}` }],
  }
}

function keptAddress(s: ServiceObject, kept: string): ClusterFinding {
  return clusterFinding('lb-hairpin', {
    title: `pods that call the load balancer of ${serviceName(s)} fail when it sends them back to their own node`,
    text: `The balancer keeps the client's address (${kept}). When a client on a node is sent back to the same node, the packet arrives with that node's own address as source and is dropped: about 1 connection in as many as there are targets times out. From outside all is well.`,
    ...shared(s, kept),
    remedy: {
      text: `Let clients in the cluster call ${s.meta.name}.${s.meta.namespace} instead, or stop keeping the client address (then the pods do not see it).`,
      commands: [
        `kubectl -n ${shellWord(s.meta.namespace)} annotate service ${shellWord(s.meta.name)} --overwrite service.beta.kubernetes.io/aws-load-balancer-target-group-attributes=preserve_client_ip.enabled=false`,
      ],
    },
  })
}

function shortCutTaken(s: ServiceObject, ip: string, header: string): ClusterFinding {
  return clusterFinding('lb-hairpin', {
    title: `pods that call ${ip} of ${serviceName(s)} come past the balancer and send no PROXY header`,
    text: `kube-proxy answers for ${ip} inside the cluster itself, so the balancer that would add the header (${header}) is never asked; the controller, which waits for one, closes these connections. From outside all is well.`,
    ...shared(s, header),
    remedy: {
      text: 'Call the ClusterIP inside (without PROXY protocol), or let the provider publish a host name or ipMode Proxy in the status.',
    },
  })
}
