/** What the checklist asks when `why` would ask something else: an Ingress, and a Service seen from outside. */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Finding, Question } from '../../model/finding.ts'
import type { Network } from '../../model/network.ts'
import { type AskOptions, ask } from '../question/ask.ts'
import type { Asked } from '../question/asked.ts'
import { parseReference } from '../question/reference.ts'
import type { Draft } from './draft.ts'
import { askIngress } from './ingress-steps.ts'

export interface AskedWalk {
  /** Null: there is nothing to send to; then `before` and `findings` are all there is. */
  readonly asked: Asked | null
  /** Steps that come before those of the connection. */
  readonly before: readonly Draft[]
  /** Findings about what comes before. */
  readonly findings: readonly Finding[]
  /** The question as it was put, where it is not that of the connection. */
  readonly question?: Question
}

/**
 * The question of a walk. `ingress/NS/NAME` becomes the connection of its controller to the backend; a Service asked for by a client
 * outside becomes its load balancer's address, or failing that its NodePort on a node, since a ClusterIP means nothing outside.
 * @throws QuestionError (code 2) for what is not there, ambiguous or not understood
 */
export function askWalk(network: Network, objects: KubeObjects, options: AskOptions): AskedWalk {
  if (/^ing(ress(es)?)?\//.test(options.to)) return askIngress(network, objects, options)
  return { asked: ask(network, objects, fromOutside(objects, options)), before: [], findings: [] }
}

function fromOutside(objects: KubeObjects, options: AskOptions): AskOptions {
  if (options.from !== 'external') return options
  const to = parseReference(options.to, options.namespace, objects)
  if (typeof to === 'string' || to.reference.kind !== 'service') return options
  const { namespace, name } = to.reference
  const service = objects.services.find((s) => s.meta.namespace === namespace && s.meta.name === name)
  const wanted = options.port ?? to.port
  const fitting =
    service?.ports.filter((p) => p.protocol.toLowerCase() === (options.protocol ?? 'tcp').toLowerCase()) ?? []
  const port =
    wanted === null
      ? fitting.length === 1
        ? fitting[0]
        : undefined
      : fitting.find((p) => [String(p.port), p.name].includes(wanted))
  if (!service || !port) return options
  const { port: _, ...rest } = options
  const balancer = service.loadBalancerIngress.find((i) => i.ip !== undefined)?.ip ?? service.externalIPs[0]
  if (balancer !== undefined)
    return { ...rest, to: `ip:${balancer.includes(':') ? `[${balancer}]` : balancer}`, port: String(port.port) }
  const node = objects.nodes[0]?.meta.name
  if (port.nodePort === undefined || node === undefined) return options
  return { ...rest, to: `node/${node}`, port: String(port.nodePort) }
}
