/** `generatePolicies`: least privilege, one NetworkPolicy for each workload that has connections. docs/policy.md. */
import { parseIp } from '../../base/ip.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { ObservedFlows } from '../../model/observed-flow.ts'
import { dnsPorts } from '../policy-diff/dns-target.ts'
import { type Side, stateOf } from '../policy-diff/side.ts'
import { type RuleDraft, type RuleWant, rulesFor, selectorObject } from './rules.ts'
import { type Group, groupsOf } from './selector.ts'
import { askedText, said, type Wanted, type WantedEnd, wantedByFlows, wantedByMatrix } from './wanted.ts'

export interface GeneratedPolicy {
  readonly namespace: string
  readonly name: string
  /** The workloads it is for, in a comment. */
  readonly comment: string
  readonly podSelector: Readonly<Record<string, unknown>>
  readonly ingress: readonly RuleDraft[]
  readonly egress: readonly RuleDraft[]
}

export interface Generation {
  readonly policies: readonly GeneratedPolicy[]
  /** Connections that the policies must let through. */
  readonly wanted: readonly Wanted[]
  readonly side: Side
  /** Names of ends that a policy is written for. */
  readonly covered: ReadonlySet<string>
  readonly notes: readonly string[]
}

export interface GenerateOptions {
  /** Null: from the present policies and the Services there are. */
  readonly flows: ObservedFlows | null
  /** Null: every namespace with a workload that connects, but for those of the cluster itself. */
  readonly namespace: string | null
}

/** Namespaces of the cluster itself: a policy there can stop the cluster, so they are written for only when named. */
const SYSTEM = /^(kube-system|kube-public|kube-node-lease|openshift-.*)$/

/** Where NodeLocal DNSCache listens (cluster/addons/dns/nodelocaldns). */
const NODE_LOCAL_DNS = '169.254.20.10'

export function generatePolicies(objects: KubeObjects, options: GenerateOptions): Generation {
  const side = stateOf(objects)
  const groups = groupsOf(side.podsOf)
  const inside = (namespace: string) =>
    options.namespace === null ? !SYSTEM.test(namespace) : namespace === options.namespace
  const list = options.flows
    ? wantedByFlows(options.flows, side, options.namespace ?? 'default')
    : wantedByMatrix(side, inside)
  const notes = [...list.notes]
  const dns = dnsOf(objects, side, groups)
  if (dns.groups.length === 0)
    notes.push(
      dns.host
        ? 'the DNS pods share the network of their node, where no selector finds them: DNS is allowed to every address'
        : 'no DNS pods among the objects: the usual ones (kube-system, k8s-app=kube-dns, port 53) are assumed',
    )
  const subjects = new Set<Group>()
  for (const w of list.wanted)
    for (const end of [w.from, w.to]) {
      const group = end.kind === 'pods' ? groups.get(end.name) : undefined
      if (group && inside(group.namespace)) subjects.add(group)
    }
  const quiet = [...groups].filter(([, g]) => inside(g.namespace) && !subjects.has(g)).map(([name]) => name)
  if (quiet.length > 0) notes.push(`no connection of ${named(quiet)}: no policy, which would cut them off`)
  const left = new Set(
    list.wanted.flatMap((w) => [w.from, w.to]).flatMap((e) => (e.kind === 'pods' ? [groups.get(e.name)] : [])),
  )
  const system = [...left].flatMap((g) => (g && SYSTEM.test(g.namespace) && !inside(g.namespace) ? [g.namespace] : []))
  if (options.namespace === null && system.length > 0)
    notes.push(`no policy for ${named([...new Set(system)])}: name it with -n to get one`)
  const policies: GeneratedPolicy[] = []
  const covered = new Set<string>()
  const taken = policyNames(objects)
  for (const group of [...subjects].sort((x, y) => (key(x) < key(y) ? -1 : 1))) {
    if (!group.selector) {
      notes.push(`${named(group.names)}: no label to select by, so no policy`)
      continue
    }
    if (group.names.length > 1)
      notes.push(`${named(group.names)}: no stable label tells them apart, they share a policy`)
    for (const name of group.names) covered.add(name)
    const ingress = wantsOf(list.wanted, group, groups, 'ingress', options.flows === null)
    const egress = wantsOf(list.wanted, group, groups, 'egress', options.flows === null)
    const isDns = dns.groups.some((d) => d.group === group)
    if (isDns)
      for (const { protocol, port } of dns.groups.find((d) => d.group === group)!.ports)
        ingress.push({
          peer: { kind: 'namespace', namespace: null },
          protocol,
          port,
          asked: said('everybody asks the cluster DNS'),
        })
    policies.push({
      namespace: group.namespace,
      name: freeName(group, taken),
      comment: `${named(group.names)}: what ${options.flows ? 'was seen' : 'is allowed now and Services offer'}`,
      podSelector: selectorObject(group.selector),
      ingress: rulesFor(group, 'ingress', ingress),
      egress: [
        ...(isDns ? [] : dnsRules(group, dns, askedText(egress.filter(dns.covers).map((w) => w.asked)))),
        ...rulesFor(
          group,
          'egress',
          egress.filter((w) => isDns || !dns.covers(w)),
        ),
      ],
    })
  }
  const implied = [...covered].flatMap((name) => impliedDns(name, dns))
  return { policies, wanted: [...list.wanted, ...implied], side, covered, notes }
}

const key = (g: Group) => `${g.namespace} ${g.names[0]}`

function named(names: readonly string[]): string {
  return names.length > 6 ? `${names.slice(0, 6).join(', ')} and ${names.length - 6} more` : names.join(', ')
}

interface Dns {
  readonly groups: readonly {
    readonly group: Group
    readonly ports: readonly { readonly protocol: string; readonly port: number }[]
  }[]
  /** There are DNS pods, on the host network. */
  readonly host: boolean
  readonly nodeLocal: boolean
  /** The rule for DNS lets it through already. */
  readonly covers: (w: RuleWant) => boolean
}

function dnsOf(objects: KubeObjects, side: Side, groups: ReadonlyMap<string, Group>): Dns {
  const ports = dnsPorts(objects)
  const found = new Map<Group, Set<string>>()
  let host = false
  for (const pod of objects.pods) {
    const own = ports.get(`${pod.meta.namespace}/${pod.meta.name}`)
    if (!own) continue
    const group = pod.hostNetwork ? undefined : groups.get(side.nameOf(pod))
    if (!group) host ||= pod.hostNetwork
    else found.set(group, new Set([...(found.get(group) ?? []), ...own]))
  }
  const list = [...found].map(([group, texts]) => ({
    group,
    // A name that fits one packet goes by UDP, a longer answer by TCP (RFC 7766): both, whatever the Service has.
    ports: [...new Set([...texts].flatMap((t) => ['UDP', 'TCP'].map((p) => `${p} ${t.split(' ')[1]}`)))]
      .sort()
      .map((t) => {
        const [protocol = '', port = ''] = t.split(' ')
        return { protocol, port: Number(port) }
      }),
  }))
  return {
    groups: list.sort((x, y) => (key(x.group) < key(y.group) ? -1 : 1)),
    host,
    nodeLocal: objects.pods.some((p) => p.meta.labels['k8s-app'] === 'node-local-dns'),
    covers: (w) =>
      w.peer.kind === 'group' &&
      list.some(
        (d) =>
          d.group === (w.peer as { group: Group }).group &&
          d.ports.some((p) => p.protocol === w.protocol && p.port === w.port),
      ),
  }
}

/** `seen`: how often the DNS was asked; empty when it was not seen. */
function dnsRules(subject: Group, dns: Dns, seen: string): RuleDraft[] {
  const rules = dns.groups.flatMap(({ group, ports }) =>
    rulesFor(
      subject,
      'egress',
      ports.map((p) => ({ ...p, peer: { kind: 'group' as const, group }, asked: said('names') })),
    ),
  )
  const told = rules.map((r) => ({ ...r, comment: `the cluster DNS${seen === '' ? '' : ` (${seen})`}` }))
  const fixed = [{ protocol: 'UDP', port: 53 }, { port: 53 }]
  if (dns.groups.length === 0)
    told.push({
      comment: dns.host
        ? 'the cluster DNS, whose pods no selector finds'
        : 'the cluster DNS, assumed to be the usual one',
      peers: dns.host
        ? []
        : [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
              podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
            },
          ],
      ports: fixed,
    })
  if (dns.nodeLocal && !(dns.groups.length === 0 && dns.host))
    told.push({ comment: 'NodeLocal DNSCache', peers: [{ ipBlock: { cidr: `${NODE_LOCAL_DNS}/32` } }], ports: fixed })
  return told
}

function impliedDns(name: string, dns: Dns): Wanted[] {
  const from = { kind: 'pods' as const, name }
  const asked = said('the cluster DNS')
  const local = parseIp(NODE_LOCAL_DNS)!
  return [
    ...dns.groups.flatMap(({ group, ports }) =>
      group.names.includes(name)
        ? []
        : group.names.flatMap((to) =>
            ports.map((p) => ({ from, to: { kind: 'pods' as const, name: to }, ...p, asked })),
          ),
    ),
    ...(dns.nodeLocal
      ? ['UDP', 'TCP'].map((protocol) => ({
          from,
          to: { kind: 'outside' as const, ip: local },
          protocol,
          port: 53,
          asked,
        }))
      : []),
  ]
}

/** What the group's rules of one direction must let through. `wide`: a whole namespace that is wanted is written as one. */
function wantsOf(
  wanted: readonly Wanted[],
  group: Group,
  groups: ReadonlyMap<string, Group>,
  direction: 'ingress' | 'egress',
  wide: boolean,
): RuleWant[] {
  const mine = (e: WantedEnd) => e.kind === 'pods' && group.names.includes(e.name)
  const out: RuleWant[] = []
  for (const w of wanted) {
    const [near, far] = direction === 'ingress' ? [w.to, w.from] : [w.from, w.to]
    if (!mine(near)) continue
    const { protocol, port } = w
    const asked = w.asked
    if (far.kind === 'outside' || far.kind === 'anywhere') out.push({ peer: far, protocol, port, asked })
    else {
      const peer = groups.get(far.name)
      if (peer) out.push({ peer: { kind: 'group', group: peer }, protocol, port, asked })
    }
  }
  return wide && direction === 'ingress' ? widened(out, groups) : out
}

/** Where every workload of a namespace, or of all, is wanted on a port, the rule names the namespace and not each. */
function widened(wants: readonly RuleWant[], groups: ReadonlyMap<string, Group>): RuleWant[] {
  const everyone = new Map<string, Set<Group>>()
  for (const g of groups.values()) everyone.set(g.namespace, (everyone.get(g.namespace) ?? new Set()).add(g))
  const byPort = new Map<string, RuleWant[]>()
  for (const w of wants) {
    const port = `${w.protocol} ${w.port}`
    byPort.set(port, [...(byPort.get(port) ?? []), w])
  }
  return [...byPort.values()].flatMap((list) => {
    const present = new Set(list.flatMap((w) => (w.peer.kind === 'group' ? [w.peer.group] : [])))
    // A group is not its own peer unless it has replicas.
    const full = [...everyone].filter(([, all]) => all.size > 2 && [...all].filter((g) => !present.has(g)).length <= 1)
    const whole = new Set(full.map(([namespace]) => namespace))
    const first = list[0]!
    const rest = list.filter((w) => !(w.peer.kind === 'group' && whole.has(w.peer.group.namespace)))
    if (full.length === everyone.size && full.length > 1)
      return [
        { ...first, peer: { kind: 'namespace' as const, namespace: null } },
        ...rest.filter((w) => w.peer.kind !== 'group'),
      ]
    return [...full.map(([namespace]) => ({ ...first, peer: { kind: 'namespace' as const, namespace } })), ...rest]
  })
}

/** Written on every policy generated here: they may be replaced by the next run. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'netwhy' } as const

/** Names that are taken by policies somebody else wrote. */
function policyNames(objects: KubeObjects): Set<string> {
  const label = Object.keys(MANAGED_BY)[0]!
  return new Set(
    objects.others
      .filter((o) => o.kind === 'NetworkPolicy' && o.meta.labels[label] !== 'netwhy')
      .map((o) => `${o.meta.namespace}/${o.meta.name}`),
  )
}

/** `web-allow`; the kind in front where two workloads have one name. */
function freeName(group: Group, taken: Set<string>): string {
  const [kind = '', , ...rest] = group.names[0]!.split('/')
  const base = rest.join('-').slice(0, 230)
  let name = `${base}-allow`
  if (taken.has(`${group.namespace}/${name}`)) name = `${kind}-${base}-allow`
  for (let n = 2; taken.has(`${group.namespace}/${name}`); n++) name = `${kind}-${base}-allow-${n}`
  taken.add(`${group.namespace}/${name}`)
  return name
}
