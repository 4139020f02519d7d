/** The path oracle: changes a running lab at random, asks netwhy and the kernel the same questions, changes it back. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { assemble } from '../../../src/assemble/index.ts'
import { parseIp, UNSPECIFIED } from '../../../src/base/ip.ts'
import { ICMP, TCP, UDP } from '../../../src/base/protocol.ts'
import { collectInventory } from '../../../src/collect/collect-inventory.ts'
import { readInventory } from '../../../src/collect/inventory.ts'
import { traceConnection } from '../../../src/datapath/trace.ts'
import type { Packet } from '../../../src/model/packet.ts'
import type { ConnectionTrace } from '../../../src/model/trace.ts'
import { inventoryPath } from '../../inventory.ts'
import { down, up } from '../../lifecycle.ts'
import type { LabOptions } from '../../plan.ts'
import { random } from '../random.ts'
import { judgePath, type Met, type PathJudgement } from './compare.ts'
import { type Mutation, randomMutation } from './mutations.ts'
import { type PathQuestion, PLACE, randomQuestions, readWorld } from './world.ts'

export interface PathResult {
  readonly question: PathQuestion
  readonly met: Met
  readonly judgement: PathJudgement
  readonly traces: readonly ConnectionTrace[]
}

export interface PathLab {
  /** One state: mutations applied, questions asked of both, mutations undone. */
  round(seed: number): Promise<{ mutations: readonly Mutation[]; results: PathResult[] }>
  close(): Promise<void>
}

/** The program that opens many connections at once, and how to ask it. */
export function connector(): { ask(questions: readonly PathQuestion[]): Promise<Met[]>; close(): void } {
  const path = ['./connect.py', '../lab/oracle/paths/connect.py']
    .map((p) => fileURLToPath(new URL(p, import.meta.url)))
    .find((p) => existsSync(p))
  if (!path) throw new Error('connect.py is not beside this program: run it from a checkout')
  const child: ChildProcessWithoutNullStreams = spawn('/usr/bin/python3', [path])
  const waiting: { resolve: (line: string) => void; reject: (e: Error) => void }[] = []
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(line))
  let complaint = ''
  child.stderr.on('data', (d: Buffer) => {
    complaint += d.toString()
  })
  child.on('exit', (code, signal) => {
    for (const w of waiting.splice(0))
      w.reject(new Error(`the connector ended (${code ?? signal}): ${complaint.trim()}`))
  })
  return {
    async ask(questions) {
      const line = await new Promise<string>((resolve, reject) => {
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify(questions)}\n`)
      })
      const answer = JSON.parse(line) as { answers?: Met[]; error?: string }
      if (!answer.answers) throw new Error(`connector: ${answer.error}`)
      return answer.answers
    },
    close: () => {
      child.kill()
    },
  }
}

const PROTOCOL = { tcp: TCP, udp: UDP, icmp: ICMP } as const

function packetOf(q: PathQuestion): Packet {
  const dst = parseIp(q.dst)!
  const icmp = q.protocol === 'icmp'
  return {
    src: UNSPECIFIED[dst.family],
    dst,
    protocol: PROTOCOL[q.protocol],
    sport: 0,
    dport: icmp ? 0 : q.port,
    ...(icmp ? { icmp: { type: 8, code: 0, id: q.port } } : {}),
    tcpFlags: q.protocol === 'tcp' ? 2 : 0,
    ttl: 0,
    dscp: 0,
    length: q.protocol === 'tcp' ? 60 : q.protocol === 'udp' ? 67 : 28,
    dontFragment: q.protocol === 'tcp',
    mark: 0,
  }
}

function shell(text: string): string {
  const r = spawnSync('sh', ['-c', text], { encoding: 'utf8' })
  return r.status === 0 ? '' : `${r.stderr.trim()} [${text.slice(0, 120)}]`
}

/** Brings up a lab of the oracle's own. Must run isolated (see arena.ts). */
export async function openPathLab(options: LabOptions): Promise<PathLab> {
  const mounted = spawnSync('sh', ['-c', 'mkdir -p /run/netns; mount -t tmpfs none /run/netns; ip link set lo up'], {
    encoding: 'utf8',
  })
  if (mounted.status !== 0) throw new Error(mounted.stderr)
  const start = async () => {
    await up(PLACE, options)
    // A neighbour that does not answer is given up after 0.3 s, so that "no route" comes before the connector's limit.
    shell(
      'for n in $(ls /run/netns); do nsenter --net=/run/netns/$n sh -c "for f in /proc/sys/net/ipv4/neigh/*/retrans_time_ms; do echo 100 > \\$f; done" 2>/dev/null; done',
    )
  }
  await start()
  // Taking the lab down ends everything inside it, the connector too: a rebuilt lab needs a new one.
  let connect = connector()
  return {
    async round(seed) {
      const rand = random(seed)
      const world = readWorld(options)
      const mutations = Array.from(
        {
          length: rand.weighted([
            [15, 0],
            [55, 1],
            [20, 2],
            [10, 3],
          ]),
        },
        () => randomMutation(rand, world),
      )
      const questions = randomQuestions(rand, world, 24)
      let broken = ''
      const undone: string[] = []
      try {
        // Each mutation runs in a shell of its own that keeps what it found for its undo.
        for (const [i, m] of mutations.entries()) {
          const vars = `/run/netns/.undo${i}`
          broken ||= shell(`${m.run}\nprintf '%s' "$R" > ${vars}; printf '%s' "$M" > ${vars}m`)
          undone.unshift(`R=$(cat ${vars}); M=$(cat ${vars}m)\n${m.undo}`)
        }
        // Old connections and neighbour guesses would answer for the old state.
        shell(
          'for n in $(ls /run/netns); do nsenter --net=/run/netns/$n conntrack -F; ip -n $n neigh flush all nud reachable nud stale nud failed nud incomplete nud delay nud probe; done >/dev/null 2>&1',
        )
        const inventory = readInventory(inventoryPath(PLACE))
        const snapshot = await collectInventory(inventory, {})
        const { network } = assemble(snapshot)
        const met = await connect.ask(questions)
        const results = questions.map((question, i): PathResult => {
          const traces = traceConnection(network, { from: question.from, packet: packetOf(question) })
          return { question, met: met[i]!, judgement: judgePath(traces, met[i]!), traces }
        })
        return { mutations, results }
      } finally {
        const failed = undone.map(shell).filter((x) => x !== '')
        if (failed.length || broken) {
          connect.close()
          await down(PLACE)
          await start()
          connect = connector()
        }
      }
    },
    async close() {
      connect.close()
      await down(PLACE)
    },
  }
}
