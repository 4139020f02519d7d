import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { objectsFromApi } from '../../src/collect/objects-from-api.ts'
import type { Access } from '../../src/kubeapi/access.ts'
import type { ExecEntry } from '../../src/kubeapi/kubeconfig-file.ts'
import { type Certificates, makeCertificates, serve, smallCluster, status } from './stub.ts'

let dir = ''
let certificates: Certificates
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-exec-'))
  certificates = makeCertificates(join(dir, 'pki'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const V1 = 'client.authentication.k8s.io/v1'
const BETA = 'client.authentication.k8s.io/v1beta1'

/** A plugin that is a shell script. */
function plugin(name: string, script: string): string {
  const path = join(dir, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

const accessWith = (server: string, exec: Partial<ExecEntry>): Access => ({
  server,
  namespace: 'default',
  described: 'context test',
  insecure: false,
  ca: certificates.text('ca.crt'),
  impersonate: { groups: [], extra: {} },
  credential: {
    kind: 'exec',
    clusterConfig: { audience: 'x' },
    exec: {
      apiVersion: V1,
      command: 'x',
      args: [],
      env: {},
      provideClusterInfo: false,
      interactiveMode: 'Never',
      ...exec,
    },
  },
})
const QUICK = { env: {}, wait: async () => {} }
const printing = (status: object, apiVersion = V1) =>
  `cat <<'EOF'\n${JSON.stringify({ kind: 'ExecCredential', apiVersion, status })}\nEOF`

test.each([V1, BETA])(
  '%s: the token is used; arguments, environment and cluster information arrive',
  async (apiVersion) => {
    const server = await serve(certificates, (p) => smallCluster(p))
    const command = plugin(
      'login',
      `echo "$1 $E $KUBERNETES_EXEC_INFO" > ${dir}/seen\n${printing({ token: 'from-plugin' }, apiVersion)}`,
    )
    await objectsFromApi(
      accessWith(server.url, { apiVersion, command, args: ["a'b"], env: { E: 'V' }, provideClusterInfo: true }),
      QUICK,
    )
    expect(new Set(server.requests.map((r) => r.headers.authorization))).toEqual(new Set(['Bearer from-plugin']))
    const seen = readFileSync(join(dir, 'seen'), 'utf8')
    expect(seen).toMatch(/^a'b V \{/)
    expect(JSON.parse(seen.slice(seen.indexOf('{')))).toEqual({
      apiVersion,
      kind: 'ExecCredential',
      spec: {
        interactive: false,
        cluster: {
          server: server.url,
          'certificate-authority-data': Buffer.from(certificates.text('ca.crt')).toString('base64'),
          config: { audience: 'x' },
        },
      },
    })
    await server.close()
  },
)

test('a client certificate from a plugin', async () => {
  const server = await serve(certificates, (p) => smallCluster(p), { clientCa: 'ca.crt' })
  const status = {
    clientCertificateData: certificates.text('jane.crt'),
    clientKeyData: certificates.text('jane.key'),
  }
  await objectsFromApi(accessWith(server.url, { command: plugin('cert', printing(status)) }), QUICK)
  await server.close()
})

test('a token that the server refuses is asked for once more', async () => {
  const server = await serve(certificates, (p, _, r) =>
    r.headers.authorization === 'Bearer t2' ? smallCluster(p) : status(401, 'Unauthorized', 'no'),
  )
  const count = join(dir, 'count')
  writeFileSync(count, '')
  const command = plugin(
    'renew',
    `echo x >> ${count}\nn=$(wc -l < ${count})\nprintf '{"kind":"ExecCredential","apiVersion":"${V1}","status":{"token":"t%d"}}' $n`,
  )
  await objectsFromApi(accessWith(server.url, { command }), QUICK)
  expect(readFileSync(count, 'utf8')).toBe('x\nx\n')
  await server.close()
})

test.each<[string, string | null, Partial<ExecEntry>, RegExp]>([
  ['fails', 'echo log in first >&2; exit 3', {}, /failed \(exit code 3\): log in first$/],
  ['prints no JSON', 'echo secret-token', {}, /did not print an ExecCredential in JSON$/],
  [
    'prints another version',
    printing({ token: 't' }, BETA),
    {},
    /answered in another apiVersion than client.authentication.k8s.io\/v1$/,
  ],
  ['gives nothing', printing({}), {}, /gave neither a token nor a client certificate$/],
  [
    'gives half a certificate',
    printing({ clientKeyData: 'k' }),
    {},
    /a client certificate or a key without the other$/,
  ],
  ['hangs', 'exec sleep 60', {}, /gave no answer within 0.3 s$/],
  ['floods', 'exec yes', {}, /printed more than 1048576 bytes$/],
  [
    'is not installed',
    null,
    { command: 'netwhy-no-such', installHint: 'get it there' },
    /is not installed: get it there$/,
  ],
  ['is of v1alpha1', null, { apiVersion: 'client.authentication.k8s.io/v1alpha1' }, /is not one of/],
  ['wants a terminal', null, { interactiveMode: 'Always' }, /wants a terminal/],
])('a plugin that %s: one line', async (name, script, exec, message) => {
  const command = script === null ? {} : { command: plugin(name.replaceAll(' ', '-'), script) }
  const asked = objectsFromApi(accessWith('https://127.0.0.1:1', { ...command, ...exec }), {
    ...QUICK,
    pluginTimeout: script === 'exec sleep 60' ? 300 : 20_000,
  })
  const error = await asked.then(
    () => null,
    (e: Error) => e,
  )
  expect(error?.message).toMatch(message)
  expect(error?.message).not.toContain('secret-token')
  expect(error).toMatchObject({ code: script === null && !exec.command ? 2 : 4 })
})
