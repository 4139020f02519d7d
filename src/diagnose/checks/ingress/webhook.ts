/** `webhook-unreachable`: the API server cannot call an admission webhook, and refuses what it cannot have admitted. */
import { formatIp, parseIp } from '../../../base/ip.ts'
import { TCP } from '../../../base/protocol.ts'
import { traceConnection } from '../../../datapath/trace.ts'
import type { KubeObjects, ServiceObject } from '../../../kubeobj/objects.ts'
import { type WebhookObject, webhooksOf } from '../../../kubeobj/webhook.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { type ClusterWords, clusterFinding } from '../../cluster/finding.ts'
import { decisive } from '../../finding.ts'
import { firstPacket } from '../../question/asked.ts'
import { serviceProof, sliceProof } from '../../view/object-proof.ts'
import { hostNetns } from '../../view/owner.ts'
import { namedService } from '../../view/pod-view.ts'
import { backendsOf, slicesOf, usableBackends } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

export const webhookUnreachable: ClusterCheck = {
  name: 'webhook-unreachable',
  find(state) {
    if (!state.objects.known.has('Service')) return []
    const seen = new Set<string>()
    return webhooksOf(state.objects).flatMap((w): ClusterFinding[] => {
      if (!w.service) return []
      const key = `${w.meta.name} ${w.service.namespace}/${w.service.name}:${w.service.port} ${w.failurePolicy}`
      if (seen.has(key)) return []
      seen.add(key)
      const found = judge(state, w, w.service)
      return found ? [found] : []
    })
  },
}

interface Trouble {
  readonly title: string
  readonly text: string
  readonly evidence: readonly Evidence[]
  readonly todo: string
}

function judge(
  state: ClusterState,
  w: WebhookObject,
  to: NonNullable<WebhookObject['service']>,
): ClusterFinding | null {
  const trouble = serviceTrouble(state.objects, to) ?? pathTrouble(state, to)
  if (!trouble) return null
  const strict = w.failurePolicy !== 'Ignore'
  const what = w.resources.slice(0, 4).join(', ') || 'the objects it watches'
  const words: ClusterWords = {
    severity: strict ? 'error' : 'info',
    title: `webhook ${w.name} cannot be reached: ${trouble.title}`,
    text: `${w.configuration} ${w.meta.name} sends requests for ${what} to Service ${to.namespace}/${to.name} port ${to.port}. ${trouble.text} ${strict ? 'failurePolicy is Fail, so the API server refuses these requests ("failed calling webhook"): nothing of the kind can be created or changed.' : 'failurePolicy is Ignore: requests go through after the timeout, unchecked.'}`,
    where: { object: `${w.configuration} ${w.meta.name}` },
    concerns: [{ kind: 'object' }],
    evidence: [
      {
        ...w.evidence,
        text: `${w.evidence.text}: webhook ${w.name} → ${to.namespace}/${to.name}:${to.port}; failurePolicy ${w.failurePolicy}`,
      },
      ...trouble.evidence,
    ],
    remedy: {
      text: `${trouble.todo} If the webhook's owner is gone for good, delete ${w.configuration} ${w.meta.name}.`,
      commands: [`kubectl -n ${shellWord(to.namespace)} get service,endpointslice,pod`],
    },
  }
  return clusterFinding('webhook-unreachable', words)
}

function serviceTrouble(
  objects: KubeObjects,
  to: { readonly namespace: string; readonly name: string; readonly port: number },
): Trouble | null {
  const service = namedService(objects, to.namespace, to.name)
  const name = `${to.namespace}/${to.name}`
  if (!service)
    return {
      title: `there is no Service ${name}`,
      text: `There is no such Service.`,
      evidence: [],
      todo: `Install the webhook's owner again.`,
    }
  if (service.type === 'ExternalName') return null
  const port = service.ports.find((p) => p.port === to.port && p.protocol === 'TCP')
  if (!port)
    return {
      title: `Service ${name} has no port ${to.port}`,
      text: `The Service publishes ${service.ports.map((p) => p.port).join(', ') || 'no port'}, not ${to.port}${to.port === 443 ? ' (the default when a webhook names none)' : ''}.`,
      evidence: [serviceProof(service)],
      todo: `Set clientConfig.service.port to a port of the Service.`,
    }
  if (!objects.known.has('EndpointSlice')) return null
  if (usableBackends(backendsOf(objects, service, port)).length > 0) return null
  return {
    title: `Service ${name} has no ready endpoint`,
    text: `No pod behind the Service is Ready.`,
    evidence: [serviceProof(service), ...slicesOf(objects, service).slice(0, 3).map(sliceProof)],
    todo: `Find out why no pod of ${name} is Ready.`,
  }
}

/** Host netns of the machines that run an API server: those default/kubernetes points at. */
function controlPlanes({ network, objects }: ClusterState) {
  const addresses = new Set(
    objects.endpointSlices
      .filter((s) => s.serviceName === 'kubernetes' && s.meta.namespace === 'default')
      .flatMap((s) => s.endpoints.flatMap((e) => e.addresses)),
  )
  return objects.nodes
    .filter((n) => n.addresses.some((a) => addresses.has(a.address)))
    .flatMap((n) => hostNetns(network, n.meta.name) ?? [])
}

/** From each control plane the API server connects to the webhook Service's ClusterIP (its default) as a process of the node. */
function pathTrouble(
  state: ClusterState,
  to: { readonly namespace: string; readonly name: string; readonly port: number },
): Trouble | null {
  const service: ServiceObject | undefined = namedService(state.objects, to.namespace, to.name)
  const ip = parseIp(service?.clusterIPs[0] ?? '')
  if (!ip) return null
  for (const host of controlPlanes(state)) {
    const traces = traceConnection(state.network, { from: host.id, packet: firstPacket(TCP, null, ip, to.port, 0) })
    const failing = (d: string) => d !== 'delivered' && d !== 'insufficient-info' && d !== 'exits-network'
    if (traces.length === 0 || !traces.every((t) => failing(t.disposition))) continue
    const worst = traces[0]
    const died = worst?.forward.disposition === 'delivered' ? worst.reply : worst?.forward
    const hop = died?.hops.at(-1)
    const step = hop?.steps.at(-1)
    if (!step || !hop) continue
    return {
      title: `control plane ${host.node} has no working path to Service ${to.namespace}/${to.name}`,
      text: `From ${host.node} to ${formatIp(ip)} port ${to.port} the ${died === worst?.reply ? 'reply' : 'packet'} ends on ${hop.node}: ${step.text}.`,
      evidence: [...decisive(step)],
      todo: `Ask why: netwhy why node/${host.node} svc/${to.namespace}/${to.name}:${to.port}.`,
    }
  }
  return null
}
