import { parseIp } from '../base/ip.ts'
import type { RawObject } from './decode.ts'
import { objectOf, objectsOf, optional, portOf, type Raw, textOf, textsOf } from './fields.ts'
import type { EndpointSliceObject } from './objects.ts'

type Endpoint = EndpointSliceObject['endpoints'][number]

export function decodeEndpointSlice({ meta, evidence, raw }: RawObject): EndpointSliceObject {
  return {
    meta,
    evidence,
    serviceName: meta.labels['kubernetes.io/service-name'] ?? '',
    addressType: textOf(raw.addressType) ?? 'IPv4',
    ports: objectsOf(raw.ports).map((p) => ({
      name: textOf(p.name) ?? '',
      port: portOf(p.port) ?? null,
      protocol: (textOf(p.protocol) ?? 'TCP').toUpperCase(),
    })),
    endpoints: objectsOf(raw.endpoints).map(decodeEndpoint),
  }
}

/** Absent conditions: ready and serving count as true, terminating as false (discovery/v1 EndpointConditions). */
function decodeEndpoint(e: Raw): Endpoint {
  const conditions = objectOf(e.conditions)
  const hints = objectOf(e.hints)
  const ready = conditions.ready !== false
  return {
    addresses: textsOf(e.addresses),
    ready,
    serving: typeof conditions.serving === 'boolean' ? conditions.serving : ready,
    terminating: conditions.terminating === true,
    ...optional('nodeName', textOf(e.nodeName)),
    ...optional('zone', textOf(e.zone)),
    hintZones: objectsOf(hints.forZones).map((z) => textOf(z.name) ?? ''),
    hintNodes: objectsOf(hints.forNodes).map((n) => textOf(n.name) ?? ''),
    ...optional('target', targetOf(e.targetRef)),
  }
}

function targetOf(value: unknown): Endpoint['target'] {
  const ref = objectOf(value)
  const name = textOf(ref.name)
  if (name === undefined) return undefined
  return { kind: textOf(ref.kind) ?? '', namespace: textOf(ref.namespace) ?? '', name }
}

/** A legacy Endpoints object as slices, one per subset and family, as the mirroring controller makes them (KEP-752). */
export function mirrorEndpoints({ meta, evidence, raw }: RawObject): EndpointSliceObject[] {
  return objectsOf(raw.subsets).flatMap((subset, i) => {
    const all = [
      ...objectsOf(subset.addresses).map((a) => endpointOf(a, true)),
      ...objectsOf(subset.notReadyAddresses).map((a) => endpointOf(a, false)),
    ]
    const ports = objectsOf(subset.ports).map((p) => ({
      name: textOf(p.name) ?? '',
      port: portOf(p.port) ?? null,
      protocol: (textOf(p.protocol) ?? 'TCP').toUpperCase(),
    }))
    return ([4, 6] as const).flatMap((family): EndpointSliceObject[] => {
      const endpoints = all.filter((e) => parseIp(e.addresses[0] ?? '')?.family === family)
      if (endpoints.length === 0) return []
      return [
        {
          meta: { ...meta, name: `${meta.name}-mirrored-${i}-${family}` },
          evidence,
          serviceName: meta.name,
          addressType: family === 4 ? 'IPv4' : 'IPv6',
          ports,
          endpoints,
        },
      ]
    })
  })
}

function endpointOf(a: Raw, ready: boolean): Endpoint {
  return {
    addresses: [textOf(a.ip) ?? ''],
    ready,
    serving: ready,
    terminating: false,
    ...optional('nodeName', textOf(a.nodeName)),
    hintZones: [],
    hintNodes: [],
    ...optional('target', targetOf(a.targetRef)),
  }
}
