/**
 * The policy oracle: random NetworkPolicies in a running lab, every connection between its pods, nodes and the outside really
 * opened, and each compared with what the evaluation says. The lab's own compiler (lab/policy) shares no code with it.
 */
import { spawnSync } from 'node:child_process'
import { parseIp } from '../../../src/base/ip.ts'
import { evaluatePolicy, type PolicyEnd } from '../../../src/intent/policy/index.ts'
import { decodeObjects } from '../../../src/kubeobj/decode.ts'
import { admit } from '../../admit.ts'
import { applyObjects, sync } from '../../apply.ts'
import { type KubeJson, kindOf, labelsOf, listAt, ofKind, textAt } from '../../kubejson.ts'
import { down, up } from '../../lifecycle.ts'
import { families, type LabOptions, NODES, nodeIP, nodeNetns, OUTSIDE } from '../../plan.ts'
import { podPlan } from '../../pods.ts'
import { readObjects, requireUp, withLock } from '../../state.ts'
import type { Met } from '../paths/compare.ts'
import { connector } from '../paths/run.ts'
import { PLACE } from '../paths/world.ts'
import { random } from '../random.ts'
import { type PolicyWorld, randomPolicies } from './generate.ts'

export interface Pairing {
  readonly from: string
  readonly to: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly family: 4 | 6
  readonly decision: 'allow' | 'deny' | 'unknown'
  readonly met: Met
}

export interface PolicyRound {
  readonly policies: readonly KubeJson[]
  readonly pairings: readonly Pairing[]
}

export interface PolicyLab {
  round(seed: number): Promise<PolicyRound>
  /** The same with these policies. */
  try(policies: readonly KubeJson[]): Promise<readonly Pairing[]>
  close(): Promise<void>
}

interface Peer {
  readonly name: string
  readonly end: PolicyEnd
  readonly netns: string
  readonly ips: Readonly<Partial<Record<4 | 6, string>>>
  /** Where something answers; null: the peer only asks. */
  readonly listens: readonly (readonly ['tcp' | 'udp', number])[] | null
}

/** A port nobody listens on: a reset from the pod is proof that the packet came through. */
const CLOSED = 81

const EXTRA = {
  namespaces: [
    ['team-a', { team: 'a' }],
    ['plain', {}],
  ],
  // Same port names elsewhere, ranges of ports, UDP, an empty label, several ports of one name and other protocol.
  pods: [
    [
      'team-a',
      'one',
      'node2',
      { app: 'web', role: '' },
      [
        ['http', 8080, 'TCP'],
        ['dns', 5353, 'UDP'],
      ],
    ],
    [
      'team-a',
      'two',
      'node3',
      { app: 'api' },
      [
        ['web', 9090, 'TCP'],
        ['range', 9092, 'TCP'],
      ],
    ],
    [
      'plain',
      'one',
      'node3',
      { app: 'db', role: '' },
      [
        ['http', 5432, 'TCP'],
        ['web', 8080, 'UDP'],
      ],
    ],
    ['plain', 'node1-pod', 'node1', {}, [['http', 9091, 'TCP']]],
  ],
} as const

function extraObjects(): KubeJson[] {
  return [
    ...EXTRA.namespaces.map(([name, labels]) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })),
    ...EXTRA.pods.map(([namespace, name, nodeName, labels, ports]) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels },
      spec: {
        nodeName,
        containers: [
          { name: 'main', ports: ports.map(([n, containerPort, protocol]) => ({ name: n, containerPort, protocol })) },
        ],
      },
    })),
  ]
}

function peersOf(objects: readonly KubeJson[], options: LabOptions): Peer[] {
  const pods = ofKind(objects, 'Pod').flatMap((pod): Peer[] => {
    const plan = podPlan(PLACE, pod, options)
    if (!plan) return []
    const { namespace, name, netns, ips } = plan
    const listens = listAt(pod, 'spec', 'containers')
      .flatMap((c) => listAt(c, 'ports'))
      .map((p) => [textAt(p, 'protocol') === 'UDP' ? 'udp' : 'tcp', Number(p.containerPort)] as const)
    return [{ name: `${namespace}/${name}`, end: { kind: 'pod', namespace, name }, netns, ips, listens }]
  })
  const fs = families(options.stack)
  const nodes = NODES.map(
    (n): Peer => ({
      name: n.name,
      end: { kind: 'node', name: n.name },
      netns: nodeNetns(PLACE, n.name),
      ips: Object.fromEntries(fs.map((f) => [f, nodeIP(n, f)])),
      listens: [['tcp', 10250]],
    }),
  )
  const outside = fs.map(
    (f): Peer => ({
      name: `outside/${f}`,
      end: { kind: 'ip', ip: parseIp(OUTSIDE[f])! },
      netns: nodeNetns(PLACE, 'outside'),
      ips: { [f]: OUTSIDE[f] },
      listens: [['tcp', 80]],
    }),
  )
  return [...pods, ...nodes, ...outside]
}

/** Every pod with everybody, each family, on every port that answers and one that does not. */
function questionsOf(peers: readonly Peer[], options: LabOptions) {
  const out: (Omit<Pairing, 'decision' | 'met'> & { a: Peer; b: Peer; dst: string })[] = []
  for (const a of peers)
    for (const b of peers) {
      if (a === b || (a.end.kind !== 'pod' && b.end.kind !== 'pod') || a.end.kind === 'ip') continue
      for (const family of families(options.stack)) {
        const dst = b.ips[family]
        if (dst === undefined || a.ips[family] === undefined) continue
        for (const [protocol, port] of [...(b.listens ?? []), ['tcp', CLOSED] as const])
          out.push({ a, b, dst, from: a.name, to: b.name, protocol, port, family })
      }
    }
  return out
}

function worldOf(objects: readonly KubeJson[], peers: readonly Peer[]): PolicyWorld {
  const ports = peers.flatMap((p) => p.listens?.map(([, port]) => port) ?? [])
  return {
    namespaces: ['shop', 'shop', 'team-a', 'plain', 'tools', 'kube-system'],
    apps: [...new Set(ofKind(objects, 'Pod').flatMap((p) => labelsOf(p).app ?? []))],
    addresses: peers.flatMap((p) => Object.values(p.ips)),
    portNames: ['http', 'web', 'db', 'dns', 'range'],
    ports: [...new Set([...ports, CLOSED, 8081, 9093])],
  }
}

/** Brings up a lab of the oracle's own. Must run isolated (see arena.ts). */
export async function openPolicyLab(options: LabOptions): Promise<PolicyLab> {
  const mounted = spawnSync('sh', ['-c', 'mkdir -p /run/netns; mount -t tmpfs none /run/netns; ip link set lo up'])
  if (mounted.status !== 0) throw new Error(mounted.stderr.toString())
  await up(PLACE, options)
  await applyObjects(PLACE, extraObjects())
  const connect = connector()
  const peers = peersOf(readObjects(PLACE), options)
  const world = worldOf(readObjects(PLACE), peers)
  const questions = questionsOf(peers, options)

  const attempt = async (policies: readonly KubeJson[]): Promise<readonly Pairing[]> => {
    await withLock(PLACE, async () => {
      const rest = readObjects(PLACE).filter((o) => kindOf(o) !== 'NetworkPolicy')
      const stored = policies.map((p) => admit(p, undefined, rest, options))
      await sync(PLACE, requireUp(PLACE), [...rest, ...stored])
    })
    // What was connected under other policies stays connected.
    spawnSync('sh', [
      '-c',
      'for n in $(ls /run/netns); do nsenter --net=/run/netns/$n conntrack -F; done >/dev/null 2>&1',
    ])
    const met = await connect.ask(
      questions.map(({ a, dst, port, protocol }) => ({ netns: a.netns, from: '', dst, port, protocol })),
    )
    // No policy among the objects means that there is none.
    const stored = [{ kind: 'NetworkPolicyList', items: [] }, ...readObjects(PLACE)]
    const objects = decodeObjects([{ artefact: 'objects.json', value: stored }]).value
    return questions.map(({ a, b, dst: _, ...q }, i) => {
      const { decision } = evaluatePolicy(objects, {
        from: a.end,
        to: b.end,
        protocol: q.protocol,
        port: q.port,
        family: q.family,
      })
      return { ...q, decision, met: met[i]! }
    })
  }
  // Without policies everything answers, once duplicate address detection is over and neighbours are known.
  for (let tries = 1; ; tries++) {
    const silent = (await attempt([])).filter((p) => !agrees(p))
    if (silent.length === 0) break
    if (tries === 10) throw new Error(`the lab does not answer: ${JSON.stringify(silent.slice(0, 3))}`)
  }
  return {
    try: attempt,
    async round(seed) {
      const policies = randomPolicies(random(seed), world)
      return { policies, pairings: await attempt(policies) }
    },
    async close() {
      connect.close()
      await down(PLACE)
    },
  }
}

/** An answer, even a reset, came back: no policy stood in the way. Enforcers drop, so what is denied is never answered. */
export function agrees({ decision, met }: Pairing): boolean {
  return decision === 'allow' ? met === 'open' || met === 'refused' : met === 'timeout'
}
