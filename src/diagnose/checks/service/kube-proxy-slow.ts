/**
 * `kube-proxy-slow`: kube-proxy's own log says how long writing the rules took. Its lines: "SyncProxyRules complete" with
 * `elapsed` (verbosity 2; `syncProxyRules took` before 1.27), and at any verbosity a trace of each iptables run beyond two seconds
 * (pkg/util/iptables `restoreInternal`, k8s.io/utils/trace).
 */
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'

/** Seconds. A large cluster's full sync takes a few with iptables; every change waits for it. */
const SLOW = 5
/** A single slow run may be the first one after a start. */
const OFTEN = 3

export const kubeProxySlow: ClusterCheck = {
  name: 'kube-proxy-slow',
  find({ network }) {
    const out: ClusterFinding[] = []
    for (const node of network.nodes.values()) {
      const lines = (node.files?.logs ?? [])
        .filter((l) => l.container === 'kube-proxy' || /^kube-proxy(-|$)/.test(l.pod))
        .flatMap((l) => l.lines)
      const slow = lines.flatMap((line) => {
        const seconds = syncSeconds(line.text)
        return seconds !== null && seconds >= SLOW ? [{ line, seconds }] : []
      })
      if (slow.length >= OFTEN) out.push(finding(node.name, slow, lines))
    }
    return out
  },
}

function finding(
  node: string,
  slow: readonly { readonly line: Evidence; readonly seconds: number }[],
  lines: readonly Evidence[],
): ClusterFinding {
  const longest = slow.reduce((x, y) => (y.seconds > x.seconds ? y : x))
  const locked = lines.findLast((l) => /holding the xtables lock/.test(l.text))
  return clusterFinding('kube-proxy-slow', {
    severity: 'warning',
    title: `kube-proxy on ${node} needs up to ${Math.round(longest.seconds)} s to write its rules`,
    text: `Its log has ${slow.length} runs of ${SLOW} s and more. So long after every change of an endpoint, ${node} still sends connections to pods that are gone, and none to new ones.${locked ? ' Others hold the xtables lock meanwhile.' : ''}`,
    where: { node },
    concerns: [{ kind: 'node', node }],
    evidence: [longest.line, ...slow.slice(-3).map((s) => s.line), locked].filter((e, i, all) => all.indexOf(e) === i),
    remedy: {
      text: 'Use nftables mode, whose changes cost the same in clusters of any size; or look for what else on the node works on iptables at the same time.',
    },
  })
}

/** How long a sync took, in seconds; null for any other line. */
export function syncSeconds(line: string): number | null {
  const whole = /(?:SyncProxyRules complete"?.{0,120}? elapsed=|syncProxyRules took )"?([\dhmsµun.]+)/i.exec(line)
  if (whole) return goDuration(whole[1]!)
  const traced = /Trace\[\d+\]: "ip6?tables(?: [^"]*)?" .*\(total time: (\d+)ms\)/.exec(line)
  return traced ? Number(traced[1]) / 1000 : null
}

const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, us: 1e-6, ns: 1e-9 }

/** Go's time.Duration.String: `1m2.5s`, `850.1ms`. */
function goDuration(text: string): number | null {
  if (!/^(\d+(\.\d+)?(h|ms|m|s|µs|us|ns))+$/.test(text)) return null
  let sum = 0
  for (const m of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)/g)) sum += Number(m[1]) * UNITS[m[2]!]!
  return sum
}
