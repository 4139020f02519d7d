/**
 * Reading NetworkPolicy objects. The API server defaults and validates; files and hand-made snapshots do not, so both are
 * done here (k8s.io/kubernetes pkg/apis/networking/v1/defaults.go and validation.go, 1.33). Nonsense stays, opaque.
 */
import { formatIp, networkOf, type Prefix, parsePrefix, prefixContains } from '../../base/ip.ts'
import type { OtherObject } from '../../kubeobj/objects.ts'
import type { Issue } from '../../model/evidence.ts'
import type { Direction, NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule } from './policy.ts'
import { decodeSelector, isObject } from './selector.ts'

type Complain = (message: string) => void

/** True for the kind this folder evaluates; Calico has a kind of the same name in a group of its own. */
export function isNetworkPolicy(o: OtherObject): boolean {
  return o.kind === 'NetworkPolicy' && /^(networking\.k8s\.io|extensions)\//.test(o.apiVersion)
}

/** Decodes one policy; trouble is appended to `issues`. A missing namespace is `default`, as kubectl would apply it. */
export function decodePolicy(o: OtherObject, issues: Issue[]): NetworkPolicy {
  const namespace = o.meta.namespace || 'default'
  const complain: Complain = (message) =>
    issues.push({
      artefact: o.evidence.artefact,
      ...(o.evidence.line === undefined ? {} : { line: o.evidence.line }),
      message: `NetworkPolicy ${namespace}/${o.meta.name}: ${message}`,
    })
  const spec = isObject(o.raw.spec) ? o.raw.spec : {}
  if (o.raw.spec !== undefined && !isObject(o.raw.spec)) complain('spec is not an object')
  const types = directionsOf(spec, complain)
  return {
    namespace,
    name: o.meta.name,
    podSelector: decodeSelector(spec.podSelector ?? {}, complain),
    ...(types.has('ingress') ? { ingress: decodeRules(spec.ingress, 'from', complain) } : {}),
    ...(types.has('egress') ? { egress: decodeRules(spec.egress, 'to', complain) } : {}),
    evidence: o.evidence,
  }
}

/** policyTypes; left out or empty it is Ingress, and Egress too when there is at least one egress rule. */
function directionsOf(spec: Readonly<Record<string, unknown>>, complain: Complain): Set<Direction> {
  const given = spec.policyTypes ?? []
  if (Array.isArray(given) && given.length > 0) {
    const out = new Set<Direction>()
    for (const type of given as unknown[]) {
      if (type === 'Ingress') out.add('ingress')
      else if (type === 'Egress') out.add('egress')
      else complain(`policyTypes has ${JSON.stringify(type)}`)
    }
    return out
  }
  if (!Array.isArray(given)) complain('policyTypes is not a list')
  const hasEgress = Array.isArray(spec.egress) && spec.egress.length > 0
  return new Set<Direction>(hasEgress ? ['ingress', 'egress'] : ['ingress'])
}

const opaqueRule = (why: string): PolicyRule => ({
  peers: [{ kind: 'opaque', why }],
  ports: null,
})

function decodeRules(raw: unknown, side: 'from' | 'to', complain: Complain): readonly PolicyRule[] {
  if (raw === undefined || raw === null) return []
  if (!Array.isArray(raw)) {
    complain('the rules are not a list')
    return [opaqueRule('the rules are not a list')]
  }
  return (raw as unknown[]).map((rule, i) => {
    const say: Complain = (message) => complain(`rule ${i}: ${message}`)
    // Go decodes null into an empty rule, which allows everything.
    if (rule === null) return { peers: null, ports: null }
    if (!isObject(rule)) {
      say('not an object')
      return opaqueRule('a rule is not an object')
    }
    const unknown = Object.keys(rule).find((k) => k !== side && k !== 'ports')
    if (unknown !== undefined) {
      say(`unknown field ${unknown}`)
      return opaqueRule(`a rule has the unknown field ${unknown}`)
    }
    return { peers: decodeList(rule[side], decodePeer, say), ports: decodeList(rule.ports, decodePort, say) }
  })
}

/** Null for a list that is left out or empty, which both mean "everything". */
function decodeList<T>(
  raw: unknown,
  decode: (item: unknown, complain: Complain) => T | { kind: 'opaque'; why: string },
  complain: Complain,
): readonly (T | { kind: 'opaque'; why: string })[] | null {
  if (raw === undefined || raw === null) return null
  if (!Array.isArray(raw)) {
    complain('peers or ports are not a list')
    return [{ kind: 'opaque', why: 'peers or ports are not a list' }]
  }
  return raw.length === 0 ? null : (raw as unknown[]).map((item) => decode(item, complain))
}

function decodePeer(raw: unknown, complain: Complain): PolicyPeer {
  const opaque = (why: string): PolicyPeer => {
    complain(why)
    return { kind: 'opaque', why }
  }
  if (!isObject(raw)) return opaque('a peer is empty')
  const unknown = Object.keys(raw).find((k) => !['podSelector', 'namespaceSelector', 'ipBlock'].includes(k))
  if (unknown !== undefined) return opaque(`a peer has the unknown field ${unknown}`)
  const pods = raw.podSelector ?? null
  const namespaces = raw.namespaceSelector ?? null
  const block = raw.ipBlock ?? null
  if (block === null) {
    if (pods === null && namespaces === null) return opaque('a peer is empty')
    return {
      kind: 'pods',
      namespaces: namespaces === null ? null : decodeSelector(namespaces, complain),
      pods: pods === null ? null : decodeSelector(pods, complain),
    }
  }
  if (pods !== null || namespaces !== null) return opaque('a peer has both an ipBlock and a selector')
  const cidr = isObject(block) ? readCidr(block.cidr) : null
  if (!cidr || !isObject(block)) return opaque('ipBlock.cidr is not a CIDR')
  const except: Prefix[] = []
  const listed = block.except ?? []
  if (!Array.isArray(listed)) return opaque('ipBlock.except is not a list')
  for (const item of listed as unknown[]) {
    const prefix = readCidr(item)
    if (!prefix) return opaque(`ipBlock.except: ${JSON.stringify(item)} is not a CIDR`)
    if (!prefixContains(cidr, prefix.ip) || prefix.length <= cidr.length)
      complain(`ipBlock.except ${formatIp(prefix.ip)}/${prefix.length} is not strictly inside the block`)
    except.push(prefix)
  }
  return { kind: 'ipBlock', cidr, except }
}

function readCidr(raw: unknown): Prefix | null {
  if (typeof raw !== 'string' || !raw.includes('/')) return null
  const prefix = parsePrefix(raw)
  return prefix && networkOf(prefix)
}

const portNumber = (raw: unknown): number | null =>
  typeof raw === 'number' && Number.isInteger(raw) && raw >= 1 && raw <= 65535 ? raw : null

function decodePort(raw: unknown, complain: Complain): PolicyPort {
  const opaque = (why: string): PolicyPort => {
    complain(why)
    return { kind: 'opaque', why }
  }
  // Go decodes null into an empty port, which is every TCP port.
  const item = raw === null ? {} : raw
  if (!isObject(item)) return opaque('a port is not an object')
  const unknown = Object.keys(item).find((k) => !['protocol', 'port', 'endPort'].includes(k))
  if (unknown !== undefined) return opaque(`a port has the unknown field ${unknown}`)
  const protocol = item.protocol ?? 'TCP'
  if (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'SCTP')
    return opaque(`protocol ${JSON.stringify(protocol)} is not TCP, UDP or SCTP`)
  const port = item.port ?? null
  const end = item.endPort ?? null
  if (port === null)
    return end === null ? { kind: 'range', protocol, from: 0, to: 65535 } : opaque('endPort without port')
  if (typeof port === 'string') {
    if (end !== null) return opaque('endPort with a named port')
    // The API server refuses digits in quotes: they are neither a number nor a name, which needs a letter.
    return /^[a-z0-9-]*[a-z][a-z0-9-]*$/.test(port)
      ? { kind: 'named', protocol, name: port }
      : opaque(`port ${JSON.stringify(port)} is neither a number nor a name`)
  }
  const from = portNumber(port)
  const to = end === null ? from : portNumber(end)
  if (from === null || to === null) return opaque('a port number is out of range')
  return to < from ? opaque(`endPort ${to} is below port ${from}`) : { kind: 'range', protocol, from, to }
}
