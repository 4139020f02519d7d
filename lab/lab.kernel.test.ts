/** The lab on the real kernel: every topology connects, policies are enforced, nothing is ever left behind. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyObjects, deleteObject } from './apply.ts'
import { execIn } from './exec.ts'
import { isMap } from './kubejson.ts'
import { down, up } from './lifecycle.ts'
import { parseManifests } from './manifests.ts'
import { labNetns } from './ownership.ts'
import { DEFAULT_OPTIONS, type LabOptions } from './plan.ts'
import { labPids } from './processes.ts'
import { readObjects, readState, withLock } from './state.ts'
import { makeTrial, type Trial } from './trial.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('lab')
})
afterAll(() => lab?.end())

function expectNothingLeft(): void {
  expect(
    existsSync('/run/netns') ? readdirSync('/run/netns').filter((n) => n.startsWith(lab.place.prefix)) : [],
  ).toEqual([])
  expect(labPids(lab.place)).toEqual([])
  expect(existsSync(lab.place.dir)).toBe(false)
  const etc = existsSync('/etc/netns') ? readdirSync('/etc/netns') : []
  expect(etc.filter((n) => n.startsWith(lab.place.prefix))).toEqual([])
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(lab.place.prefix)
}

const KINDS: readonly (readonly [
  LabOptions['topology'],
  LabOptions['proxy'],
  LabOptions['iptables'],
  LabOptions['stack'],
])[] = [
  ['flannel', 'iptables', 'nft', 'ipv4'],
  ['flannel', 'nftables', 'nft', 'dual'],
  ['hostgw', 'iptables', 'legacy', 'ipv6'],
  ['hostgw', 'nftables', 'nft', 'ipv4'],
  ['calico', 'iptables', 'legacy', 'dual'],
  ['calico', 'nftables', 'nft', 'ipv6'],
]

test.each(KINDS)(
  '%s, kube-proxy %s, iptables-%s, %s: everything reaches everything',
  async (topology, proxy, iptables, stack) => {
    await lab.up({ topology, proxy, iptables, stack })
    try {
      for (const v6 of stack === 'dual' ? [false, true] : [stack === 'ipv6']) {
        const ip = (four: string, six: string) => (v6 ? six : four)
        const node3 = ip('172.30.0.13', 'fd00:172:30::13')
        const cases: [from: string, host: string, port: number, who: RegExp][] = [
          ['pod/tools/client', ip('10.244.2.10', 'fd00:10:244:2::10'), 8080, /^shop\/web-1 from .*2:*\.*:*40$/],
          ['pod/tools/client', ip('10.244.3.10', 'fd00:10:244:3::10'), 8080, /^shop\/web-2 from .*2:*\.*:*40$/],
          ['pod/tools/client', ip('10.96.10.10', 'fd00:10:96::1010'), 80, /^shop\/web-[12] from .*40$/],
          ['pod/tools/client', ip('10.96.10.20', 'fd00:10:96::1020'), 8080, /^shop\/api-[12] from .*40$/],
          ['pod/tools/client', ip('10.96.0.1', 'fd00:10:96::1'), 443, /^node1 from/],
          [
            'pod/tools/client',
            ip('203.0.113.10', '2001:db8:113::10'),
            80,
            new RegExp(`^outside from ${ip('172.30.0.12', 'fd00:172:30::12')}$`),
          ],
          ['pod/shop/web-1', ip('10.96.10.10', 'fd00:10:96::1010'), 80, /^shop\/web-[12] from/],
          ['node/node1', ip('10.96.10.10', 'fd00:10:96::1010'), 80, /^shop\/web-[12] from/],
          ['node/outside', node3, 30080, /^shop\/web-[12] from/],
        ]
        const answers = await Promise.all(cases.map(([from, host, port]) => lab.probe(from, host, port)))
        for (const [i, [from, host, port, who]] of cases.entries()) {
          expect([from, host, port, answers[i]!.outcome]).toEqual([from, host, port, 'open'])
          expect(answers[i]!.text).toMatch(who)
        }
      }
      // By name, through resolv.conf, kube-dns and (www.example.com) the upstream.
      for (const name of ['web.shop', 'db-0.db.shop.svc.cluster.local', 'www.example.com'])
        expect(await lab.read('pod/tools/client', 'getent', 'hosts', name)).toMatch(/\S+\s+\S+/)
      const remote = stack === 'ipv6' ? 'fd00:10:244:3::10' : '10.244.3.10'
      const bulk = await lab.probe('pod/tools/client', remote, 8080, { path: '/bytes/2000000', patience: 5000 })
      expect(bulk.text.length).toBe(2_000_000)
    } finally {
      await lab.down()
    }
    expectNothingLeft()
  },
)

const apply = (text: string) => applyObjects(lab.place, parseManifests(text, 'test.yaml'))
const outcome = async (from: string, host: string, port: number, protocol: 'tcp' | 'udp' = 'tcp') =>
  (await lab.probe(from, host, port, { patience: 500, protocol })).outcome

describe('objects', () => {
  beforeAll(() => lab.up({ topology: 'flannel' }))
  afterAll(() => lab.down())
  test('a Service is given an address and follows its pods', async () => {
    const yaml = (selector: string) => `
apiVersion: v1
kind: Service
metadata: { name: extra, namespace: shop }
spec: { selector: { ${selector} }, ports: [ { port: 81, targetPort: db } ] }`
    expect(await apply(yaml('app: db'))).toEqual(['service/extra created'])
    expect(await outcome('pod/tools/client', '10.96.20.1', 81)).toBe('open')
    expect(await apply(yaml('app: nobody'))).toEqual(['service/extra configured'])
    expect(await outcome('pod/tools/client', '10.96.20.1', 81)).toBe('refused')
    expect(await deleteObject(lab.place, 'svc', 'shop/extra')).toBe('service/extra deleted')
    expect(await lab.read('node/node2', 'iptables-save')).not.toContain('shop/extra')
  })

  test('a new pod is made with a process that listens, and goes with all it had', async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: { name: echo, namespace: tools, labels: { app: echo } }
spec: { nodeName: node1, containers: [ { name: echo, ports: [ { containerPort: 7, protocol: UDP }, { containerPort: 7070 } ] } ] }`)
    expect(await outcome('pod/shop/web-1', '10.244.1.100', 7070)).toBe('open')
    expect(await outcome('pod/shop/web-1', '10.244.1.100', 7, 'udp')).toBe('open')
    await deleteObject(lab.place, 'pod', 'tools/echo')
    expect(labNetns(lab.place)).not.toContain(`${lab.place.prefix}tools-echo`)
    expect(readFileSync(join(lab.place.dir, 'inventory.yaml'), 'utf8')).not.toContain('echo')
  })

  test('what is wrong is refused before anything changes', async () => {
    const before = JSON.stringify(readObjects(lab.place))
    for (const text of [
      'kind: Service',
      'apiVersion: v1\nkind: Pod\nmetadata: { name: "a b" }',
      'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: nowhere }\nspec: { containers: [ { name: a } ] }',
      'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: [ { port: "80; reboot" } ] }',
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: a }\nspec: { podSelector: {}, ingress: [ { from: [ { ipBlock: { cidr: "$(x)" } } ] } ] }',
      'a: [',
    ])
      await expect((async () => apply(text))(), text).rejects.toMatchObject({ code: 2 })
    expect(JSON.stringify(readObjects(lab.place))).toBe(before)
  })

  test('exec passes the exit code, and refuses what is not there', async () => {
    expect(await execIn(lab.place, 'node/node1', ['sh', '-c', 'exit 7'])).toBe(7)
    expect(await execIn(lab.place, 'pod/tools/client', ['sh', '-c', 'kill -9 $$'])).toBe(137)
    expect(() => execIn(lab.place, 'pod/tools/nobody', ['true'])).toThrow(/not in the lab/)
    expect(() => execIn(lab.place, 'node/../node1', ['true'])).toThrow(/neither/)
  })

  test('a second up changes nothing; two commands do not work at once', async () => {
    const state = readState(lab.place)
    expect(await up(lab.place, { ...DEFAULT_OPTIONS, topology: 'calico' })).toBe(false)
    expect(readState(lab.place)).toEqual(state)
    await withLock(lab.place, () => expect(down(lab.place)).rejects.toThrow(/another netwhy lab command/))
  })
})

describe.each([
  ['iptables', ['iptables-save']],
  ['nftables', ['nft', 'list', 'ruleset']],
] as const)('policies, kube-proxy %s', (proxy, dump) => {
  beforeAll(() => lab.up({ proxy, topology: proxy === 'iptables' ? 'calico' : 'flannel' }))
  afterAll(() => lab.down())

  test('directions, selectors, blocks with exceptions, named ports and port ranges', async () => {
    const yaml = (name: string, spec: string) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: shop }
spec: ${spec}`
    await apply(
      yaml(
        'db',
        '{ podSelector: { matchLabels: { app: db } }, ingress: [ { from: [ { podSelector: { matchExpressions: [ { key: app, operator: In, values: [ api ] } ] } } ], ports: [ { port: db } ] } ] }',
      ),
    )
    expect(await outcome('pod/shop/api-1', '10.244.3.30', 5432)).toBe('open')
    expect(await outcome('pod/shop/api-2', '10.244.3.30', 5432), 'same node').toBe('open')
    expect(await outcome('pod/shop/web-1', '10.244.3.30', 5432)).toBe('timeout')
    expect(await outcome('pod/shop/web-2', '10.244.3.30', 5432), 'same node').toBe('timeout')
    expect(await outcome('node/node3', '10.244.3.30', 5432), 'its own node').toBe('open')
    await deleteObject(lab.place, 'netpol', 'shop/db')
    expect(await outcome('pod/shop/web-1', '10.244.3.30', 5432)).toBe('open')

    await apply(
      yaml(
        'web',
        '{ podSelector: { matchLabels: { app: web } }, ingress: [ { from: [ { ipBlock: { cidr: 10.244.0.0/16, except: [ 10.244.2.40/32 ] } } ], ports: [ { protocol: TCP, port: 8000, endPort: 8100 } ] } ] }',
      ),
    )
    expect(await outcome('pod/tools/client', '10.244.3.10', 8080)).toBe('timeout')
    expect(await outcome('pod/shop/api-1', '10.244.3.10', 8080)).toBe('open')
    await deleteObject(lab.place, 'networkpolicies', 'shop/web')

    await apply(
      yaml(
        'out',
        '{ podSelector: { matchLabels: { app: api } }, policyTypes: [ Egress ], egress: [ { ports: [ { port: db } ] }, { ports: [ { protocol: UDP, port: 53 } ] } ] }',
      ),
    )
    expect(await outcome('pod/shop/api-1', '10.244.3.30', 5432), 'named port of each peer').toBe('open')
    expect(await outcome('pod/shop/api-1', '10.244.2.10', 8080)).toBe('timeout')
    expect(await outcome('pod/shop/api-1', '172.30.0.12', 10250), 'its own node, always').toBe('open')
    expect(await outcome('pod/shop/api-1', '172.30.0.13', 10250), 'another node').toBe('timeout')
    expect(await outcome('pod/tools/client', '10.244.2.20', 9090), 'the other direction').toBe('open')
    expect(await lab.read('pod/shop/api-1', 'getent', 'hosts', 'db.shop')).toContain('10.244.3.30')
    await deleteObject(lab.place, 'networkpolicy', 'shop/out')
    expect(await lab.read('node/node2', ...dump)).not.toContain('KUBE-POD-FW')
  })
})

test('a failure half way leaves nothing', async () => {
  const server = process.env.NETWHY_LAB_SERVER
  const broken = join(lab.program, '..', 'broken.mjs')
  writeFileSync(broken, 'process.exit(3)')
  process.env.NETWHY_LAB_SERVER = broken
  await expect(lab.up()).rejects.toThrow(/ended with 3/)
  process.env.NETWHY_LAB_SERVER = server
  expectNothingLeft()
})

test('an interrupt half way leaves nothing', async () => {
  const stop = new AbortController()
  const work = up(lab.place, DEFAULT_OPTIONS, stop.signal)
  await expect.poll(() => labNetns(lab.place).length, { interval: 2 }).toBeGreaterThan(3)
  stop.abort()
  await expect(work).rejects.toThrow(/interrupted/)
  expectNothingLeft()
})

/** The commands as a program of their own, so that they can be killed, or run in another mount namespace. */
async function program(): Promise<string> {
  const file = join(lab.program, '..', 'lifecycle.mjs')
  if (existsSync(file)) return file
  const { build } = await import('esbuild')
  await build({
    stdin: {
      contents: `import { down, up } from './lab/lifecycle.ts'
import { DEFAULT_OPTIONS } from './lab/plan.ts'
const place = JSON.parse(process.argv[3])
await (process.argv[2] === 'up' ? up(place, DEFAULT_OPTIONS) : down(place))`,
      resolveDir: process.cwd(),
      loader: 'ts',
    },
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
  return file
}

test("a lab whose prefix begins with this one's is another lab", async () => {
  const other = { prefix: `${lab.place.prefix}b-`, dir: `${lab.place.dir}-b` }
  await lab.up()
  await up(other, DEFAULT_OPTIONS)
  expect(await up({ ...other, dir: `${lab.place.dir}-c` }, DEFAULT_OPTIONS).catch((e: Error) => e.message)).toMatch(
    /exists already and is not on the list of this lab/,
  )
  await lab.down()
  expect(labNetns(lab.place)).toEqual([])
  expect(labNetns(other).length).toBe(13)
  expect(labPids(other).length).toBeGreaterThan(5)
  await down(other)
  expectNothingLeft()
})

test('labs of one prefix in private mount namespaces do not meet', async () => {
  const file = await program()
  const session = (name: string) => {
    const place = JSON.stringify({ prefix: lab.place.prefix, dir: `${lab.place.dir}-${name}` })
    const ask = `ip netns exec ${lab.place.prefix}tools-client`
    const probe = `${process.execPath} ${lab.program} probe tcp web.shop 80 3000 /`
    const node = `${process.execPath} ${file}`
    // The sessions wait for each other, so that one is up while the other goes.
    const turn =
      name === 'a' ? 'echo up; read line' : `echo up; read line; ${ask} ${probe}; cat /etc/netns/*/resolv.conf | wc -l`
    return `set -e; ${node} up '${place}'; ${ask} ${probe}; ${turn}; ${node} down '${place}'; grep -c netwhy-lab: /proc/self/mountinfo || true`
  }
  const start = (name: string) => {
    const child = spawn('unshare', ['-m', '-n', 'sh', '-c', session(name)], { stdio: ['pipe', 'pipe', 'inherit'] })
    const said = { text: '' }
    child.stdout.on('data', (d: Buffer) => {
      said.text += d
    })
    return { child, said, ended: new Promise((resolve) => child.on('exit', resolve)) }
  }
  const [a, b] = [start('a'), start('b')]
  for (const x of [a, b]) await expect.poll(() => x.said.text, { timeout: 20_000 }).toMatch(/"open".*\nup\n/s)
  a.child.stdin.end('go\n')
  expect(await a.ended).toBe(0)
  b.child.stdin.end('go\n')
  expect(await b.ended).toBe(0)
  expect(a.said.text.trim()).toMatch(/\n0$/)
  expect(b.said.text.trim()).toMatch(/up\n.*"open".*\n24\n0$/s)
  expectNothingLeft()
})

test.each([1, 6, 13])('killed with %i namespaces made: down clears it all, and up works', async (netns) => {
  const command = await program()
  const child = spawn(process.execPath, [command, 'up', JSON.stringify(lab.place)], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  await expect.poll(() => labNetns(lab.place).length, { interval: 1, timeout: 10_000 }).toBeGreaterThanOrEqual(netns)
  if (netns === 13)
    await expect.poll(() => labPids(lab.place).length, { interval: 1, timeout: 10_000 }).toBeGreaterThan(0)
  child.kill('SIGKILL')
  await ended
  await lab.down()
  expectNothingLeft()
  await lab.up()
  expect(isMap(readState(lab.place) as unknown)).toBe(true)
  expect((await lab.probe('pod/tools/client', '10.96.10.10', 80)).outcome).toBe('open')
  await lab.down()
  expectNothingLeft()
})
