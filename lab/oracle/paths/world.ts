/** A lab of the oracle's own, and the questions asked of it. */
import { readFileSync } from 'node:fs'
import type { KubeJson } from '../../kubejson.ts'
import { type LabOptions, type LabPlace, NODES, nodeIP, nodeNetns, OUTSIDE } from '../../plan.ts'
import { podPlan } from '../../pods.ts'
import { objectsPath } from '../../state.ts'
import type { Random } from '../random.ts'
import type { World } from './mutations.ts'

/** Below the private tmpfs of /run/netns, so that it vanishes with the process. */
export const PLACE: LabPlace = { prefix: 'oracle-', dir: '/run/netns/.oracle' }

export interface PathQuestion {
  readonly netns: string
  /** Netns identifier in the assembled network. */
  readonly from: string
  readonly dst: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp' | 'icmp'
}

export function readWorld(options: LabOptions): World & {
  readonly pods: readonly (World['pods'][number] & { readonly id: string })[]
  readonly services: readonly [string, number, 'tcp' | 'udp'][]
} {
  const objects = JSON.parse(readFileSync(objectsPath(PLACE), 'utf8')) as KubeJson
  const items = (Array.isArray(objects) ? objects : (objects.items as KubeJson[])) ?? []
  const nodes = NODES.map((n) => ({ netns: nodeNetns(PLACE, n.name), index: n.index, ip: nodeIP(n, 4), name: n.name }))
  const pods = items.flatMap((o) => {
    const plan = o.kind === 'Pod' ? podPlan(PLACE, o, options) : null
    if (!plan) return []
    const node = nodes.find((n) => n.name === plan.node.name)!
    const ip = plan.ips[4]!
    return [{ netns: plan.netns, node, ip, veth: plan.veth, id: `${node.name}/pod/${plan.namespace}/${plan.name}` }]
  })
  const services = items.flatMap((o): [string, number, 'tcp' | 'udp'][] => {
    if (o.kind !== 'Service') return []
    const spec = o.spec as { clusterIP?: string; ports: { port: number; protocol?: string }[] }
    if (!spec.clusterIP || spec.clusterIP === 'None') return []
    return spec.ports.map((p) => [spec.clusterIP!, p.port, p.protocol === 'UDP' ? 'udp' : 'tcp'])
  })
  return { nodes, pods, services, topology: options.topology }
}

/** `count` connections between random ends: pods, nodes, Services, NodePorts, ports nobody listens on, the outside host. */
export function randomQuestions(rand: Random, w: ReturnType<typeof readWorld>, count: number): PathQuestion[] {
  return Array.from({ length: count }, () => {
    const pod = rand.pick(w.pods)
    const node = rand.pick(w.nodes)
    const source = rand.chance(0.75)
      ? { netns: pod.netns, from: pod.id }
      : { netns: node.netns, from: `node${node.index}/host` }
    const target = rand.pick(w.pods)
    const [ip, port, protocol] = rand.pick(w.services)
    return {
      ...source,
      ...rand.weighted<Pick<PathQuestion, 'dst' | 'port' | 'protocol'>>([
        [35, { dst: target.ip, port: rand.pick([8080, 9090, 5432, 8080, 9090, 53, 81]), protocol: 'tcp' }],
        [25, { dst: ip, port, protocol }],
        [10, { dst: target.ip, port: 1 + rand.below(60000), protocol: 'icmp' }],
        [8, { dst: target.ip, port: 53, protocol: 'udp' }],
        [8, { dst: rand.pick(w.nodes).ip, port: 30080, protocol: 'tcp' }],
        [6, { dst: rand.pick(w.nodes).ip, port: rand.pick([10250, 6443]), protocol: 'tcp' }],
        [4, { dst: rand.pick(w.nodes).ip, port: 1 + rand.below(60000), protocol: 'icmp' }],
        [4, { dst: OUTSIDE[4], port: 80, protocol: 'tcp' }],
      ]),
    }
  })
}
