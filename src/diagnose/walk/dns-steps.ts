/** The checks of a name, in the order of reference D4 and E2: resolv.conf, DNS Service, its pods, the way to it, Corefile, the name. */
import { formatIp } from '../../base/ip.ts'
import { configMapsOf } from '../../kubeobj/configmap.ts'
import { forwardsOf, readCorefile } from '../../kubeobj/corefile.ts'
import type { ServiceObject } from '../../kubeobj/objects.ts'
import type { Answer } from '../../model/finding.ts'
import type { Inquiry } from '../inquiry.ts'
import type { Asked } from '../question/asked.ts'
import { serviceProof, sliceProof } from '../view/object-proof.ts'
import { backendsOf, dnsServices, same, serviceName, slicesOf, usableBackends } from '../view/service-view.ts'
import { count, type Draft, draft, failedBy, findingOf, some } from './draft.ts'
import { type Fate, said } from './fate.ts'

/** The checks before a connection by name. `lookups` are the choices of the DNS query. */
export function dnsSteps(q: Inquiry, asked: Asked, lookups: readonly Fate[], answer: Answer): Draft[] {
  const services = dnsServices(q.objects)
  return [
    resolvConfStep(q, asked, services, answer),
    searchStep(q, asked),
    serviceStep(q, services),
    endpointsStep(q, services[0], answer),
    pathStep(lookups, answer),
    corefileStep(q),
    nameStep(asked, answer),
  ]
}

function confOf(q: Inquiry, asked: Asked) {
  const source = asked.sources[0]
  return source?.netns ? q.network.netns.get(source.netns)?.resolvConf : undefined
}

function resolvConfStep(q: Inquiry, asked: Asked, services: readonly ServiceObject[], answer: Answer): Draft {
  const id = 'dns.resolv-conf'
  const title = 'resolv.conf names a server that is asked'
  const found = findingOf(answer, ['dns-nameserver-wrong'])
  if (found) return failedBy(id, title, found)
  const conf = confOf(q, asked)
  if (!conf) return draft(id, title, 'unknown', 'resolv.conf of the sender was not collected')
  const first = conf.nameservers[0]
  if (!first) return draft(id, title, 'failed', 'it has no nameserver line', [conf.evidence])
  const mine = services.find((s) => s.clusterIPs.some((a) => same(a, first)))
  const more = conf.nameservers.length > 3 ? '; glibc reads only the first three' : ''
  const what = mine
    ? `Service ${serviceName(mine)}`
    : 'not the address of the cluster DNS Service (a node-local cache, or the node’s own)'
  return draft(id, title, 'ok', `nameserver ${formatIp(first)}, ${what}${more}`, [conf.evidence])
}

function searchStep(q: Inquiry, asked: Asked): Draft {
  const id = 'dns.search'
  const title = 'The search list completes short names'
  const conf = confOf(q, asked)
  if (!conf) return draft(id, title, 'unknown', 'resolv.conf of the sender was not collected')
  const pod = asked.sources[0]?.pod
  const ndots = conf.options.get('ndots')
  const list = conf.search.join(' ') || 'none'
  const host = asked.question.to.replace(/^host:/, '')
  const clustered = conf.search.some((s) => /^svc\./.test(s))
  const short = !/\.svc(\.|$)/.test(host) && !host.endsWith('.') && asked.targets.length > 0
  if (pod && short && !clustered)
    return draft(
      id,
      title,
      'failed',
      `search ${list}: no cluster domain completes ${host} (dnsPolicy ${pod.dnsPolicy ?? 'ClusterFirst'})`,
      [conf.evidence],
    )
  return draft(id, title, 'ok', `search ${list}${ndots === undefined ? '' : `, ndots ${ndots}`}`, [conf.evidence])
}

function serviceStep(q: Inquiry, services: readonly ServiceObject[]): Draft {
  const id = 'dns.service'
  const title = 'The cluster DNS has a Service'
  if (!q.objects.known.has('Service')) return draft(id, title, 'unknown', 'Services were not collected from the API')
  const s = services[0]
  if (!s)
    return draft(id, title, 'unknown', 'none is labelled k8s-app=kube-dns or named kube-dns or coredns with port 53')
  return draft(id, title, 'ok', `${serviceName(s)} at ${s.clusterIPs.join(', ')}`, [serviceProof(s)])
}

function endpointsStep(q: Inquiry, service: ServiceObject | undefined, answer: Answer): Draft {
  const id = 'dns.endpoints'
  const title = 'DNS servers are ready behind it'
  const found = findingOf(answer, ['dns-no-endpoints'])
  if (found) return failedBy(id, title, found)
  const port = service?.ports.find((p) => p.port === 53 && p.protocol === 'UDP') ?? service?.ports[0]
  if (!service || !port || !q.objects.known.has('EndpointSlice'))
    return draft(id, title, 'unknown', 'its endpoints are not known')
  const all = backendsOf(q.objects, service, port)
  const usable = usableBackends(all)
  const names = usable.map((b) => b.pod?.meta.name ?? b.address)
  const restarts = usable.reduce((n, b) => n + (b.pod?.containerStatuses[0]?.restartCount ?? 0), 0)
  const text = `${usable.length} of ${count(all.length, 'endpoint')} ready: ${some(names) || 'none'}${restarts > 0 ? `; ${restarts} restarts` : ''}`
  return draft(
    id,
    title,
    usable.length > 0 ? 'ok' : 'failed',
    text,
    slicesOf(q.objects, service).slice(0, 2).map(sliceProof),
  )
}

function pathStep(lookups: readonly Fate[], answer: Answer): Draft {
  const id = 'dns.path'
  const title = 'A query reaches a DNS server and is answered (UDP 53)'
  const bad = lookups.filter((f) => f.ending?.state === 'failed')
  const [first] = bad
  if (first?.ending) {
    const p = bad.reduce((n, f) => n + f.branch.trace.probability, 0)
    const share = p > 0.999 ? '' : `${Math.round(p * 1000) / 10} % of queries: `
    return draft(id, title, 'failed', `${share}${first.ending.text}`, first.ending.evidence, first.ending.finding?.code)
  }
  const denied = findingOf(answer, ['policy-denies-dns', 'dns-upstream-unreachable'])
  if (denied) return failedBy(id, title, denied)
  const open = lookups.find((f) => f.ending !== null)
  if (open?.ending) return draft(id, title, 'unknown', open.ending.text, open.ending.evidence)
  const shown = lookups[0]
  if (!shown) return draft(id, title, 'unknown', 'the sender’s nameserver is not known')
  const socket = shown.staged.findLast((s) => s.stage === 'deliver')
  const to = [...new Set(lookups.map((f) => formatIp(f.branch.trace.forward.packet.dst)))]
  return draft(
    id,
    title,
    'ok',
    `${some(to)}: ${socket ? said(socket.step) : 'delivered'}, answer comes back`,
    socket?.step.evidence,
  )
}

/** CoreDNS' configuration in kube-system, by the name every distribution gives it. */
function corefileStep(q: Inquiry): Draft {
  const id = 'dns.corefile'
  const title = 'The Corefile answers cluster names and forwards the rest'
  const map = configMapsOf(q.objects).find(
    (m) => m.meta.namespace === 'kube-system' && /coredns|kube-dns/.test(m.meta.name) && m.data.Corefile !== undefined,
  )
  const text = map?.data.Corefile
  if (!map || text === undefined) return draft(id, title, 'unknown', 'the Corefile was not collected')
  const corefile = readCorefile(text)
  const zones = corefile.servers.flatMap((s) => s.plugins).find((p) => p.name === 'kubernetes')
  const forward = forwardsOf(corefile)[0]
  if (!zones)
    return corefile.whole
      ? draft(id, title, 'failed', 'it has no kubernetes plugin: names of Services are not answered', [map.evidence])
      : draft(id, title, 'unknown', 'it imports parts that were not collected', [map.evidence])
  const said = [zones.text, forward?.text ?? 'nothing is forwarded'].map((t) => t.replace(/ \{$/, ''))
  return draft(id, title, 'ok', said.join('; '), [
    { ...map.evidence, text: `${map.evidence.text}, Corefile line ${zones.line}: ${zones.text}` },
  ])
}

function nameStep(asked: Asked, answer: Answer): Draft {
  const id = 'dns.name'
  const title = 'The name means something'
  const host = asked.question.to.replace(/^host:/, '')
  const broken = findingOf(answer, ['dns-name-missing'])
  if (broken) return failedBy(id, title, broken)
  const target = asked.targets[0]
  if (target?.service)
    return draft(
      id,
      title,
      'ok',
      `${host} is Service ${serviceName(target.service)}: ${some(asked.targets.map((t) => formatIp(t.ip)))}`,
      [serviceProof(target.service)],
    )
  return draft(id, title, 'unknown', `${host} is no Service of the cluster; what it resolves to is not in the evidence`)
}
