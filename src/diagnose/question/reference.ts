/** How the user names an end of a connection (CONTRACT, References). */
import { formatIp, type Ip, parseIp } from '../../base/ip.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'

export type Reference =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  /** `workload` is the full kind: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob. */
  | { readonly kind: 'workload'; readonly workload: string; readonly namespace: string; readonly name: string }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'ip'; readonly ip: Ip }
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'external' }

export interface ParsedReference {
  readonly reference: Reference
  /** Number or name, as written. */
  readonly port: string | null
}

/** Kinds by the names kubectl takes. */
const KINDS: Readonly<Record<string, string>> = {
  po: 'pod',
  pod: 'pod',
  pods: 'pod',
  svc: 'service',
  service: 'service',
  services: 'service',
  no: 'node',
  node: 'node',
  nodes: 'node',
  deploy: 'Deployment',
  deployment: 'Deployment',
  deployments: 'Deployment',
  sts: 'StatefulSet',
  statefulset: 'StatefulSet',
  statefulsets: 'StatefulSet',
  ds: 'DaemonSet',
  daemonset: 'DaemonSet',
  daemonsets: 'DaemonSet',
  rs: 'ReplicaSet',
  replicaset: 'ReplicaSet',
  replicasets: 'ReplicaSet',
  job: 'Job',
  jobs: 'Job',
  cj: 'CronJob',
  cronjob: 'CronJob',
  cronjobs: 'CronJob',
}

const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

/** An address with an optional port: `10.0.0.1:80`, `[fd00::1]:80`, `fd00::1`. */
function parseAddress(text: string): ParsedReference | null {
  const bracket = /^\[([^\]]+)\](?::(\w[\w-]*))?$/.exec(text)
  const plain = /^([0-9.]+)(?::(\w[\w-]*))?$/.exec(text)
  const [, address = text, port] = bracket ?? plain ?? []
  const ip = parseIp(address)
  return ip ? { reference: { kind: 'ip', ip }, port: port ?? null } : null
}

/** Cuts `:PORT` off the end. */
function cutPort(text: string): [string, string | null] {
  const m = /^(.*):([A-Za-z0-9][A-Za-z0-9-]*)$/.exec(text)
  return m ? [m[1] ?? '', m[2] ?? null] : [text, null]
}

/**
 * Reads a reference. A bare `NS/NAME` is a pod, or failing that a workload of that name in `objects`. Returns a sentence
 * for the user when it is none.
 */
export function parseReference(text: string, namespace: string, objects: KubeObjects): ParsedReference | string {
  const form = 'pod/NS/NAME, svc/NS/NAME[:PORT], deploy/NS/NAME, node/NAME, ip:ADDRESS, host:NAME or external'
  if (text === '') return `an end of the connection is empty; write ${form}`
  if (text === 'external') return { reference: { kind: 'external' }, port: null }
  if (text.startsWith('external:')) return { reference: { kind: 'external' }, port: text.slice(9) }
  if (text.startsWith('ip:')) return parseAddress(text.slice(3)) ?? `${text}: not an IP address`
  if (text.startsWith('host:')) {
    const [host, port] = cutPort(text.slice(5))
    if (!/^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/.test(host)) return `${text}: not a DNS name`
    return { reference: { kind: 'host', host: host.toLowerCase() }, port }
  }
  const address = parseAddress(text)
  if (address) return address
  if (/^\d+(\.\d+){2,}(:|$)/.test(text)) return `${text}: not an IP address`
  const [path, port] = cutPort(text)
  const parts = path.split('/')
  if (parts.some((p) => !NAME.test(p)) || parts.length > 3) return `${text}: not understood; write ${form}`
  const kind = KINDS[parts[0] ?? '']
  if (kind === 'node') {
    const name = parts[1]
    return parts.length === 2 && name !== undefined
      ? { reference: { kind: 'node', name }, port }
      : `${text}: write node/NAME`
  }
  if (kind !== undefined && parts.length >= 2) {
    const [ns, name] = parts.length === 3 ? [parts[1] ?? '', parts[2] ?? ''] : [namespace, parts[1] ?? '']
    if (kind === 'pod' || kind === 'service') return { reference: { kind, namespace: ns, name }, port }
    return { reference: { kind: 'workload', workload: kind, namespace: ns, name }, port }
  }
  if (parts.length === 3) return `${text}: ${parts[0]} is no kind that is known here; write ${form}`
  const [ns, name] = parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : [namespace, parts[0] ?? '']
  return { reference: bareName(ns, name, objects), port }
}

function bareName(namespace: string, name: string, objects: KubeObjects): Reference {
  const pod = { kind: 'pod' as const, namespace, name }
  if (objects.pods.some((p) => p.meta.namespace === namespace && p.meta.name === name)) return pod
  for (const p of objects.pods)
    for (const o of p.meta.namespace === namespace ? p.meta.owners : []) {
      if (o.name === name) return { kind: 'workload', workload: o.kind, namespace, name }
      if (o.kind === 'ReplicaSet' && o.name.replace(/-[a-z0-9]+$/, '') === name)
        return { kind: 'workload', workload: 'Deployment', namespace, name }
    }
  return pod
}

/** Kinds as they are written in references. */
const SHORT: Readonly<Record<string, string>> = {
  Deployment: 'deploy',
  StatefulSet: 'sts',
  DaemonSet: 'ds',
  ReplicaSet: 'rs',
  Job: 'job',
  CronJob: 'cronjob',
}

/** The reference written out, namespace and all, without a port. */
export function referenceText(r: Reference): string {
  switch (r.kind) {
    case 'pod':
      return `pod/${r.namespace}/${r.name}`
    case 'service':
      return `svc/${r.namespace}/${r.name}`
    case 'workload':
      return `${SHORT[r.workload] ?? r.workload.toLowerCase()}/${r.namespace}/${r.name}`
    case 'node':
      return `node/${r.name}`
    case 'ip':
      return `ip:${formatIp(r.ip)}`
    case 'host':
      return `host:${r.host}`
    case 'external':
      return 'external'
  }
}
