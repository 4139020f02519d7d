/** Search lists: `dns-search-wildcard`, `dns-search-limit`, `dns-ndots-amplification`. */
import { type ClusterCheck, type ClusterFinding, type ClusterState, netnsInFocus } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { dnsLogs, loggedQueries } from '../../view/dns-view.ts'
import { shellWord } from '../../view/words.ts'

/** Domains that a search list has beside the cluster's own, with a pod that has them. */
function foreignDomains(state: ClusterState) {
  const out = new Map<
    string,
    { readonly pod: string; readonly evidence: NonNullable<ClusterFinding['finding']['evidence'][number]> }
  >()
  for (const n of netnsInFocus(state)) {
    if (!n.pod || !n.resolvConf) continue
    const { search, evidence } = n.resolvConf
    const cluster = search.find((d) => d.startsWith('svc.'))?.slice('svc.'.length)
    if (cluster === undefined) continue
    for (const d of search) {
      const domain = d.toLowerCase().replace(/\.$/, '')
      if (domain === cluster || domain.endsWith(`.${cluster}`) || domain === '' || out.has(domain)) continue
      out.set(domain, { pod: `${n.pod.namespace}/${n.pod.name}`, evidence })
    }
  }
  return out
}

/** Ends in a top-level domain of the Internet: with a search domain behind it, nobody meant that name. */
const OUTSIDE = /\.(com|org|net|io|dev|app|gov|edu|cloud|co|ai|info)$/

export const dnsSearchWildcard: ClusterCheck = {
  name: 'dns-search-wildcard',
  find(state) {
    const domains = foreignDomains(state)
    if (domains.size === 0) return []
    const queries = loggedQueries(dnsLogs(state.network, state.objects))
    return [...domains].flatMap(([domain, by]): ClusterFinding[] => {
      const answered = queries.filter(
        (q) =>
          q.rcode === 'NOERROR' &&
          (q.qtype === 'A' || q.qtype === 'AAAA') &&
          q.qname.endsWith(`.${domain}`) &&
          OUTSIDE.test(q.qname.slice(0, -domain.length - 1)),
      )
      const [one] = answered
      if (!one) return []
      const meant = one.qname.slice(0, -domain.length - 1)
      return [
        clusterFinding('dns-search-wildcard', {
          severity: 'error',
          hurts: false,
          title: `outside names resolve under the search domain ${domain}: ${meant} becomes ${one.qname}`,
          text: `Pods have ${domain} in their search list (from the node's resolv.conf), and with ndots 5 the list is tried before ${meant} itself. ${domain} answers for any name, so pods get its address: the wrong server, often seen as a certificate for the wrong name. Nodes, whose ndots is 1, get it right.`,
          where: { object: `search domain ${domain}` },
          concerns: [{ kind: 'object' }],
          evidence: [by.evidence, ...answered.slice(0, 3).map((q) => q.evidence)],
          remedy: {
            text: `Take ${domain} out of the resolv.conf that kubelet hands on (its resolvConf), or remove the wildcard record. An answer for a name that cannot exist proves the record. For one pod: dnsConfig with ndots 2, or a dot at the end of the name.`,
            commands: [`dig +short ${shellWord(`no-such-name-1234.${domain}`)}`],
          },
        }),
      ]
    })
  },
}

/** glibc before 2.26 and older musl take 6 search domains, 256 characters; newer ones have no such limit (resolv.conf(5)). */
const OLD_DOMAINS = 6

export const dnsSearchLimit: ClusterCheck = {
  name: 'dns-search-limit',
  find(state) {
    const { objects } = state
    const cut = objects.events.filter((e) => e.reason === 'DNSConfigForming' && /limits were exceeded/i.test(e.message))
    if (cut[0]) {
      const pods = [...new Set(cut.map((e) => `${e.about.namespace}/${e.about.name}`))]
      const servers = /nameserver/i.test(cut[0].message)
      return [
        clusterFinding('dns-search-limit', {
          severity: 'warning',
          title: `kubelet leaves out ${servers ? 'name servers' : 'search domains'} of ${pods.length} pod${pods.length === 1 ? '' : 's'}: there are too many`,
          text: `For ${pods.slice(0, 3).join(', ')} kubelet says: ${cut[0].message.slice(0, 300)} What is left out is not asked, so names that need it do not resolve.`,
          where: { object: `Pod ${pods[0]}` },
          concerns: cut.slice(0, 20).map((e) => ({ kind: 'pod', namespace: e.about.namespace, name: e.about.name })),
          evidence: cut
            .slice(0, 3)
            .map((e) => ({ ...e.evidence, text: `${e.evidence.text}: ${e.message.slice(0, 300)}` })),
          remedy: {
            text: `Shorten ${servers ? 'the list of name servers (3 are used)' : 'dnsConfig.searches'} or the resolv.conf of the node.`,
          },
        }),
      ]
    }
    for (const n of netnsInFocus(state)) {
      if (!n.pod || !n.resolvConf || n.resolvConf.search.length <= OLD_DOMAINS) continue
      const name = `${n.pod.namespace}/${n.pod.name}`
      return [
        clusterFinding('dns-search-limit', {
          severity: 'info',
          title: `pod ${name} has ${n.resolvConf.search.length} search domains; older resolvers take ${OLD_DOMAINS}`,
          text: 'Images with glibc before 2.26 leave the rest out; newer ones take them all, and try each for every name.',
          where: { object: `Pod ${name}` },
          concerns: [{ kind: 'pod', ...n.pod }],
          evidence: [n.resolvConf.evidence],
          remedy: { text: 'Shorten dnsConfig.searches or the resolv.conf of the node.' },
        }),
      ]
    }
    return []
  },
}

/** Fewer queries than this say nothing about the rest. */
const ENOUGH = 20

export const dnsNdots: ClusterCheck = {
  name: 'dns-ndots-amplification',
  find({ network, objects }) {
    const queries = loggedQueries(dnsLogs(network, objects))
    const wasted = queries.filter(
      (q) =>
        q.rcode === 'NXDOMAIN' &&
        /\.[a-z]{2,}\.(?:[a-z0-9-]+\.)?(?:svc\.)?cluster\.local$/.test(q.qname) &&
        OUTSIDE.test(q.qname.replace(/(\.[a-z0-9-]+\.svc|\.svc)?\.cluster\.local$/, '')),
    )
    if (wasted.length < ENOUGH || wasted.length * 2 < queries.length) return []
    return [
      clusterFinding('dns-ndots-amplification', {
        severity: 'info',
        title: `${Math.round((wasted.length / queries.length) * 100)} % of the DNS queries ask for outside names with a cluster domain appended`,
        text: `Of ${queries.length} logged queries ${wasted.length} are such attempts (ndots 5 tries the search list first). That is how Kubernetes sets pods up and is no fault, but it multiplies load and latency.`,
        where: { object: 'CoreDNS' },
        concerns: [{ kind: 'dns' }],
        evidence: wasted.slice(0, 3).map((q) => q.evidence),
        remedy: {
          text: 'End outside names with a dot, or lower ndots for pods that mostly call outside.',
          manifest: 'spec:\n  dnsConfig:\n    options:\n      - name: ndots\n        value: "2"\n',
        },
      }),
    ]
  },
}
