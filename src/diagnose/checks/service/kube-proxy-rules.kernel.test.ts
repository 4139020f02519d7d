/** Silence on the healthy lab in every mode, and the right finding when a real node's rules are damaged. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeTrial, type Trial } from '../../../../lab/trial.ts'
import { assemble } from '../../../assemble/index.ts'
import { collectInventory } from '../../../collect/collect-inventory.ts'
import { readInventory } from '../../../collect/inventory.ts'
import { conclude, inquire } from '../../diagnose.ts'
import { ask } from '../../question/ask.ts'
import { kubeProxyRules } from './kube-proxy-rules.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('intent')
})
afterAll(() => lab?.end())

async function collected() {
  const snapshot = await collectInventory(readInventory(join(lab.place.dir, 'inventory.yaml')), {})
  return { snapshot, ...assemble(snapshot) }
}

type Collected = Awaited<ReturnType<typeof collected>>

/** What `why` says of the Service from a pod of the node: cause, and whether the remedy was tried with success. */
function why({ network, objects }: Collected): string {
  const asked = ask(network, objects, {
    from: 'pod/tools/client',
    to: 'svc/shop/api:8080',
    protocol: 'tcp',
    namespace: 'default',
  })
  const answer = conclude(inquire(network, objects, asked), asked)
  return `${answer.verdict} ${answer.rootCause}${answer.findings[0]?.remedy?.verified ? ' verified' : ''}`
}

/** `severity code title | first evidence line` of every finding. */
function findings({ snapshot, network, objects }: Collected): string[] {
  return kubeProxyRules.find({ network, objects }).map(({ finding: f }) => {
    for (const e of f.evidence)
      if (e.line !== undefined && snapshot.text(e.artefact))
        expect(lineOf(snapshot.text(e.artefact)!, e.line)).toContain(e.text.trim().slice(0, 20))
    return `${f.severity} ${f.code}: ${f.title} | ${f.evidence.map((e) => e.text).join(' | ')}`
  })
}

const lineOf = (text: string, line: number) => text.split('\n')[line - 1] ?? ''

interface Dialect {
  readonly save: string
  readonly restore: string
  /** Shell lines that take the second endpoint of shop/api out, on the node they run on. */
  readonly oneLess: string
  /** That make it lead to 10.244.3.99 instead. */
  readonly elsewhere: string
  /** That make 10.96.200.200:80 lead to a pod. */
  readonly leftover: string
  readonly noneOfApi: string
  readonly flush: string
}

const iptables = (backend: string): Dialect => {
  const t = `iptables-${backend}`
  return {
    save: `${t}-save`,
    restore: `${t}-restore`,
    oneLess: `c=$(${t}-save -t nat | sed -n 's/^-A \\(KUBE-SEP-[A-Z0-9]*\\) .*to-destination 10.244.3.20:9090$/\\1/p'); ${t} -t nat -F $c`,
    elsewhere: `r=$(${t}-save -t nat | grep -- '--to-destination 10.244.3.20:9090$'); c=$(echo "$r" | cut -d' ' -f2); ${t} -t nat -R $c 2 -p tcp -j DNAT --to-destination 10.244.3.99:9090`,
    leftover: `${t} -t nat -N KUBE-SVC-OLD; ${t} -t nat -A KUBE-SVC-OLD -p tcp -j DNAT --to-destination 10.244.3.77:80; ${t} -t nat -I KUBE-SERVICES -d 10.96.200.200/32 -p tcp --dport 80 -j KUBE-SVC-OLD`,
    noneOfApi: `${t} -t nat $(${t}-save -t nat | grep -- '^-A KUBE-SERVICES .*shop/api' | sed 's/^-A/-D/; s/-m comment --comment "[^"]*"//')`,
    flush: `${t} -t nat -F`,
  }
}
// A rule with a comment is deleted by its number.
const byNumber = (backend: string): Dialect => ({
  ...iptables(backend),
  noneOfApi: `n=$(iptables-${backend} -t nat -L KUBE-SERVICES -n --line-numbers | grep shop/api | cut -d' ' -f1); iptables-${backend} -t nat -D KUBE-SERVICES $n`,
})

const nft: Dialect = {
  save: 'nft list table ip kube-proxy',
  restore: 'nft delete table ip kube-proxy 2>/dev/null || true; nft -f -',
  oneLess: `nft flush chain ip kube-proxy $(nft list chains ip | sed -n 's/.*chain \\(endpoint-.*shop\\/api.*10.244.3.20\\/9090\\) {.*/\\1/p')`,
  elsewhere: `c=$(nft list chains ip | sed -n 's/.*chain \\(endpoint-.*shop\\/api.*10.244.3.20\\/9090\\) {.*/\\1/p'); nft flush chain ip kube-proxy $c; nft add rule ip kube-proxy $c meta l4proto tcp dnat to 10.244.3.99:9090`,
  leftover: `nft 'add chain ip kube-proxy old; add rule ip kube-proxy old meta l4proto tcp dnat to 10.244.3.77:80; add element ip kube-proxy service-ips { 10.96.200.200 . tcp . 80 : goto old }'`,
  noneOfApi: `ip=$(nft list map ip kube-proxy service-ips | grep -o '[0-9.]* . tcp . 8080 ' | head -1); nft delete element ip kube-proxy service-ips "{ $ip }"`,
  flush: 'nft flush chain ip kube-proxy services; nft delete table ip kube-proxy',
}

/** With two families the other one still works. */
const MISSING = /^(unreachable|partial) kube-proxy-rules-missing verified$/

describe.each([
  ['flannel', 'iptables', 'nft', 'ipv4', byNumber('nft')],
  ['calico', 'iptables', 'legacy', 'dual', byNumber('legacy')],
  ['hostgw', 'nftables', 'nft', 'dual', nft],
] as const)('%s, %s, %s, %s', (topology, proxy, iptables, stack, dialect) => {
  beforeAll(async () => {
    await lab.down()
    await lab.up({ topology, proxy, iptables, stack })
  })

  test('healthy: nothing to say', async () => {
    expect(findings(await collected())).toEqual([])
  })

  const family = stack === 'dual' ? 'IPv4 ' : ''
  const NO_RULES = `error kube-proxy-rules-missing: node2 has no ${family}rules for any Service`
  test.each<[keyof Dialect, string, RegExp, RegExp]>([
    ['oneLess', 'error kube-proxy-rules-missing: node2 lacks 1 of 2 endpoints of shop/api', /shop\/api/, MISSING],
    [
      'noneOfApi',
      'error kube-proxy-rules-missing: node2 has no rule for Service shop/api',
      /no rule for 10\.\S+:8080\/tcp/,
      MISSING,
    ],
    [
      'elsewhere',
      'error kube-proxy-rules-stale: node2 still sends Service shop/api to 10.244.3.99:9090, which is gone',
      /(to-destination|dnat to) 10\.244\.3\.99:9090/,
      /^partial kube-proxy-rules-stale verified$/,
    ],
    [
      'leftover',
      'info kube-proxy-rules-stale: node2 still has rules for 10.96.200.200:80/tcp, which no Service has',
      /(to-destination|dnat to) 10\.244\.3\.77:80/,
      /^reachable null$/,
    ],
    ['flush', NO_RULES, /no rule leads 10\.\S+ to an endpoint/, MISSING],
  ])('%s', async (what, title, evidence, answer) => {
    const saved = await lab.read('node/node2', 'bash', '-c', dialect.save)
    const shell = (script: string) => lab.read('node/node2', 'bash', '-euc', script)
    await shell(dialect[what])
    try {
      const state = await collected()
      const found = findings(state)
      expect(found.map((f) => f.split(' | ')[0]!.slice(0, title.length))).toEqual([title])
      expect(found[0]!.slice(found[0]!.indexOf(' | '))).toMatch(evidence)
      expect(why(state)).toMatch(answer)
    } finally {
      await shell(`${dialect.restore} <<'END'\n${saved}\nEND`)
    }
  })
})
