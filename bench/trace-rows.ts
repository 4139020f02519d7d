/** How long one packet takes through a large ruleset, the first time and afterwards. */
import { readFileSync } from 'node:fs'
import { formatIp, ipv4 } from '../src/base/ip.ts'
import { TCP } from '../src/base/protocol.ts'
import { evaluateRuleset } from '../src/datapath/netfilter/index.ts'
import { serviceIp } from './kube-proxy-save.ts'
import { type Figures, median, once, probe } from './measure.ts'
import { forceAll, readLargeSave } from './parse-rows.ts'
import { ENDPOINTS, SERVICES } from './size.ts'
import type { Row } from './table.ts'

const CLIENT = ipv4(0x0af4fe05) // 10.244.254.5
const NODE = ipv4(0xac1e000b) // 172.30.0.11

function traces(file: string, forced: boolean): Figures {
  const ruleset = readLargeSave(readFileSync(file, 'utf8'))
  if (forced) forceAll(ruleset)
  globalThis.gc?.()
  // One array for all traces: what is worked out about a set of rulesets is kept with it.
  const rulesets = [ruleset]
  const ipsets = new Map()
  const trace = (service: number) => {
    const dst = serviceIp(service)
    const query = { src: CLIENT, dst, protocol: TCP, sport: 40000, dport: 80, localIps: [NODE] }
    const outcomes = evaluateRuleset(rulesets, ipsets, { ...query, in: 'cni0', out: 'flannel.1' })
    if (outcomes.length !== ENDPOINTS || outcomes.some((o) => o.verdict !== 'accept' || !o.translated))
      throw new Error(`the trace to ${formatIp(dst)} did not reach ${ENDPOINTS} endpoints`)
  }
  const first = once(() => trace(SERVICES - 1))
  const second = once(() => trace(0))
  const further = Array.from({ length: 200 }, (_, i) => once(() => trace(((i + 1) * 4999) % SERVICES)))
  return { first, second, further: median(further) }
}

export const traceProbes: Readonly<Record<string, (file: string) => Figures>> = {
  traces: (file) => traces(file, true),
  'lazy-traces': (file) => traces(file, false),
}

export function traceRows(file: string): Row[] {
  const read = probe('traces', file)
  const lazy = probe('lazy-traces', file)
  return [
    { what: 'first trace, visited chains read already', measured: read.first!, unit: 'ms', target: 5 },
    { what: 'first trace, reading the chains it visits', measured: lazy.first!, unit: 'ms' },
    { what: 'second trace, to another Service', measured: read.second!, unit: 'ms' },
    { what: 'further traces, each to another Service', measured: read.further!, unit: 'ms', target: 0.5 },
    { what: '  reading the chains they visit', measured: lazy.further!, unit: 'ms' },
  ]
}
