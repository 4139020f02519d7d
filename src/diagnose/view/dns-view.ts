/** The cluster's DNS as a check asks about it: its pods, its Corefile, what it logged. */
import { configMapsOf } from '../../kubeobj/configmap.ts'
import { type Corefile, readCorefile } from '../../kubeobj/corefile.ts'
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Network } from '../../model/network.ts'
import { isAlive, logOf } from './pod-view.ts'
import { dnsServices, selectedPods } from './service-view.ts'

/** Pods behind the cluster's DNS Services, also those that are not Ready. */
export function dnsPods(objects: KubeObjects): PodObject[] {
  return [...new Set(dnsServices(objects).flatMap((s) => selectedPods(objects, s)))].filter(isAlive)
}

export interface ReadCorefile {
  readonly corefile: Corefile
  /** The line of the ConfigMap's Corefile as evidence. */
  readonly proof: (line: number, text: string) => Evidence
}

/** The Corefile of the cluster DNS: the ConfigMap of its namespace that has one; null when none, or more than one could be meant. */
export function corefileOf(objects: KubeObjects): ReadCorefile | null {
  const namespaces = new Set(dnsServices(objects).map((s) => s.meta.namespace))
  const all = configMapsOf(objects).filter((c) => c.data.Corefile !== undefined && namespaces.has(c.meta.namespace))
  const own = all.filter((c) => /coredns/.test(c.meta.name) && !/custom|autoscaler|node-?local/.test(c.meta.name))
  const found = own.length > 0 ? own : all.filter((c) => !/node-?local|custom/.test(c.meta.name))
  const [map] = found
  if (!map || found.length > 1) return null
  return {
    corefile: readCorefile(map.data.Corefile ?? ''),
    proof: (line, text) => ({
      ...map.evidence,
      text: `${map.evidence.text}, Corefile line ${line}: ${text.slice(0, 200)}`,
    }),
  }
}

export interface DnsLog {
  readonly pod: PodObject
  readonly lines: readonly Evidence[]
}

/** Kept log lines of each DNS pod that has any. */
export function dnsLogs(network: Network, objects: KubeObjects): DnsLog[] {
  return dnsPods(objects)
    .map((pod) => ({ pod, lines: logOf(network, pod) }))
    .filter((l) => l.lines.length > 0)
}

/** A line of CoreDNS's `log` plugin (its README, "Log Format", the default common format). */
export interface LoggedQuery {
  /** Lower case, without the last dot. */
  readonly qname: string
  readonly qtype: string
  readonly rcode: string
  readonly seconds: number
  readonly evidence: Evidence
}

const QUERY = /"([A-Z0-9]+) IN (\S+) (?:udp|tcp) \d+ (?:true|false) \d+" ([A-Z]+) \S* \d+ ([0-9.]+)s\s*$/

export function loggedQueries(logs: readonly DnsLog[]): LoggedQuery[] {
  return logs.flatMap((l) =>
    l.lines.flatMap((evidence): LoggedQuery[] => {
      const m = QUERY.exec(evidence.text)
      if (!m) return []
      const [, qtype = '', name = '', rcode = '', seconds = ''] = m
      return [{ qname: name.toLowerCase().replace(/\.$/, ''), qtype, rcode, seconds: Number(seconds), evidence }]
    }),
  )
}
