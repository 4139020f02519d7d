/** kubelet's settings: config.yaml (kubelet.config.k8s.io/v1beta1) and the flags that kubeadm wrote; flags win. */
import { parse as parseYaml } from 'yaml'
import { type Ip, parseIp } from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { KubeletSettings } from '../../model/node-files.ts'
import { evidenceOf, isRow, numberOf, type Origin, type Placed, type Row, readLines, textOf, textsOf } from '../rows.ts'

export interface KubeletFile {
  readonly text: string
  readonly origin: Origin
}

const YAML_KEYS: Readonly<Record<string, string>> = {
  clusterDNS: 'clusterDns',
  clusterDomain: 'clusterDomain',
  resolvConf: 'resolvConf',
  hairpinMode: 'hairpinMode',
  maxPods: 'maxPods',
  podCIDR: 'podCidr',
}
const FLAGS: Readonly<Record<string, string>> = {
  'cluster-dns': 'clusterDns',
  'cluster-domain': 'clusterDomain',
  'resolv-conf': 'resolvConf',
  'hairpin-mode': 'hairpinMode',
  'max-pods': 'maxPods',
  'pod-cidr': 'podCidr',
  'node-ip': 'nodeIps',
  'hostname-override': 'hostnameOverride',
}

/** A line with command line flags. */
export interface KubeletFlags {
  readonly text: string
  readonly evidence: Evidence
}

/** `flags`: lines of kubeadm-flags.env, then the command line of the running kubelet. Undefined when nothing is said. */
export function parseKubelet(config: KubeletFile | null, flags: readonly KubeletFlags[]): KubeletSettings | undefined {
  const values = new Map<string, string>()
  const lines: Partial<Record<string, Evidence>> = {}
  const set = (field: string, value: string, evidence: Evidence) => {
    values.set(field, value)
    lines[field] = evidence
  }
  const evidence: Evidence[] = []
  if (config) {
    const rows = readLines(config.text)
    const read = yaml(config.text)
    if (rows[0]) evidence.push(evidenceOf(config.origin, rows[0]))
    for (const [key, field] of Object.entries(YAML_KEYS)) {
      const value = key === 'clusterDNS' ? textsOf(read[key]).join(',') : textOf(read[key])
      const at = rows.find((r) => r.value.startsWith(`${key}:`))
      if (value !== undefined && value !== '' && at) set(field, value, evidenceOf(config.origin, shown(at, key, value)))
    }
  }
  for (const flag of flags) {
    for (const m of flag.text.matchAll(/--([a-z-]+)[= ]("?)([^\s"]+)\2/g)) {
      const field = FLAGS[m[1]!]
      if (field !== undefined) set(field, m[3]!, flag.evidence)
    }
    if (evidence.length < 4) evidence.push(flag.evidence)
  }
  if (evidence.length === 0) return undefined
  const optional = (field: string) => {
    const value = values.get(field)
    return value === undefined ? {} : { [field]: value }
  }
  const maxPods = numberOf(values.get('maxPods'))
  return {
    clusterDns: addresses(values.get('clusterDns')),
    ...optional('clusterDomain'),
    ...optional('resolvConf'),
    ...optional('hairpinMode'),
    ...optional('podCidr'),
    ...optional('hostnameOverride'),
    ...(maxPods === undefined ? {} : { maxPods }),
    nodeIps: addresses(values.get('nodeIps')),
    evidence,
    lines,
  }
}

/** A list stands below its key: the proof shows it beside. */
function shown(at: Placed<string>, key: string, value: string): { line: number; text: string } {
  return { line: at.line, text: at.value.trim() === `${key}:` ? `${key}: [${value}]` : at.value }
}

function addresses(text: string | undefined): Ip[] {
  return (text ?? '').split(',').flatMap((t) => parseIp(t.trim()) ?? [])
}

function yaml(text: string): Row {
  try {
    const value: unknown = parseYaml(text, { maxAliasCount: 50 })
    return isRow(value) ? value : {}
  } catch {
    return {}
  }
}
