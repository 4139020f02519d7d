/** A stand-in for an API server: HTTPS with a CA made here, answers by path, and certificates for clients. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

export interface Certificates {
  readonly folder: string
  /** Path of NAME.crt or NAME.key. */
  readonly path: (file: string) => string
  readonly text: (file: string) => string
}

/** A CA, a server certificate for localhost and 127.0.0.1, one that expired, and a client's. */
export function makeCertificates(folder: string): Certificates {
  mkdirSync(folder, { recursive: true })
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = (name: string) => openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`)
  const authority = (name: string) => {
    key(name)
    openssl('req', '-x509', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-days', '2', '-out', `${name}.crt`)
  }
  const signed = (name: string, days: string, ext: string) => {
    key(name)
    writeFileSync(join(folder, `${name}.ext`), ext)
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/O=dev/CN=${name}`, '-out', `${name}.csr`)
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-days', days, '-extfile', `${name}.ext`, '-out', `${name}.crt`],
    )
  }
  authority('ca')
  authority('other')
  signed('server', '2', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  signed('named', '2', 'subjectAltName=DNS:kubernetes.example\n')
  signed('expired', '-1', 'subjectAltName=IP:127.0.0.1\n')
  signed('jane', '2', 'extendedKeyUsage=clientAuth\n')
  signed('late', '-1', 'extendedKeyUsage=clientAuth\n')
  const path = (file: string) => join(folder, file)
  return { folder, path, text: (file) => readFileSync(path(file), 'utf8') }
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Closes the connection instead of answering. */
  readonly hangUp?: boolean
}

export interface StubServer {
  readonly url: string
  /** `METHOD path?query` of every request, in order. */
  readonly seen: string[]
  readonly requests: IncomingMessage[]
  close(): Promise<void>
}

export const status = (code: number, reason: string, message: string): Answer => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code },
})

/** Serves `answer`; what it gives null for is 404 as the API server says it. */
export async function serve(
  certificates: Certificates,
  answer: (path: string, query: URLSearchParams, request: IncomingMessage) => Answer | null,
  options: { readonly certificate?: string; readonly clientCa?: string } = {},
): Promise<StubServer> {
  const name = options.certificate ?? 'server'
  const requests: IncomingMessage[] = []
  const server: Server = createServer(
    {
      cert: certificates.text(`${name}.crt`),
      key: certificates.text(`${name}.key`),
      ...(options.clientCa
        ? { requestCert: true, rejectUnauthorized: true, ca: certificates.text(options.clientCa) }
        : {}),
    },
    (request, response) => {
      requests.push(request)
      const url = new URL(request.url ?? '/', 'https://x')
      const a = answer(url.pathname, url.searchParams, request) ?? status(404, 'NotFound', 'not found')
      if (a.hangUp) return void request.socket.destroy()
      response.writeHead(a.status ?? 200, { 'content-type': 'application/json', ...a.headers })
      response.end(typeof a.body === 'string' ? a.body : JSON.stringify(a.body))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get seen() {
      return requests.map((r) => `${r.method} ${r.url}`)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const list = (items: readonly object[]): Answer => ({ body: { kind: 'X', metadata: {}, items } })

/** A small healthy cluster: discovery with Calico's CRDs, a node, a pod of `shop`, empty lists of the rest. */
export function smallCluster(path: string): Answer | null {
  const meta = (name: string, namespace?: string) => ({
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: `uid-${name}`,
    managedFields: [{ manager: 'x' }],
  })
  switch (path) {
    case '/apis':
      return {
        body: {
          kind: 'APIGroupList',
          groups: [
            { name: 'apps', versions: [{ version: 'v1' }], preferredVersion: { version: 'v1' } },
            { name: 'crd.projectcalico.org', versions: [{ version: 'v1' }], preferredVersion: { version: 'v1' } },
          ],
        },
      }
    case '/apis/crd.projectcalico.org/v1':
      return { body: { kind: 'APIResourceList', resources: [{ name: 'ippools', verbs: ['get', 'list'] }] } }
    case '/api/v1/nodes':
      return list([{ metadata: meta('node1'), spec: { podCIDR: '10.244.1.0/24' }, status: {} }])
    case '/api/v1/namespaces':
      return list([{ metadata: { ...meta('shop'), labels: { 'kubernetes.io/metadata.name': 'shop' } } }])
    case '/api/v1/pods':
      return list(
        ['web', 'api'].map((name, i) => ({
          metadata: { ...meta(name, 'shop'), labels: { app: name } },
          spec: { nodeName: 'node1', containers: [{ name: 'c', ports: [{ containerPort: 8080 }] }] },
          status: { phase: 'Running', podIP: `10.244.1.${i + 2}`, podIPs: [{ ip: `10.244.1.${i + 2}` }] },
        })),
      )
    case '/api/v1/namespaces/kube-system/configmaps/coredns':
      return { body: { kind: 'ConfigMap', apiVersion: 'v1', metadata: meta('coredns', 'kube-system'), data: {} } }
  }
  return /^\/(api\/v1|apis\/[^/]+\/v1)\/[a-z]+$/.test(path) ? list([]) : null
}
