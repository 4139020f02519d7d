import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp, formatPrefix } from '../base/ip.ts'
import type { NetnsArtefact, Network } from '../model/network.ts'
import { snapshotFromEntries } from '../snapshot/from-entries.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { assemble } from './assemble.ts'

const root = fileURLToPath(new URL('./fixtures/two-nodes/', import.meta.url))
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((e) => e.isFile() && e.name !== 'README.md')
  .map((e) => {
    const path = join(e.parentPath, e.name)
    return { path: path.slice(root.length), data: readFileSync(path) }
  })
const recorded = snapshotFromEntries(
  files.map((f) => ({ path: f.path, size: f.data.length, data: () => f.data })),
  '2026-11-20T22:53:16Z',
)

/** The recorded snapshot with artefacts replaced (null: gone, with what the manifest then says of them). */
function changed(
  texts: Readonly<Record<string, string | null>>,
  entries: Readonly<Record<string, { exitCode: number | null; stderr: string }>> = {},
): Snapshot {
  const artefacts = recorded.manifest.artefacts.map((a) => ({ ...a, ...entries[a.path] }))
  const gone = (p: string) => texts[p] === null
  return {
    ...recorded,
    manifest: { ...recorded.manifest, artefacts: artefacts.filter((a) => !gone(a.path) || entries[a.path]) },
    paths: (prefix = '') =>
      [...new Set([...recorded.paths(), ...Object.keys(texts)])].filter((p) => p.startsWith(prefix) && !gone(p)),
    text: (p) => (p in texts ? (texts[p] ?? null) : recorded.text(p)),
  }
}

const ALL: readonly NetnsArtefact[] = [
  ...(['links', 'routes', 'routing-rules', 'neighbours', 'fdb', 'bridge-links', 'bridge-vlans', 'iptables'] as const),
  ...(['iptables-legacy', 'nft', 'ipsets', 'ipvs', 'conntrack', 'sysctls', 'sockets', 'tc', 'counters'] as const),
]
const unknowns = (network: Network, id: string) => ALL.filter((a) => !network.netns.get(id)!.known.has(a))
const wires = (network: Network) =>
  [...network.netns.values()]
    .flatMap((n) => n.links.flatMap((l) => (l.peer ? [`${n.id} ${l.name} → ${l.peer.netns} ${l.peer.ifindex}`] : [])))
    .sort()

const WIRES = [
  'node1/host veth0 → node1/pod/shop/web-1 2',
  'node1/pod/shop/web-1 eth0 → node1/host 5',
  'node2/host veth0 → node2/pod/shop/web-2 2',
  'node2/pod/shop/web-2 eth0 → node2/host 5',
]

describe('a recorded lab of two nodes', () => {
  const { network, objects } = assemble(recorded)

  it('has its netns, and pairs the veths it is sure of', () => {
    expect([...network.netns.keys()].sort()).toEqual([
      'node1/host',
      'node1/pod/shop/web-1',
      'node2/host',
      'node2/pod/shop/web-2',
    ])
    expect(network.nodes.get('node1')).toMatchObject({ host: 'node1/host', pods: ['node1/pod/shop/web-1'] })
    expect(network.nodes.get('node1')!.kernelRelease).toMatch(/^6\./)
    // Both nodes' eth0 lead to a switch that was not collected.
    expect(wires(network)).toEqual(WIRES)
  })
  it('knows all that was collected and misses nothing', () => {
    for (const id of network.netns.keys()) expect([id, unknowns(network, id)]).toEqual([id, []])
    expect(network.missing.filter((m) => !m.artefact.endsWith('/resolv.conf'))).toEqual([])
    expect(network.issues).toEqual([])
  })
  it('reads routes, neighbours, forwarding entries, sysctls, sockets, connections', () => {
    const host = network.netns.get('node1/host')!
    expect(host.routes.filter((r) => r.table === 254 && r.family === 4).map((r) => formatPrefix(r.dst))).toEqual([
      '10.244.1.0/24',
      '10.244.2.0/24',
      '172.30.0.0/24',
    ])
    expect(host.neighbours.some((n) => formatIp(n.ip) === '10.244.2.0' && n.mac === '02:00:00:00:02:00')).toBe(true)
    expect(host.fdb.some((e) => e.link === 'flannel.1' && e.dst && formatIp(e.dst) === '172.30.0.12')).toBe(true)
    expect(host.sysctls.get('net.ipv4.ip_forward')?.value).toBe('1')
    expect(host.conntrack.map((c) => c.original.protocol)).toContain(1)
    const web2 = network.netns.get('node2/pod/shop/web-2')!
    expect(web2.sockets.map((s) => `${formatIp(s.local)}:${s.localPort} ${s.state}`)).toContain('0.0.0.0:8080 LISTEN')
    expect(web2.routes.find((r) => r.dst.length === 0)!.evidence).toMatchObject({
      artefact: 'nodes/node2/pods/shop_web-2/ip-route.json',
      line: 1,
      source: 'ip -d -j -4 route show table all',
    })
  })
  it('has every table once: iptables-nft from iptables-save, the rest from nft', () => {
    const shown = network.netns
      .get('node1/host')!
      .rulesets.map((r) => `${r.backend}: ${r.tables.map((t) => `${t.family} ${t.name}`)}`)
    expect(shown.sort()).toEqual(['iptables-nft: ip filter,ip nat', 'nft: inet extra'])
  })
  it('has no objects and does not claim to know any', () => {
    expect(objects.pods).toEqual([])
    expect(objects.known.size).toBe(0)
  })
})

describe('laziness', () => {
  it('reads nothing of a netns nobody looks at', () => {
    const read: string[] = []
    const { network } = assemble({ ...recorded, text: (p) => recorded.text(read[read.push(p) - 1]!) })
    network.netns.get('node1/host')!.routes.length
    expect(read.filter((p) => !p.includes('/node/')).sort()).toEqual([
      'nodes/node1/host/ip-route.json',
      'nodes/node1/host/ip6-route.json',
    ])
    network.netns.get('node1/host')!.links.length
    expect(read.some((p) => p.endsWith('node2/host/ip-link.json') || /save|conntrack.txt|nft/.test(p))).toBe(false)
  })
})

describe('what is not there is not known', () => {
  const at = 'nodes/node2/host'
  it('a missing tool: the reason, the node and the consequence', () => {
    const gone = `${at}/conntrack.txt`
    const { network } = assemble(
      changed({ [gone]: null }, { [gone]: { exitCode: 127, stderr: 'conntrack: command not found' } }),
    )
    expect(unknowns(network, 'node2/host')).toEqual(['conntrack'])
    expect(network.missing.find((m) => m.artefact === gone)!.consequence).toMatch(
      /^connections were not collected on node2: conntrack: command not found; /,
    )
    expect(unknowns(network, 'node1/host')).toEqual([])
  })
  it.each([
    ['ip-route.json', 'routes'],
    ['ip6-route.json', 'routes'],
    ['ip-rule.json', 'routing-rules'],
    ['ip-link.json', 'links'],
    ['ip-neigh.json', 'neighbours'],
    ['bridge-fdb.json', 'fdb'],
    ['tc-qdisc.json', 'tc'],
  ] as const)('%s cut short: %s not known, and said so', (file, artefact) => {
    const text = recorded.text(`${at}/${file}`)!
    const { network } = assemble(changed({ [`${at}/${file}`]: text.slice(0, text.length / 2) }))
    expect(unknowns(network, 'node2/host')).toContain(artefact)
    expect(network.issues.length).toBeGreaterThan(0)
  })
  it('ip6-route.json is not needed where no link has an IPv6 address', () => {
    const addr = recorded
      .text(`${at}/ip-addr.json`)!
      .replace(/\{"family":"inet6"[^}]*\},?/g, '')
      .replace(/,\]/g, ']')
    const { network } = assemble(changed({ [`${at}/ip-addr.json`]: addr, [`${at}/ip6-route.json`]: null }))
    expect(unknowns(network, 'node2/host')).toEqual([])
  })
  it('iptables-save failed: its tables stay in the nft listing', () => {
    const save = 'nodes/node1/host/iptables-save.txt'
    const { network } = assemble(changed({ [save]: null }, { [save]: { exitCode: 1, stderr: 'incompatible' } }))
    expect(
      network.netns
        .get('node1/host')!
        .rulesets.map((r) => `${r.backend}: ${r.tables.map((t) => `${t.family} ${t.name}`)}`),
    ).toEqual(['nft: ip nat,ip filter,inet extra'])
    expect(unknowns(network, 'node1/host')).toEqual([])
  })
  it('iptables-save cut short, and no nft listing: not known, and said so', () => {
    const save = 'nodes/node1/host/iptables-save.txt'
    const text = recorded.text(save)!
    const { network } = assemble(
      changed({
        [save]: text.slice(0, text.lastIndexOf('COMMIT')),
        'nodes/node1/host/nft-ruleset.txt': null,
        'nodes/node1/host/nft-ruleset.json': null,
      }),
    )
    expect(unknowns(network, 'node1/host')).toEqual(['iptables', 'nft'])
    expect(network.missing.filter((m) => m.artefact === save)).toHaveLength(1)
  })
  it('both failed: neither is known', () => {
    const paths = ['iptables-save.txt', 'nft-ruleset.txt', 'nft-ruleset.json'].map((f) => `nodes/node1/host/${f}`)
    const { network } = assemble(changed(Object.fromEntries(paths.map((p) => [p, null]))))
    expect(unknowns(network, 'node1/host')).toEqual(['iptables', 'nft'])
  })
  it('a legacy default back end: its tables are legacy ones, nothing is claimed of iptables-nft', () => {
    const legacy =
      '# Generated by iptables-save v1.8.9 on Fri Nov 20 22:53:16 2026\n*filter\n:INPUT DROP [0:0]\nCOMMIT\n'
    const { network } = assemble(
      changed({
        'nodes/node1/host/iptables-save.txt': legacy,
        'nodes/node1/host/ip6tables-save.txt': '',
        'nodes/node1/node/iptables-version.txt': 'iptables v1.8.9 (legacy)\n',
        'nodes/node1/host/iptables-legacy-save.txt': null,
        'nodes/node1/host/ip6tables-legacy-save.txt': null,
      }),
    )
    const host = network.netns.get('node1/host')!
    expect(host.rulesets.map((r) => `${r.backend}: ${r.tables.map((t) => `${t.family} ${t.name}`)}`)).toEqual([
      'iptables-legacy: ip filter',
      'nft: ip nat,ip filter,inet extra',
    ])
    expect(unknowns(network, 'node1/host')).toEqual([])
    expect(network.missing.filter((m) => m.artefact.startsWith('nodes/node1/host/ip'))).toEqual([])
  })
})

describe('hostile snapshots', () => {
  const paths = recorded.paths('nodes/')
  it('never throws; what was destroyed is not known', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.nat(paths.length - 1),
            fc.oneof(fc.string(), fc.constant('\0\u0001'), fc.double({ min: 0, max: 1, noNaN: true })),
          ),
        ),
        (hits) => {
          const texts = hits.map(([i, how]): [string, string] => {
            const text = recorded.text(paths[i]!) ?? ''
            return [paths[i]!, typeof how === 'string' ? how : text.slice(0, how * text.length)]
          })
          const { network, objects } = assemble(changed(Object.fromEntries(texts)))
          for (const n of network.netns.values()) {
            for (const a of ALL) n.known.has(a)
            for (const key of Object.keys(n)) JSON.stringify(n[key as keyof typeof n])
            for (const r of n.rulesets) for (const t of r.tables) for (const c of t.chains.values()) c.rules()
          }
          expect(objects.pods).toEqual([])
        },
      ),
      { numRuns: 60 },
    )
  })
})
