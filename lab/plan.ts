/** What the lab consists of, before anything is made: names, addresses, options. */
import { createHash } from 'node:crypto'
import { LabError } from './errors.ts'

export const TOPOLOGIES = ['flannel', 'hostgw', 'calico'] as const
export const PROXIES = ['iptables', 'nftables'] as const
export const BACKENDS = ['nft', 'legacy'] as const
export const STACKS = ['ipv4', 'ipv6', 'dual'] as const

export interface LabOptions {
  readonly topology: (typeof TOPOLOGIES)[number]
  readonly proxy: (typeof PROXIES)[number]
  readonly iptables: (typeof BACKENDS)[number]
  readonly stack: (typeof STACKS)[number]
}

export const DEFAULT_OPTIONS: LabOptions = { topology: 'flannel', proxy: 'iptables', iptables: 'nft', stack: 'ipv4' }

/** Where a lab lives: the prefix of its namespaces and its state folder. Two labs need two of each. */
export interface LabPlace {
  readonly prefix: string
  readonly dir: string
}

/**
 * The place the environment names: $NETWHY_LAB_PREFIX and $NETWHY_LAB_DIR, else the contract's. A LabError for values that
 * would make clearing up dangerous: everything with the prefix is the lab's.
 */
export function labPlace(env: NodeJS.ProcessEnv): LabPlace {
  const prefix = env.NETWHY_LAB_PREFIX || 'netwhy-'
  const dir = env.NETWHY_LAB_DIR || '/run/netwhy-lab'
  if (!/^[a-z][a-z0-9-]{1,30}-$/.test(prefix))
    throw new LabError(2, `NETWHY_LAB_PREFIX '${prefix}' must be lower-case letters and digits and end in a hyphen`)
  if (!/^(\/[A-Za-z0-9._-]+){2,}$/.test(dir) || dir.includes('/..'))
    throw new LabError(2, `NETWHY_LAB_DIR '${dir}' must be an absolute path of at least two plain names`)
  return { prefix, dir }
}

/** The families of a stack in the API's order: the first is the primary one. */
export function families(stack: LabOptions['stack']): readonly (4 | 6)[] {
  return stack === 'ipv4' ? [4] : stack === 'ipv6' ? [6] : [4, 6]
}

/** The part of the addresses that differs between nodes: `.11` and pod CIDR number 1 for node1. */
export interface NodePlan {
  readonly name: string
  readonly index: number
}

export const NODES: readonly NodePlan[] = [1, 2, 3].map((index) => ({ name: `node${index}`, index }))

export const POD_CIDR = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/48' } as const
export const SERVICE_CIDR = { 4: '10.96.0.0/12', 6: 'fd00:10:96::/112' } as const
export const DNS_SERVICE = { 4: '10.96.0.10', 6: 'fd00:10:96::a' } as const
export const KUBERNETES_SERVICE = { 4: '10.96.0.1', 6: 'fd00:10:96::1' } as const
export const OUTSIDE = { 4: '172.30.0.100', 6: 'fd00:172:30::100' } as const
export const GATEWAY = { 4: '172.30.0.1', 6: 'fd00:172:30::1' } as const
export const UNDERLAY_LENGTH = { 4: 24, 6: 64 } as const
/** "The Internet": a web server and the upstream resolver, both on the outside host. */
export const INTERNET = { 4: '203.0.113.10', 6: '2001:db8:113::10' } as const
export const UPSTREAM_DNS = { 4: '203.0.113.53', 6: '2001:db8:113::53' } as const
/** Length of an address of its own: /32 or /128. */
export const FULL = { 4: 32, 6: 128 } as const

export function nodeIP(node: NodePlan, family: 4 | 6): string {
  return family === 4 ? `172.30.0.1${node.index}` : `fd00:172:30::1${node.index}`
}

export function podCIDR(node: NodePlan, family: 4 | 6): string {
  return family === 4 ? `10.244.${node.index}.0/24` : `fd00:10:244:${node.index}::/64`
}

/** The node's own address on the overlay (the network address itself, as flannel and our Calico block use it). */
export function tunnelIP(node: NodePlan, family: 4 | 6): string {
  return podCIDR(node, family).split('/')[0]!
}

/** The bridge's address, which is the pods' gateway. */
export function bridgeIP(node: NodePlan, family: 4 | 6): string {
  return family === 4 ? `10.244.${node.index}.1` : `fd00:10:244:${node.index}::1`
}

/** A pod's address from its number on the node (2–254, written alike in both families: .10 and ::10). */
export function podIP(node: NodePlan, number: number, family: 4 | 6): string {
  return family === 4 ? `10.244.${node.index}.${number}` : `fd00:10:244:${node.index}::${number}`
}

/** The number `podIP` was made from; null for an address that is not this node's. */
export function podNumber(node: NodePlan, ip: string): number | null {
  const prefix = ip.includes(':') ? `fd00:10:244:${node.index}::` : `10.244.${node.index}.`
  const number = Number(ip.startsWith(prefix) ? ip.slice(prefix.length) : Number.NaN)
  return Number.isInteger(number) ? number : null
}

/** The MAC of a node's VTEP; fixed, so that peers' permanent entries can be written beforehand. */
export function vtepMac(node: NodePlan, family: 4 | 6): string {
  return `5e:00:00:00:0${family}:0${node.index}`
}

export function nodeMac(node: NodePlan): string {
  return `02:00:ac:1e:00:1${node.index}`
}

export function nodeNetns(place: LabPlace, node: string): string {
  return `${place.prefix}${node}`
}

export function podNetns(place: LabPlace, namespace: string, name: string): string {
  return `${place.prefix}${namespace}-${name}`
}

/** Name of the pod's veth on the node: as Felix (`cali` + sha1) or as the bridge plugin (`veth` + 8 hex digits). */
export function hostVeth(topology: LabOptions['topology'], namespace: string, name: string): string {
  const hash = createHash('sha1').update(`${namespace}.${name}`).digest('hex')
  return topology === 'calico' ? `cali${hash.slice(0, 11)}` : `veth${hash.slice(0, 8)}`
}

export function nodePlan(name: string): NodePlan | undefined {
  return NODES.find((n) => n.name === name)
}
