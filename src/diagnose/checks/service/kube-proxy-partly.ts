/** A packet that no rule turned, to a Service whose other packets are: some of its endpoints have lost their rule on the node. */
import type { ServiceObject } from '../../../kubeobj/objects.ts'
import { diagnosis } from '../../finding.ts'
import type { Diagnosis, Failure, Inquiry } from '../../inquiry.ts'
import { compareNode } from '../../intent/compare.ts'
import { withExpectedRules } from '../../intent/expected-rules.ts'
import { proxyOn } from '../../intent/proxy.ts'
import { sliceProof } from '../../view/object-proof.ts'
import { serviceName, slicesOf } from '../../view/service-view.ts'
import { proxyCause, restartProxy } from './kube-proxy-words.ts'

/** Null when the node's rules lead to none of the endpoints, or to all. */
export function partlyTranslated(f: Failure, q: Inquiry, service: ServiceObject): Diagnosis | null {
  const node = f.hop.node
  const { namespace, name: own } = service.meta
  const differences = compareNode(q.network, q.objects, node, (s) => s.namespace === namespace && s.service === own)
  const d = differences?.differences.find(
    (x) => x.lead.targets.length > 0 && x.lacks.length > 0 && x.strays.length === 0,
  )
  if (!d) return null
  const name = serviceName(service)
  const listed = (list: readonly { readonly text: string }[]) =>
    list
      .slice(0, 6)
      .map((e) => e.text)
      .join(', ')
  const told = proxyCause(proxyOn(q.network, q.objects, node), node, 'kube-proxy-rules-missing')
  return diagnosis(f, told.code, {
    title: `${node} lacks ${d.lacks.length} of ${d.wanted.length} endpoints of ${name}`,
    text: `The rules on ${node} lead to ${listed(d.lead.targets)}, but never to ${listed(d.lacks)}. ${Math.round(d.lead.untouched * 100)} % of new connections fall through: nothing translates them, and they go on to an address no machine has.${told.because}`,
    evidence: [
      ...told.evidence,
      ...d.lead.targets.slice(0, 2).map((t) => t.proof),
      ...slicesOf(q.objects, service).slice(0, 1).map(sliceProof),
    ],
    where: { node, netns: 'host', object: `Service ${name}` },
    remedy: restartProxy(q.objects, node),
    edit: (n) => withExpectedRules(n, q.objects, node),
  })
}
