import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { declarePolicyMatrix } from './policy-matrix.ts'

const deployment = (name: string) => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec: { template: { metadata: { labels: { app: ${name} } }, spec: { containers: [ { name: c, ports: [ { name: http, containerPort: 8080 } ] } ] } } }
`
const POD = `apiVersion: v1
kind: Pod
metadata: { name: client, namespace: tools, labels: { app: client } }
status: { podIP: 10.244.1.20 }
`
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api, namespace: shop }
spec: { podSelector: { matchLabels: { app: api } }, ingress: [ { from: [ { podSelector: { matchLabels: { app: web } } } ], ports: [ { port: http } ] } ] }
`

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netwhy-matrix-'))
  writeFileSync(join(folder, 'a.yaml'), [deployment('web'), deployment('api'), POD, POLICY].join('---\n'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(...args: string[]): Promise<string> {
  const pieces: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((piece) => {
    pieces.push(String(piece))
    return true
  })
  try {
    const program = new Command().exitOverride()
    declarePolicyMatrix(program)
    await program.parseAsync(['node', 'netwhy', 'matrix', folder, ...args])
    return pieces.join('')
  } finally {
    spy.mockRestore()
    process.exitCode = 0
  }
}

async function connections(...args: string[]): Promise<string[]> {
  const { connections: list } = JSON.parse(await run('-o', 'json', ...args)) as {
    connections: { from: string; to: string; ports: string[] }[]
  }
  return list.map((c) => `${c.from} ${c.to} ${c.ports.join()}`)
}

describe('policy matrix', () => {
  test('reads manifests, workloads as themselves', async () => {
    expect(await connections()).toEqual([
      'deploy/shop/api deploy/shop/web all',
      'deploy/shop/api pod/tools/client all',
      'deploy/shop/api external all',
      'deploy/shop/web deploy/shop/api TCP 8080',
      'deploy/shop/web pod/tools/client all',
      'deploy/shop/web external all',
      'pod/tools/client deploy/shop/web all',
      'pod/tools/client external all',
      'external deploy/shop/web all',
      'external pod/tools/client all',
    ])
  })

  test.each<[string, string[], string[]]>([
    [
      '--from and --to',
      ['--from', 'shop/web', '--to', 'deploy/shop/api'],
      ['deploy/shop/web deploy/shop/api TCP 8080'],
    ],
    ['the outside', ['--from', 'external', '--to', 'shop/web'], ['external deploy/shop/web all']],
    ['an address outside', ['--from', '1.2.3.4', '--to', 'shop/web'], ['external deploy/shop/web all']],
    ['the address of a pod', ['--from', '10.244.1.20', '--to', 'shop/web'], ['pod/tools/client deploy/shop/web all']],
    [
      '-n',
      ['-n', 'tools', '--from', 'tools/client'],
      ['pod/tools/client deploy/shop/web all', 'pod/tools/client external all'],
    ],
    [
      '--by namespace',
      ['--by', 'namespace', '--from', 'shop/web'],
      ['ns/shop ns/shop TCP 8080', 'ns/shop ns/tools all', 'ns/shop external all'],
    ],
  ])('%s', async (_, args, expected) => expect(await connections(...args)).toEqual(expected))

  test.each<[string[], RegExp]>([
    [['--by', 'colour'], /--by colour: must be one of/],
    [['-o', 'pdf'], /--output pdf: must be one of/],
    [['--from', 'node/n1'], /not nodes/],
    [['-n', 'nowhere'], /--namespace nowhere: no pod is in it/],
    [['--exposure', '-o', 'dot'], /--exposure/],
  ])('refuses %j', async (args, message) => {
    await expect(run(...args)).rejects.toThrow(message)
  })

  test('tells exposure apart', async () => {
    const { exposure } = JSON.parse(await run('-o', 'json', '--exposure')) as { exposure: unknown[] }
    expect(exposure).toContainEqual({
      from: 'any pod with app=web in namespace shop',
      to: 'deploy/shop/api',
      ports: ['TCP 8080'],
    })
  })
})
