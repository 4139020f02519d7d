/** Starts and stops the listening processes of pods, nodes and the outside host. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LabError } from './errors.ts'
import { type KubeJson, labelsOf, listAt, nameOf, namespaceOf, textAt } from './kubejson.ts'
import {
  families,
  INTERNET,
  type LabOptions,
  type LabPlace,
  type NodePlan,
  nodeNetns,
  OUTSIDE,
  podNetns,
  UPSTREAM_DNS,
} from './plan.ts'
import { kill, SERVER_MARK, serverPids } from './processes.ts'
import type { Listen, ServerSpec } from './server/spec.ts'
import { objectsPath } from './state.ts'

export interface Server {
  readonly netns: string
  readonly spec: ServerSpec
}

/** The server program: $NETWHY_LAB_SERVER, else beside the bundle this code was built into. */
export function serverProgram(env: NodeJS.ProcessEnv): string {
  const path = env.NETWHY_LAB_SERVER || join(dirname(fileURLToPath(import.meta.url)), 'lab-server.js')
  if (!existsSync(path)) throw new LabError(4, `${path} is missing; build it with \`npm run build\``)
  return path
}

const everywhere = (port: number): Listen => ({ host: '::', port })

export function podServer(place: LabPlace, pod: KubeJson, options: LabOptions): Server | null {
  const ports = listAt(pod, 'spec', 'containers').flatMap((c) => listAt(c, 'ports'))
  const of = (protocol: string) =>
    ports
      .filter((p) => (textAt(p, 'protocol') || 'TCP') === protocol && typeof p.containerPort === 'number')
      .map((p) => everywhere(p.containerPort as number))
  if (ports.length === 0) return null
  const dns = labelsOf(pod)['k8s-app'] === 'kube-dns'
  return {
    netns: podNetns(place, namespaceOf(pod), nameOf(pod)),
    spec: {
      name: `${namespaceOf(pod)}/${nameOf(pod)}`,
      tcp: dns ? [] : of('TCP'),
      udp: dns ? [] : of('UDP'),
      dns: dns ? of('UDP') : [],
      ...(dns ? { objects: objectsPath(place), forward: UPSTREAM_DNS[families(options.stack)[0]!] } : {}),
    },
  }
}

/** The kubelet's port, and the API server's on the control plane. */
export function nodeServer(place: LabPlace, node: NodePlan): Server {
  const ports = node.index === 1 ? [6443, 10250] : [10250]
  return {
    netns: nodeNetns(place, node.name),
    spec: { name: node.name, tcp: ports.map(everywhere), udp: [], dns: [] },
  }
}

/** A web server on every address, and the resolver that knows a little of the Internet. */
export function outsideServer(place: LabPlace, options: LabOptions): Server {
  const fs = families(options.stack)
  return {
    netns: nodeNetns(place, 'outside'),
    spec: {
      name: 'outside',
      tcp: [everywhere(80)],
      udp: [],
      dns: fs.map((f) => ({ host: UPSTREAM_DNS[f], port: 53 })),
      names: { 'www.example.com': fs.map((f) => INTERNET[f]), 'outside.example.com': fs.map((f) => OUTSIDE[f]) },
    },
  }
}

/** Milliseconds a server may take until it listens. */
const PATIENCE = 15_000

/** Starts a server, detached, and resolves when it has said that every socket listens. */
export function startServer(place: LabPlace, server: Server, program: string): Promise<void> {
  const spec = join(place.dir, 'servers', `${server.netns}.json`)
  const log = join(place.dir, 'log', `${server.netns}.log`)
  mkdirSync(dirname(spec), { recursive: true })
  mkdirSync(dirname(log), { recursive: true })
  writeFileSync(spec, `${JSON.stringify(server.spec)}\n`)
  const sink = openSync(log, 'w')
  const child = spawn('ip', ['netns', 'exec', server.netns, process.execPath, SERVER_MARK, program, spec], {
    stdio: ['ignore', sink, sink, 'pipe'],
    detached: true,
  })
  closeSync(sink)
  const ready = child.stdio[3] as NodeJS.ReadableStream
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail('did not listen in time'), PATIENCE)
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      const said = existsSync(log) ? readFileSync(log, 'utf8').trim() : ''
      reject(new LabError(4, `the server of ${server.spec.name} ${why}${said === '' ? '' : `: ${said.slice(0, 300)}`}`))
    }
    child.once('error', (e) => fail(e.message))
    child.once('exit', (code) => fail(`ended with ${code}`))
    ready.once('data', () => {
      clearTimeout(timer)
      child.removeAllListeners()
      child.unref()
      ready.removeAllListeners()
      ;(ready as unknown as { destroy(): void }).destroy()
      resolve()
    })
  })
}

/** Ends the server of one namespace, if it runs. */
export function stopServer(place: LabPlace, netns: string): void {
  kill(serverPids(place, netns))
}
