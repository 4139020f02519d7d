/** /run/flannel/subnet.env, which flanneld writes and the flannel CNI plugin reads (flannel pkg/subnet WriteSubnetFile). */
import { type Prefix, parsePrefix } from '../../base/ip.ts'
import type { FlannelSubnet } from '../../model/node-files.ts'
import { evidenceOf, type Origin, readLines } from '../rows.ts'

export function parseFlannelSubnet(text: string, origin: Origin): FlannelSubnet | undefined {
  const values = new Map<string, string>()
  let own: { line: number; text: string } | undefined
  for (const { value, line } of readLines(text)) {
    const m = /^(FLANNEL_[A-Z0-9_]+)=(.*)$/.exec(value.trim())
    if (!m) continue
    values.set(m[1]!, m[2]!)
    if (m[1] === 'FLANNEL_SUBNET' || own === undefined) own = { line, text: value }
  }
  if (own === undefined) return undefined
  const prefixes = (...names: string[]): Prefix[] =>
    names.flatMap((n) => (values.get(n) ?? '').split(',').flatMap((t) => parsePrefix(t.trim()) ?? []))
  const mtu = values.get('FLANNEL_MTU')
  const masq = values.get('FLANNEL_IPMASQ')
  return {
    networks: prefixes('FLANNEL_NETWORK', 'FLANNEL_IPV6_NETWORK'),
    subnets: prefixes('FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET'),
    ...(mtu !== undefined && /^\d{1,6}$/.test(mtu) ? { mtu: Number(mtu) } : {}),
    ...(masq === undefined ? {} : { ipMasq: masq === 'true' }),
    evidence: evidenceOf(origin, own),
  }
}
