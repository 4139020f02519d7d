/** `proxy-protocol-mismatch`: one of load balancer and ingress controller speaks the PROXY protocol, the other does not. */
import { configMapsOf } from '../../../kubeobj/configmap.ts'
import { proxyProtocolAnnotation } from '../../../kubeobj/loadbalancer.ts'
import type { ServiceObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { logOf } from '../../view/pod-view.ts'
import { selectedPods, serviceName } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'
import { allControllerPods } from './controller.ts'

/** nginx, of a header that is not one (ngx_proxy_protocol.c). */
const BROKEN = /broken header: .*while reading PROXY protocol/
/** An nginx that expects no header logs the request line `PROXY TCP4 …` (v1) or the signature bytes (v2) with status 400. */
const UNEXPECTED = /"(PROXY TCP[46] |\\x0D\\x0A\\x0D\\x0A\\x00\\x0D\\x0AQUIT\\x0A)[^"]*" 400/i

export const proxyProtocol: ClusterCheck = {
  name: 'proxy-protocol-mismatch',
  find(state) {
    const controllers = new Set(allControllerPods(state.objects))
    return state.objects.services
      .filter((s) => s.type === 'LoadBalancer')
      .flatMap((s) => {
        const pods = selectedPods(state.objects, s).filter((p) => controllers.has(p))
        return pods.length > 0 ? judge(state, s, pods) : []
      })
  },
}

function judge(
  { network, objects }: ClusterState,
  s: ServiceObject,
  pods: ReturnType<typeof allControllerPods>,
): ClusterFinding[] {
  const config = configMapsOf(objects).find(
    (c) =>
      c.meta.namespace === s.meta.namespace &&
      (/ingress-nginx.*controller$|^nginx-configuration$|^ingress-controller-leader-config$/.test(c.meta.name) ||
        c.data['use-proxy-protocol'] !== undefined),
  )
  const expects = config?.data['use-proxy-protocol'] === 'true'
  const sends = proxyProtocolAnnotation(s)
  const logs = pods.flatMap((p) => logOf(network, p))
  const said = logs.filter((l) => (expects || !config) && BROKEN.test(l.text)).slice(-3)
  const odd = logs.filter((l) => !expects && UNEXPECTED.test(l.text)).slice(-3)
  const name = serviceName(s)
  const evidence = [
    {
      ...s.evidence,
      text: `${s.evidence.text}: type LoadBalancer; ${sends ?? 'no annotation for the PROXY protocol'}`,
    },
    config
      ? {
          ...config.evidence,
          text: `${config.evidence.text}: use-proxy-protocol ${config.data['use-proxy-protocol'] ?? '(unset, so false)'}`,
        }
      : undefined,
    ...said,
    ...odd,
  ]
  const shared = {
    where: { object: `Service ${name}` },
    concerns: [{ kind: 'service' as const, namespace: s.meta.namespace, name: s.meta.name }],
    evidence,
  }
  const ns = shellWord(s.meta.namespace)
  const toggle = (value: string) =>
    config
      ? {
          commands: [
            `kubectl -n ${ns} patch configmap ${shellWord(config.meta.name)} --type merge -p '{"data":{"use-proxy-protocol":"${value}"}}'`,
          ],
        }
      : {}
  if ((sends !== null && config && !expects) || odd.length > 0)
    return [
      clusterFinding('proxy-protocol-mismatch', {
        severity: 'error',
        title: `the load balancer of ${name} sends a PROXY header that the ingress controller does not expect`,
        text: `The balancer begins each connection with a PROXY header (${sends ?? 'seen in the log'}); the controller takes it for a request and answers 400 to everybody.`,
        ...shared,
        remedy: {
          text: 'Let the controller expect the header (use-proxy-protocol), or stop the balancer from sending it.',
          ...toggle('true'),
        },
      }),
    ]
  if (
    said.length > 0 ||
    (expects &&
      sends === null &&
      s.loadBalancerIngress.some((i) => /\.elb\.[a-z0-9-]*\.?amazonaws\.com/.test(i.hostname ?? '')))
  )
    return [
      clusterFinding('proxy-protocol-mismatch', {
        severity: said.length > 0 ? 'error' : 'warning',
        title: `the ingress controller behind ${name} expects a PROXY header that its clients do not send`,
        text: `The controller reads a PROXY header first${config ? ' (use-proxy-protocol: true)' : ''} and closes connections without one: clients see an empty reply or a reset. ${sends === null ? 'Nothing on the Service makes the balancer send it.' : 'The balancer sends it; clients that come past the balancer (from inside the cluster, by node port) do not.'}`,
        ...shared,
        remedy: {
          text: "Turn the PROXY protocol on at the balancer (its provider's annotation on the Service), or off at the controller.",
          ...toggle('false'),
        },
      }),
    ]
  return []
}
