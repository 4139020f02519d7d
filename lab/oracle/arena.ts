/**
 * The oracle's arena: three namespaces (client – router – server) in a private mount and network namespace, and the agent
 * that sends into them. Everything vanishes with the process.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Observation, Probe } from './probe.ts'

// Links without ARP send every frame off at once, whatever its destination (net/ipv4/arp.c arp_constructor: NUD_NOARP), so
// that a translated packet never waits for a neighbour that is not there.
const SETUP = `set -e
mkdir -p /run/netns; mount -t tmpfs none /run/netns
for n in c r s; do ip netns add $n; ip -n $n link set lo up; done
ip -n c link add eth0 type veth peer name lan0 netns r
ip -n s link add eth0 type veth peer name wan0 netns r
for n in c s; do nsenter --net=/run/netns/$n sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip -n $n link set eth0 up; done
nsenter --net=/run/netns/r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 \\
  net.ipv6.icmp.ratelimit=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0
for d in lan0 wan0; do nsenter --net=/run/netns/r sysctl -qw net.ipv4.conf.$d.rp_filter=0 net.ipv4.conf.$d.send_redirects=0 \\
  net.ipv6.conf.$d.router_solicitations=0 net.ipv6.conf.$d.addr_gen_mode=1 net.ipv6.conf.$d.accept_dad=0; ip -n r link set $d up; done
ip -n r addr add 10.1.0.1/24 dev lan0; ip -n r addr add 10.1.0.3/24 dev lan0; ip -n r addr add 10.2.0.1/24 dev wan0
ip -n r addr add fd00:1::1/64 dev lan0 nodad; ip -n r addr add fd00:2::1/64 dev wan0 nodad
for d in lan0 wan0; do ip -n r link set $d arp off; done
ip -n r route add default via 10.2.0.254 dev wan0; ip -n r -6 route add default via fd00:2::fe dev wan0
`

/** Addresses of the router, as `rules eval --local-ip` wants them. */
export const ROUTER_ADDRESSES = {
  lan0: ['10.1.0.1', '10.1.0.3', 'fd00:1::1'],
  wan0: ['10.2.0.1', 'fd00:2::1'],
} as const

export interface Arena {
  /** Runs a program in the router's netns; `stdin` is fed to it. */
  run(command: string, args: readonly string[], stdin?: string): { code: number; stdout: string; stderr: string }
  send(probe: Probe): Promise<Observation>
  /** Empties the router's conntrack table. */
  flush(): Promise<void>
  close(): void
}

const ENV = { ...process.env, XTABLES_LOCKFILE: '/run/netns/xtables.lock', LC_ALL: 'C' }

/** Puts this process in namespaces of its own: runs itself again under unshare and ends with that run's exit code. */
export function isolateSelf(): void {
  if (process.env.NETWHY_ARENA === '1') return
  const child = spawnSync(
    'unshare',
    ['-m', '-n', '--propagation', 'private', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { stdio: 'inherit', env: { ...process.env, NETWHY_ARENA: '1' } },
  )
  process.exit(child.status ?? 4)
}

function agentPath(): string {
  const candidates = ['./agent.py', '../lab/oracle/agent.py'].map((p) => fileURLToPath(new URL(p, import.meta.url)))
  const found = candidates.find((p) => existsSync(p))
  if (!found) throw new Error('agent.py is not beside this program: run it from a checkout')
  return found
}

/** Builds the namespaces and starts the agent. Throws with the failing command's stderr. */
export function openArena(): Arena {
  const setup = spawnSync('sh', ['-c', SETUP], { encoding: 'utf8', env: ENV })
  if (setup.status !== 0) throw new Error(`cannot build the arena: ${setup.stderr.trim()}`)
  const agent: ChildProcessWithoutNullStreams = spawn('/usr/bin/python3', [agentPath()], { env: ENV })
  let complaint = ''
  agent.stderr.on('data', (d: Buffer) => {
    complaint += d.toString()
  })
  const waiting: { resolve: (line: string) => void; reject: (e: Error) => void }[] = []
  createInterface({ input: agent.stdout }).on('line', (line) => waiting.shift()?.resolve(line))
  agent.on('exit', () => {
    for (const w of waiting.splice(0)) w.reject(new Error(`the agent ended: ${complaint.trim()}`))
  })
  const ask = async (request: object): Promise<Record<string, unknown>> => {
    const line = await new Promise<string>((resolve, reject) => {
      waiting.push({ resolve, reject })
      agent.stdin.write(`${JSON.stringify(request)}\n`)
    })
    const answer = JSON.parse(line) as Record<string, unknown>
    if (typeof answer.error === 'string') throw new Error(`agent: ${answer.error}`)
    return answer
  }
  return {
    run(command, args, stdin = '') {
      const r = spawnSync('nsenter', ['--net=/run/netns/r', command, ...args], {
        input: stdin,
        encoding: 'utf8',
        env: ENV,
        maxBuffer: 1 << 28,
      })
      return { code: r.status ?? -1, stdout: r.stdout, stderr: r.stderr }
    },
    async send(packet) {
      return (await ask({ op: 'send', packet })) as unknown as Observation
    },
    async flush() {
      await ask({ op: 'flush' })
    },
    close() {
      agent.kill()
    },
  }
}
