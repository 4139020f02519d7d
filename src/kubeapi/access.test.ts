import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findAccess, type KubeFlags, kubeconfigFiles } from './access.ts'
import { inCluster } from './in-cluster.ts'
import { proxyFor } from './proxy.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-kubeconfig-'))
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(join(dir, name, '..'), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const PEM = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
const DATA = Buffer.from(PEM.replace('x', 'data')).toString('base64')
const config = (body: string) => `apiVersion: v1\nkind: Config\n${body}`
const FILES: Readonly<Record<string, string>> = {
  'pki/ca.crt': PEM,
  'pki/tls.crt': PEM,
  'pki/tls.key': PEM.replace('x', 'key'),
  token: 'rotated\n',
  a: config(`clusters:
  - { name: c, cluster: { server: "https://a:6443/", certificate-authority: pki/ca.crt, tls-server-name: kube } }
  - { name: plain, cluster: { server: "http://a:8001" } }
  - { name: prefix, cluster: { server: "https://rancher/k8s/clusters/c-1/", insecure-skip-tls-verify: true, proxy-url: "http://p:3128" } }
  - { name: none, cluster: {} }
  - { name: odd, cluster: { server: "ftp://x" } }
  - { name: lost, cluster: { server: "https://a", certificate-authority: pki/gone.crt } }
contexts:
  - { name: one, context: { cluster: c, user: token } }
  - { name: gone, context: { cluster: nowhere, user: token } }
users:
  - { name: token, user: { token: A } }
  - { name: file, user: { token: A, tokenFile: token } }
  - { name: nofile, user: { tokenFile: gone } }
  - { name: basic, user: { username: j, password: s } }
  - { name: cert, user: { client-certificate: pki/tls.crt, client-key: pki/tls.key } }
  - { name: data, user: { client-certificate-data: ${DATA}, client-certificate: pki/gone, client-key: pki/tls.key } }
  - { name: half, user: { client-certificate: pki/tls.crt } }
  - { name: broken, user: { client-certificate-data: "AAAA", client-key: pki/tls.key } }
  - { name: legacy, user: { auth-provider: { name: gcp } } }
  - { name: as, user: { token: A, as: jane, as-groups: [dev], as-user-extra: { k: [v] } } }
  - { name: exec, user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: ./bin/login, args: [x], env: [{ name: E, value: V }] } } }
  - { name: path, user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: login } } }
`),
  b: config(`current-context: two
clusters: [{ name: c, cluster: { server: "https://b:1" } }]
contexts: [{ name: one, context: { cluster: none } }, { name: two, context: { cluster: c, user: token, namespace: shop } }]
users: [{ name: token, user: { token: B } }]
`),
  syntax: 'apiVersion: v1\nusers: [{name: x, user: {token: "s3cret}}]\n',
  pod: 'kind: Pod\n',
  text: 'hello\n',
  empty: '',
}

const env = (...files: readonly string[]) => ({ KUBECONFIG: files.map((f) => join(dir, f)).join(':') })
const access = (flags: KubeFlags, files: readonly string[] = ['a', 'b']) => findAccess(flags, env(...files))

describe('which files', () => {
  test.each([
    [{ kubeconfig: '/k' }, { KUBECONFIG: '/a:/b', HOME: '/h' }, ['/k']],
    [{}, { KUBECONFIG: '/a::/b:/a', HOME: '/h' }, ['/a', '/b']],
    [{}, { KUBECONFIG: '', HOME: '/h' }, ['/h/.kube/config']],
    [{}, { HOME: '/h' }, ['/h/.kube/config']],
  ])('%j %j', (flags, environment, files) => expect(kubeconfigFiles(flags, environment)).toEqual(files))

  test('a file of KUBECONFIG may be missing, one of --kubeconfig may not', () => {
    expect(access({}, ['gone', 'b'])?.server).toBe('https://b:1')
    expect(() => findAccess({ kubeconfig: join(dir, 'gone') }, {})).toThrow(/gone: no such file$/)
    expect(findAccess({}, env('gone'))).toBeNull()
    expect(findAccess({}, env('empty'))).toBeNull()
  })
})

describe('merging: the first file that names something wins', () => {
  test('current context of the second, cluster and user of the first', () => {
    const a = access({})!
    expect([a.server, a.namespace, a.described]).toEqual(['https://a:6443', 'shop', 'context two'])
    expect(a.credential).toEqual({ kind: 'token', token: 'A' })
    expect([a.ca, a.tlsServerName]).toEqual([PEM, 'kube'])
  })
  test('the other order', () => {
    const a = access({}, ['b', 'a'])!
    expect([a.server, a.credential]).toEqual(['https://b:1', { kind: 'token', token: 'B' }])
  })
  test('a context without a namespace is in default', () =>
    expect(access({ context: 'one' })?.namespace).toBe('default'))
})

describe('users', () => {
  const as = (user: string, flags: KubeFlags = {}) => access({ ...flags, user })!
  test('a token file wins over a token, --token over both', () => {
    expect(as('file').credential).toEqual({ kind: 'token-file', file: join(dir, 'token') })
    expect(as('file', { token: 'T' }).credential).toEqual({ kind: 'token', token: 'T' })
  })
  test('basic', () => expect(as('basic').credential).toEqual({ kind: 'basic', username: 'j', password: 's' }))
  test('client certificates from files and data; data wins', () => {
    expect(as('cert').clientCertificate).toBe(PEM)
    expect(as('cert').clientKey).toBe(FILES['pki/tls.key'])
    expect(as('data').clientCertificate).toContain('data')
  })
  test('a plugin with a slash is beside the kubeconfig, one without is on PATH', () => {
    expect(as('exec').credential).toMatchObject({
      kind: 'exec',
      exec: { command: join(dir, 'bin/login'), args: ['x'], env: { E: 'V' }, interactiveMode: 'IfAvailable' },
    })
    expect(as('path').credential).toMatchObject({ exec: { command: 'login' } })
  })
  test('acting as others: of the kubeconfig, and flags over it', () => {
    expect(as('as').impersonate).toEqual({ user: 'jane', groups: ['dev'], extra: { k: ['v'] } })
    expect(as('as', { as: 'joe', asGroup: ['ops'] }).impersonate).toMatchObject({ user: 'joe', groups: ['ops'] })
    expect(() => as('token', { asGroup: ['ops'] })).toThrow('--as-group and --as-uid need --as')
  })
})

describe('clusters', () => {
  const at = (cluster: string, flags: KubeFlags = {}) => access({ ...flags, cluster })!
  test('a path stays, plain http is taken', () => {
    expect(at('prefix')).toMatchObject({
      server: 'https://rancher/k8s/clusters/c-1',
      insecure: true,
      proxyUrl: 'http://p:3128',
    })
    expect(at('plain').server).toBe('http://a:8001')
  })
  test('--server alone is enough', () =>
    expect(findAccess({ server: 'https://x:1', insecureSkipTlsVerify: true }, env('empty'))).toMatchObject({
      server: 'https://x:1',
      insecure: true,
      described: 'server https://x:1',
    }))
})

test.each<[KubeFlags, readonly string[], RegExp]>([
  [{ context: 'nope' }, ['a', 'b'], /^context nope is not in .*: there are (two|one|gone), /],
  [{ context: 'gone' }, ['a'], /^cluster nowhere is not in the kubeconfig: there are c, plain/],
  [{ user: 'nobody' }, ['a', 'b'], /^user nobody is not in the kubeconfig/],
  [{}, ['a'], /^no current context in .*: give --context; there are one, gone$/],
  [{ cluster: 'none' }, ['a', 'b'], /^cluster none of the kubeconfig names no server$/],
  [{ cluster: 'odd' }, ['a', 'b'], /^server ftp:\/\/x: must be https:/],
  [{ cluster: 'lost' }, ['a', 'b'], /^certificate-authority .*gone.crt: no such file$/],
  [{ user: 'half' }, ['a', 'b'], /^user half has a client certificate without a key$/],
  [{ user: 'broken' }, ['a', 'b'], /^client-certificate-data of the kubeconfig is not PEM in base64$/],
  [{ user: 'nofile' }, ['a', 'b'], /^tokenFile .*gone: no such file$/],
  [{ user: 'legacy' }, ['a', 'b'], /^user legacy has the auth-provider gcp/],
  [{}, ['syntax'], /syntax:\d+:\d+: not a kubeconfig: wrong YAML/],
  [{}, ['pod'], /pod: not a kubeconfig: its kind is not Config$/],
  [{}, ['text'], /text:1:1: not a kubeconfig$/],
  [{}, ['pki'], /pki: is a folder$/],
])('%j %j is one line, exit code 2', (flags, files, message) => {
  let error: unknown
  try {
    access(flags, files)
  } catch (e) {
    error = e
  }
  expect(error).toMatchObject({ code: 2, message: expect.stringMatching(message) })
  expect((error as Error).message).not.toContain('s3cret')
})

test('the service account of a pod', () => {
  const folder = join(dir, 'sa')
  mkdirSync(folder)
  const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }
  expect(inCluster(pod, folder)).toBeNull()
  writeFileSync(join(folder, 'token'), 't')
  writeFileSync(join(folder, 'ca.crt'), PEM)
  writeFileSync(join(folder, 'namespace'), 'ops\n')
  expect(inCluster({}, folder)).toBeNull()
  expect(inCluster(pod, folder)).toMatchObject({
    server: 'https://[fd00::1]:443',
    namespace: 'ops',
    ca: PEM,
    credential: { kind: 'token-file', file: join(folder, 'token') },
  })
})

test.each<[string, string | undefined, Readonly<Record<string, string>>, string | null]>([
  ['https://10.0.0.1:6443', undefined, {}, null],
  ['https://10.0.0.1:6443', 'http://p:1', {}, 'p:1'],
  ['https://10.0.0.1:6443', undefined, { HTTPS_PROXY: 'p:2' }, 'p:2'],
  ['https://10.0.0.1:6443', undefined, { https_proxy: 'http://p:2', NO_PROXY: '10.0.0.0/8' }, null],
  ['https://10.0.0.1:6443', undefined, { https_proxy: 'http://p:2', NO_PROXY: '10.1.0.0/16, x' }, 'p:2'],
  ['https://kube.example:6443', undefined, { HTTPS_PROXY: 'http://p:2', no_proxy: '.example' }, null],
  ['https://kube.example:6443', undefined, { HTTPS_PROXY: 'http://p:2', no_proxy: 'ample' }, 'p:2'],
  ['https://kube.example:6443', undefined, { HTTPS_PROXY: 'http://p:2', no_proxy: 'kube.example:443' }, 'p:2'],
  ['https://kube.example:6443', undefined, { HTTPS_PROXY: 'http://p:2', no_proxy: '*' }, null],
  ['https://127.0.0.1:6443', undefined, { HTTPS_PROXY: 'http://p:2' }, null],
  ['https://127.0.0.1:6443', 'http://p:1', {}, 'p:1'],
  ['http://a:80', undefined, { HTTPS_PROXY: 'http://p:2' }, null],
])('the proxy to %s with %s and %j', (server, given, environment, proxy) =>
  expect(proxyFor(server, given, environment)?.host ?? null).toBe(proxy),
)

test('a SOCKS proxy is refused', () =>
  expect(() => proxyFor('https://a', 'socks5://p:1', {})).toThrow('proxy-url: only http:// and https:// proxies'))
