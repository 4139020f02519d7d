import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { type GatherOptions, objectsFromApi, snapshotFromApi } from '../../src/collect/objects-from-api.ts'
import type { Access } from '../../src/kubeapi/access.ts'
import { type Certificates, makeCertificates, type StubServer, serve, smallCluster, status } from './stub.ts'

let folder = ''
let certificates: Certificates
const open: StubServer[] = []
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netwhy-api-'))
  certificates = makeCertificates(folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(async () => {
  await Promise.all(open.splice(0).map((s) => s.close()))
})

async function stub(...args: Parameters<typeof serve> extends [unknown, ...infer R] ? R : never): Promise<StubServer> {
  const server = await serve(certificates, ...args)
  open.push(server)
  return server
}

const accessTo = (server: string, more: Partial<Access> = {}): Access => ({
  server,
  namespace: 'default',
  described: 'context test',
  insecure: false,
  ca: certificates.text('ca.crt'),
  credential: { kind: 'token', token: 't0ken' },
  impersonate: { groups: [], extra: {} },
  ...more,
})

const waits: number[] = []
const QUICK: GatherOptions = {
  env: {},
  wait: async (ms) => void waits.push(ms),
}
const textOf = (files: ReadonlyMap<string, Uint8Array>, path: string) => Buffer.from(files.get(path)!).toString()

describe('what is asked for and kept', () => {
  test('a small cluster becomes a snapshot of objects, every node with what access to it would add', async () => {
    const server = await stub((path) => smallCluster(path))
    const { snapshot, objects } = await snapshotFromApi(accessTo(server.url), QUICK)
    expect(objects.refused).toEqual([])
    expect(objects.rbac).toBeNull()
    expect(snapshot.manifest.nodes).toEqual([
      { name: 'node1', via: 'API server', error: expect.stringContaining('only the API server was asked') },
    ])
    expect(snapshot.text('objects/nodes.json')).not.toContain('managedFields')
    expect(snapshot.paths()).toContain('objects/ippools.crd.projectcalico.org.json')
    const { objects: read, network } = assemble(snapshot)
    expect(read.pods.map((p) => p.meta.name)).toEqual(['web', 'api'])
    for (const kind of ['Pod', 'Service', 'EndpointSlice', 'NetworkPolicy', 'IPPool'])
      expect([kind, read.known.has(kind)]).toEqual([kind, true])
    expect(network.missing.map((m) => m.consequence)).toEqual([
      expect.stringContaining('Nothing was collected on node1'),
    ])
    expect(network.issues).toEqual([])
  })

  test('only GET, never a Secret, ConfigMaps of kube-system by name alone, groups that are not served not at all', async () => {
    const server = await stub((path) => smallCluster(path))
    await objectsFromApi(accessTo(server.url), QUICK)
    expect(server.seen.filter((s) => !s.startsWith('GET '))).toEqual([])
    expect(server.seen.filter((s) => /secret/i.test(s))).toEqual([])
    expect(
      server.seen.filter((s) => s.includes('configmaps')).every((s) => s.includes('/kube-system/configmaps/')),
    ).toBe(true)
    expect(server.seen.filter((s) => s.includes('cilium.io'))).toEqual([])
    expect(server.seen).toContain('GET /api/v1/pods?limit=500')
    expect(server.requests.every((r) => r.headers.authorization === 'Bearer t0ken')).toBe(true)
  })

  test('a Secret that comes all the same is left out; events older than an hour too', async () => {
    const now = Date.parse('2026-01-02T12:00:00Z')
    const server = await stub((path) => {
      if (path === '/api/v1/services')
        return { body: { items: [{ kind: 'Secret', metadata: { name: 's' }, data: { x: 'aGlkZGVu' } }] } }
      if (path === '/api/v1/events')
        return {
          body: {
            items: [
              { metadata: { name: 'old' }, lastTimestamp: '2026-01-02T10:59:00Z' },
              { metadata: { name: 'new' }, lastTimestamp: '2026-01-02T11:01:00Z' },
              {
                metadata: { name: 'series' },
                eventTime: '2026-01-02T10:00:00Z',
                series: { lastObservedTime: '2026-01-02T11:30:00Z' },
              },
              { metadata: { name: 'timeless' } },
            ],
          },
        }
      return smallCluster(path)
    })
    const { files } = await objectsFromApi(accessTo(server.url), { ...QUICK, now })
    expect(JSON.parse(textOf(files, 'objects/services.json')).items).toEqual([])
    const names = JSON.parse(textOf(files, 'objects/events.json')).items.map(
      (i: { metadata: { name: string } }) => i.metadata.name,
    )
    expect(names).toEqual(['new', 'series', 'timeless'])
  })

  test('the aggregated API of Calico is taken instead of its CRDs, the CRDs where it gives no answer', async () => {
    for (const [up, group] of [
      [true, 'projectcalico.org'],
      [false, 'crd.projectcalico.org'],
    ] as const) {
      const server = await stub((path) => {
        const resources = { body: { resources: [{ name: 'ippools' }] } }
        if (path === '/apis')
          return {
            body: {
              groups: ['projectcalico.org', 'crd.projectcalico.org'].map((name) => ({
                name,
                versions: [{ version: name.startsWith('crd') ? 'v1' : 'v3' }],
              })),
            },
          }
        if (path === '/apis/projectcalico.org/v3') return up ? resources : status(503, 'ServiceUnavailable', 'down')
        if (path === '/apis/crd.projectcalico.org/v1') return resources
        return path.startsWith('/apis/projectcalico.org/v3/') ? { body: { items: [] } } : smallCluster(path)
      })
      const { files, refused } = await objectsFromApi(accessTo(server.url), QUICK)
      expect([...files.keys()].filter((f) => f.includes('calico'))).toEqual([`objects/ippools.${group}.json`])
      expect(refused.map((r) => r.group)).toEqual(up ? [] : ['projectcalico.org'])
    }
  })
})

describe('pages', () => {
  const pods = (names: readonly string[], next?: string) => ({
    body: {
      metadata: next === undefined ? {} : { continue: next },
      items: names.map((name) => ({ metadata: { name, namespace: 'a' } })),
    },
  })
  const namesOf = async (server: StubServer) => {
    const { files, refused } = await objectsFromApi(accessTo(server.url), QUICK)
    const text = files.get('objects/pods.json')
    return {
      names:
        text &&
        [
          ...Buffer.from(text)
            .toString()
            .matchAll(/"name":"(p\d)"/g),
        ].map((m) => m[1]),
      refused,
    }
  }

  test('all pages are read, with the token as it came', async () => {
    const server = await stub((path, query) => {
      if (path !== '/api/v1/pods') return smallCluster(path)
      return query.get('continue') === 'a+/=' ? pods(['p2']) : pods(['p1'], 'a+/=')
    })
    expect((await namesOf(server)).names).toEqual(['p1', 'p2'])
  })

  test('a token that expired begins the list again, without objects twice', async () => {
    let asked = 0
    const server = await stub((path, query) => {
      if (path !== '/api/v1/pods') return smallCluster(path)
      if (!query.has('continue')) return pods(['p1'], `t${++asked}`)
      return asked === 1 ? status(410, 'Expired', 'The provided continue parameter is too old') : pods(['p2'])
    })
    expect((await namesOf(server)).names).toEqual(['p1', 'p2'])
  })

  test.each([
    ['always expires', 410, 'Expired'],
    ['fails in the middle', 403, 'Forbidden'],
  ])('a list that %s is no list: half of it would look like pods that are gone', async (_, code, reason) => {
    const server = await stub((path, query) => {
      if (path !== '/api/v1/pods') return smallCluster(path)
      return query.has('continue') ? status(code, reason, 'no more') : pods(['p1'], 't')
    })
    const { names, refused } = await namesOf(server)
    expect(names).toBeUndefined()
    expect(refused).toEqual([{ kind: 'Pod', group: '', reason: expect.stringContaining('no more') }])
  })

  test('a list that never ends ends', async () => {
    const server = await stub((path) => (path === '/api/v1/pods' ? pods([], 'same') : smallCluster(path)))
    expect((await namesOf(server)).refused[0]?.reason).toBe('the list does not end')
  })
})

describe('what is refused', () => {
  test('forbidden kinds are named with the rule that would allow them; the rest is kept', async () => {
    const server = await stub((path) => {
      if (/\/(pods|nodes|networkpolicies)$/.test(path) || path.endsWith('/coredns'))
        return status(403, 'Forbidden', `User "jane" cannot: ${path}`)
      return smallCluster(path)
    })
    const { snapshot, objects } = await snapshotFromApi(accessTo(server.url), QUICK)
    expect(objects.refused.map((r) => r.kind).sort()).toEqual(['ConfigMap', 'NetworkPolicy', 'Node', 'Pod'])
    expect(objects.refused.find((r) => r.kind === 'NetworkPolicy')?.reason).toBe(
      'User "jane" cannot: /apis/networking.k8s.io/v1/networkpolicies (needs the right to list networkpolicies.networking.k8s.io)',
    )
    expect(objects.rbac).toBe(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: netwhy-read
rules:
  - apiGroups: [""]
    resources: ["nodes", "pods"]
    verbs: ["list"]
  - apiGroups: ["networking.k8s.io"]
    resources: ["networkpolicies"]
    verbs: ["list"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: netwhy-read
  namespace: kube-system
rules:
  - apiGroups: [""]
    resources: ["configmaps"]
    resourceNames: ["coredns"]
    verbs: ["get"]
`)
    const { known } = assemble(snapshot).objects
    expect(['Pod', 'Node', 'NetworkPolicy', 'Service'].filter((k) => known.has(k))).toEqual(['Service'])
  })

  test('when everything is refused there is no answer', async () => {
    const server = await stub((path) => (path === '/apis' ? smallCluster(path) : status(403, 'Forbidden', 'no')))
    await expect(objectsFromApi(accessTo(server.url), QUICK)).rejects.toMatchObject({ code: 4, message: /^no \(needs/ })
  })

  test('429 waits as long as Retry-After says, 5xx is tried again; both give up in the end', async () => {
    waits.length = 0
    let pods = 0
    let nodes = 0
    const server = await stub((path) => {
      if (path === '/api/v1/pods' && ++pods < 3)
        return { ...status(429, 'TooManyRequests', 'busy'), headers: { 'retry-after': '7' } }
      if (path === '/api/v1/nodes' && ++nodes) return status(500, 'InternalError', 'etcd is away')
      return smallCluster(path)
    })
    const { refused, files } = await objectsFromApi(accessTo(server.url), QUICK)
    expect(waits.filter((w) => w === 7000)).toHaveLength(2)
    expect(files.has('objects/pods.json')).toBe(true)
    expect(refused).toEqual([{ kind: 'Node', group: '', reason: 'etcd is away' }])
    expect(nodes).toBe(4)
  })

  test('a connection that breaks is made again; one that always breaks loses its kind', async () => {
    let broken = 0
    const server = await stub((path) => {
      if (path === '/api/v1/services' && ++broken === 1) return { hangUp: true }
      return path === '/apis/apps/v1/replicasets' ? { hangUp: true } : smallCluster(path)
    })
    const { refused, files } = await objectsFromApi(accessTo(server.url), QUICK)
    expect(files.has('objects/services.json')).toBe(true)
    expect(refused).toEqual([
      { kind: 'ReplicaSet', group: 'apps', reason: expect.stringContaining('closed the connection') },
    ])
  })

  test.each([
    ['no JSON', '<html>login</html>', 'no JSON: is this an API server?'],
    ['no list', { kind: 'Status' }, 'the answer is no list'],
  ])('%s is said', async (_, body, reason) => {
    const server = await stub((path) => (path === '/api/v1/pods' ? { body } : smallCluster(path)))
    const { refused } = await objectsFromApi(accessTo(server.url), QUICK)
    expect(refused).toEqual([{ kind: 'Pod', group: '', reason: expect.stringContaining(reason) }])
  })

  test('401 is one line', async () => {
    const server = await stub(() => status(401, 'Unauthorized', 'Unauthorized'))
    await expect(objectsFromApi(accessTo(server.url), QUICK)).rejects.toThrow(
      /^API server 127\.0\.0\.1:\d+ \(context test\) does not accept the credentials: expired or wrong \(HTTP 401\)$/,
    )
  })
})

describe('connections', () => {
  const fails = (access: Access) => expect(objectsFromApi(access, QUICK)).rejects

  test('nothing listens', async () => {
    const server = await stub(() => null)
    await server.close()
    await fails(accessTo(server.url)).toThrow('connection refused')
  })
  test('an unknown authority', async () => {
    const server = await stub((p) => smallCluster(p))
    await fails(accessTo(server.url, { ca: certificates.text('other.crt') })).toThrow(
      'x509: its certificate was signed by an unknown authority',
    )
    await objectsFromApi(accessTo(server.url, { ca: certificates.text('other.crt'), insecure: true }), QUICK)
  })
  test('a server certificate that expired', async () => {
    const server = await stub((p) => smallCluster(p), { certificate: 'expired' })
    await fails(accessTo(server.url)).toThrow('its certificate has expired')
  })
  test('a certificate for another name, and --tls-server-name', async () => {
    const server = await stub((p) => smallCluster(p), { certificate: 'named' })
    await fails(accessTo(server.url)).toThrow('its certificate is for other names than 127.0.0.1')
    await objectsFromApi(accessTo(server.url, { tlsServerName: 'kubernetes.example' }), QUICK)
  })
  test('a name DNS does not know', () =>
    fails(accessTo('https://no-such-host.invalid')).toThrow(
      /DNS (does not know|did not answer for) no-such-host\.invalid/,
    ))
  test('no TLS there', async () => {
    const plain = createHttpServer((_, r) => r.end('x'))
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    await fails(accessTo(`https://127.0.0.1:${(plain.address() as AddressInfo).port}`)).toThrow('does not speak TLS')
    plain.close()
  })
  test('no answer in time', async () => {
    const silent = createTcpServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const access = accessTo(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`)
    await expect(objectsFromApi(access, { ...QUICK, timeout: 100 })).rejects.toThrow('no answer in time')
    silent.close()
  })
  test('client certificates', async () => {
    const server = await stub((p) => smallCluster(p), { clientCa: 'ca.crt' })
    const as = (name: string): Partial<Access> => ({
      credential: { kind: 'none' },
      clientCertificate: certificates.text(`${name}.crt`),
      clientKey: certificates.text(`${name}.key`),
    })
    await objectsFromApi(accessTo(server.url, as('jane')), QUICK)
    await fails(accessTo(server.url, as('late'))).toThrow(/the client certificate expired on \d{4}-/)
    await fails(accessTo(server.url, { credential: { kind: 'none' } })).toThrow(
      /refused the client certificate|closed the connection/,
    )
  })
  test('impersonation and basic credentials are headers', async () => {
    const server = await stub((p) => smallCluster(p))
    await objectsFromApi(
      accessTo(server.url, {
        credential: { kind: 'basic', username: 'a', password: 'b:c' },
        impersonate: { user: 'jane', uid: '7', groups: ['dev', 'ops'], extra: { 'Scopes/x': ['view'] } },
      }),
      QUICK,
    )
    const { headersDistinct: h } = server.requests[0]!
    expect(h.authorization).toEqual([`Basic ${Buffer.from('a:b:c').toString('base64')}`])
    expect([h['impersonate-user'], h['impersonate-uid'], h['impersonate-group']]).toEqual([
      ['jane'],
      ['7'],
      ['dev', 'ops'],
    ])
    expect(h['impersonate-extra-scopes%2fx'] ?? h['impersonate-extra-scopes%2Fx']).toEqual(['view'])
  })
  test('through an HTTP proxy', async () => {
    const server = await stub((p) => smallCluster(p))
    const tunnels: string[] = []
    const proxy = createHttpServer()
    proxy.on('connect', (request, socket) => {
      tunnels.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`)
      const [host, port] = request.url!.split(':')
      const on = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        on.pipe(socket).pipe(on)
      })
      on.on('error', () => socket.destroy())
      socket.on('error', () => on.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const at = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
    await objectsFromApi(accessTo(server.url, { proxyUrl: `http://u:p@${at}` }), QUICK)
    expect(new Set(tunnels)).toEqual(
      new Set([`${new URL(server.url).host} Basic ${Buffer.from('u:p').toString('base64')}`]),
    )
    proxy.removeAllListeners('connect')
    proxy.on('connect', (_, socket) => socket.end('HTTP/1.1 403 No\r\n\r\n'))
    await fails(accessTo(server.url, { proxyUrl: `http://${at}` })).toThrow(`proxy ${at}: refused the way to 127.0.0.1`)
    proxy.close()
  })
})
