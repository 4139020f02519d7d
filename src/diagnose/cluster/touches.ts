/** Does a finding of state matter to a connection: is what it concerns on the connection's way? */
import { ipEquals } from '../../base/ip.ts'
import type { Branch } from '../inquiry.ts'
import type { Concern } from './check.ts'

/** DNS, UDP and TCP (RFC 1035 section 4.2). */
const DNS_PORT = 53

/** Nodes that packets of the branches pass, both directions, and those that hold their ends. */
export function nodesOf(branches: readonly Branch[]): Set<string> {
  const out = new Set<string>()
  for (const b of branches) {
    for (const p of [b.trace.forward, b.trace.reply]) for (const h of p?.hops ?? []) out.add(h.node)
    for (const node of [
      b.source.pod?.nodeName,
      b.target.pod?.nodeName,
      b.source.node?.meta.name,
      b.target.node?.meta.name,
    ])
      if (node !== undefined) out.add(node)
  }
  return out
}

/** True when any of the concerns is on the way of any of the branches. */
export function touches(concerns: readonly Concern[], branches: readonly Branch[]): boolean {
  return concerns.some((c) => branches.some((b) => touchesOne(c, b)))
}

function touchesOne(concern: Concern, b: Branch): boolean {
  switch (concern.kind) {
    case 'cluster':
      return true
    case 'object':
      return false
    case 'dns':
      return b.stage === 'dns' || b.target.port === DNS_PORT
    case 'translated':
      return (b.trace.forward.connections.get(concern.netns) ?? []).some(
        ({ original, reply }) =>
          original.protocol === concern.protocol &&
          ipEquals(reply.dst, concern.source) &&
          ipEquals(reply.src, concern.destination) &&
          reply.sport === concern.port,
      )
    case 'node':
      return nodesOf([b]).has(concern.node)
    case 'pod': {
      const { namespace, name } = concern
      const is = (m: { readonly name: string; readonly namespace: string } | undefined) =>
        m?.name === name && m.namespace === namespace
      const last = b.trace.forward.hops.at(-1)?.netns
      return is(b.source.pod?.meta) || is(b.target.pod?.meta) || last?.endsWith(`/pod/${namespace}/${name}`) === true
    }
    case 'service': {
      const meta = b.target.service?.meta
      return meta?.name === concern.name && meta.namespace === concern.namespace
    }
  }
}
