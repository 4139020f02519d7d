/** Admission webhooks (admissionregistration.k8s.io): which Service the API server must reach, and what if it does not. */
import type { Evidence } from '../model/evidence.ts'
import { objectOf, objectsOf, optional, portOf, textOf, textsOf } from './fields.ts'
import type { KubeObjects, Meta } from './objects.ts'

export interface WebhookObject {
  readonly configuration: string
  readonly meta: Meta
  readonly evidence: Evidence
  readonly name: string
  /** Absent: the webhook is given by URL, outside our sight. Port 443 where the object says none. */
  readonly service?: { readonly namespace: string; readonly name: string; readonly port: number }
  /** Fail (the default of v1) or Ignore. */
  readonly failurePolicy: string
  /** Resources of its rules: pods, deployments, *… */
  readonly resources: readonly string[]
}

const KINDS: ReadonlySet<string> = new Set(['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'])

/** Every webhook of every configuration. */
export function webhooksOf(objects: KubeObjects): WebhookObject[] {
  return objects.others
    .filter((o) => KINDS.has(o.kind))
    .flatMap(({ kind, apiVersion, meta, evidence, raw }) =>
      objectsOf(raw.webhooks).map((w) => {
        const service = objectOf(objectOf(w.clientConfig).service)
        const name = textOf(service.name)
        return {
          configuration: kind,
          meta,
          evidence,
          name: textOf(w.name) ?? meta.name,
          ...optional(
            'service',
            name === undefined
              ? undefined
              : { namespace: textOf(service.namespace) ?? '', name, port: portOf(service.port) ?? 443 },
          ),
          failurePolicy: textOf(w.failurePolicy) ?? (apiVersion.endsWith('/v1beta1') ? 'Ignore' : 'Fail'),
          resources: [...new Set(objectsOf(w.rules).flatMap((r) => textsOf(r.resources)))],
        }
      }),
    )
}
