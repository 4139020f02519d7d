import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { loadPolicyObjects, withPolicySource } from '../../src/cli/policy-source.ts'
import { loadEvidence, type SourceOptions, withSource } from '../../src/cli/source.ts'
import { collectInventory } from '../../src/collect/collect-inventory.ts'
import { parseInventory } from '../../src/collect/inventory.ts'
import {
  type Answer,
  type Certificates,
  makeCertificates,
  type StubServer,
  serve,
  smallCluster,
  status,
} from './stub.ts'

let dir = ''
let certificates: Certificates
let server: StubServer
let denied: RegExp | null = null
let told = ''
const answer = (path: string): Answer | null =>
  denied?.test(path) ? status(403, 'Forbidden', `forbidden: ${path}`) : smallCluster(path)

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-commands-'))
  certificates = makeCertificates(join(dir, 'pki'))
  server = await serve(certificates, answer)
  const config = (url: string) => `apiVersion: v1
kind: Config
current-context: test
clusters: [{ name: c, cluster: { server: "${url}", certificate-authority: pki/ca.crt } }]
contexts: [{ name: test, context: { cluster: c, user: u, namespace: shop } }, { name: bare, context: { cluster: c, user: u } }]
users: [{ name: u, user: { token: abc } }]
`
  writeFileSync(join(dir, 'config'), config(server.url))
  writeFileSync(join(dir, 'down'), config('https://127.0.0.1:1'))
  writeFileSync(join(dir, 'manifest.yaml'), 'kind: Namespace\napiVersion: v1\nmetadata: { name: a }\n')
})
afterAll(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(() => {
  denied = null
  told = ''
  vi.stubEnv('KUBECONFIG', join(dir, 'config'))
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += text
    return true
  })
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test('without other evidence the API server is asked, and what nodes would add is said', async () => {
  const snapshot = await loadEvidence({})
  expect(assemble(snapshot).objects.pods).toHaveLength(2)
  expect(told).toBe(
    'netwhy: only the API server was asked; links, routes, rules and sockets are known with access to the node (--inventory)\n',
  )
})

test('what is refused is told with the manifest that allows it, and is among what is missing', async () => {
  denied = /\/pods$/
  const snapshot = await loadEvidence({})
  expect(told).toContain('netwhy: not read: Pod: forbidden: /api/v1/pods (needs the right to list pods)\n')
  expect(told).toContain('kind: ClusterRole\n')
  const { network, objects } = assemble(snapshot)
  expect(network.missing[0]).toEqual({
    artefact: 'objects/pods.json',
    consequence:
      'These objects were not read from the API server: forbidden: /api/v1/pods (needs the right to list pods)',
  })
  expect(objects.known.has('Pod')).toBe(false)
})

test.each(['/pods$', '/namespaces$', 'networking.k8s.io/v1/networkpolicies$', '/crd.projectcalico.org/v1$', '^/apis$'])(
  'policies are not judged when %s is refused',
  async (path) => {
    denied = new RegExp(path)
    await expect(loadPolicyObjects([], {})).rejects.toMatchObject({
      code: 4,
      message: expect.stringContaining('policies cannot be judged without'),
    })
  },
)

test('policies are judged when something else is refused', async () => {
  denied = /\/(events|replicasets)$/
  expect((await loadPolicyObjects([], {})).objects.namespaces).toHaveLength(1)
})

test('no kubeconfig either: usage', async () => {
  vi.stubEnv('KUBECONFIG', join(dir, 'gone'))
  await expect(loadEvidence({})).rejects.toMatchObject({ code: 2, message: expect.stringContaining('or a kubeconfig') })
})

test('--context beside another source is refused', async () => {
  await expect(loadEvidence({ context: 'test', snapshot: 'x' })).rejects.toMatchObject({ code: 2 })
})

test('the API server is down: one line, code 4', async () => {
  await expect(loadEvidence({ kubeconfig: join(dir, 'down') })).rejects.toMatchObject({
    code: 4,
    message: expect.stringMatching(/^API server 127\.0\.0\.1:1 \(context test\): connection refused[^\n]*$/),
  })
})

test.each<[readonly string[], string]>([
  [[], 'shop'],
  [['-n', 'default'], 'default'],
  [['--context', 'bare'], 'default'],
  [['--snapshot', 'x'], 'default'],
])('%j: the namespace is %s', async (args, namespace) => {
  let seen: unknown
  const command = withSource(new Command('x').option('-n, --namespace <name>', '', 'default')).action((o) => {
    seen = o.namespace
  })
  await command.parseAsync([...args], { from: 'user' })
  expect(seen).toBe(namespace)
})

test('manifests given as PATHs leave the kubeconfig alone', async () => {
  vi.stubEnv('KUBECONFIG', join(dir, 'pki'))
  let seen: unknown
  const command = withPolicySource(new Command('x').argument('[path...]')).action((_, o) => {
    seen = o.namespace
  })
  await command.parseAsync([join(dir, 'manifest.yaml')], { from: 'user' })
  expect(seen).toBe('default')
})

const inventory = (text: string) => parseInventory(text, join(dir, 'inv.yaml'))

test('an inventory with a kubeconfig: objects from the API server, nodes from the machines', async () => {
  const snapshot = await collectInventory(inventory('kubeconfig: config'))
  expect(assemble(snapshot).objects.pods.map((p) => p.meta.name)).toEqual(['web', 'api'])
})

test('a file of objects does not hide those of the API server', async () => {
  writeFileSync(join(dir, 'pods.json'), '{"kind":"List","apiVersion":"v1","items":[]}')
  const snapshot = await collectInventory(inventory('kubeconfig: config\nobjects: pods.json'))
  expect(snapshot.paths('objects/pods')).toEqual(['objects/pods-api.json', 'objects/pods.json'])
  expect(assemble(snapshot).objects.pods).toHaveLength(2)
})

test('an API server that is down costs nothing but its objects', async () => {
  const snapshot = await collectInventory(inventory('kubeconfig: down\nobjects: manifest.yaml'))
  const { network, objects } = assemble(snapshot)
  expect(objects.namespaces).toHaveLength(1)
  expect(network.missing[0]?.consequence).toContain('connection refused')
  const alone: SourceOptions = { inventory: join(dir, 'alone.yaml') }
  writeFileSync(alone.inventory!, 'kubeconfig: down')
  await expect(loadEvidence(alone)).rejects.toMatchObject({ code: 4 })
})
