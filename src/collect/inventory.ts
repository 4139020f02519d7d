/** The inventory file of `--inventory`: machines, pods that no runtime knows, and files of Kubernetes objects. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { isNetnsName, isSshTarget, type Via } from '../host/reach.ts'
import { BadInputError, fileReason } from './errors.ts'

export interface Inventory {
  readonly nodes: readonly { readonly name: string; readonly via: Via }[]
  readonly pods: readonly InventoryPod[]
  /** Absolute paths of files of Kubernetes objects. */
  readonly objects: readonly string[]
  /** Absolute path of the kubeconfig to ask for objects with. */
  readonly kubeconfig?: string
}

export interface InventoryPod {
  readonly namespace: string
  readonly name: string
  readonly node: string
  /** Where its netns is on the node: a name `ip netns` knows, or a process in it. */
  readonly via: { readonly kind: 'netns'; readonly name: string } | { readonly kind: 'pid'; readonly pid: number }
}

/** Kubernetes names (RFC 1123 subdomain). */
const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
  error: 'must be a Kubernetes name (lower-case letters, digits, - and .)',
})
const netns = z.string().refine(isNetnsName, { error: 'must be the name of a network namespace' })
const ssh = z.string().refine(isSshTarget, { error: 'must be USER@HOST or HOST' })
const local = z.literal('local').transform((): Via => ({ kind: 'local' }))
const nodeVia = z.union(
  [
    local,
    z.strictObject({ netns }).transform((v): Via => ({ kind: 'netns', name: v.netns })),
    z
      .strictObject({ ssh, port: z.int().min(1).max(65535).optional(), identity: z.string().min(1).optional() })
      .transform((v): Via => ({ kind: 'ssh', target: v.ssh, port: v.port, identity: v.identity })),
  ],
  { error: 'must be local, { ssh: USER@HOST } or { netns: NAME }' },
)
const podVia = z.union(
  [
    z.strictObject({ netns }).transform((v): InventoryPod['via'] => ({ kind: 'netns', name: v.netns })),
    z.strictObject({ pid: z.int().min(1) }).transform((v): InventoryPod['via'] => ({ kind: 'pid', pid: v.pid })),
  ],
  { error: 'must be { netns: NAME } or { pid: NUMBER }' },
)
const schema = z.strictObject({
  /** May be empty where there are objects: then only those can be looked at. */
  nodes: z
    .array(z.strictObject({ name, via: nodeVia }))
    .nullish()
    .transform((v) => v ?? []),
  pods: z
    .array(z.strictObject({ namespace: name.default('default'), name, node: name, via: podVia }))
    .nullish()
    .transform((v) => v ?? []),
  objects: z
    .union(
      [
        z.array(z.string().min(1)),
        z
          .string()
          .min(1)
          .transform((v) => [v]),
      ],
      { error: 'must be a list of files' },
    )
    .nullish()
    .transform((v) => v ?? []),
  kubeconfig: z.string({ error: 'must be a file' }).min(1, { error: 'must be a file' }).nullish(),
})

/** Most bytes of an inventory file. */
const MAX_BYTES = 4 * 1024 ** 2

/**
 * Reads an inventory file (YAML, or JSON, which is YAML). Paths in `objects` are relative to the file's folder.
 * @throws BadInputError `FILE:LINE:COLUMN: what is wrong`
 */
export function readInventory(file: string): Inventory {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (e) {
    throw new BadInputError(`${file}: ${fileReason(e)}`, { cause: e })
  }
  return parseInventory(text, file)
}

/** As `readInventory`, from text; `file` names it in messages and gives the folder for relative paths. */
export function parseInventory(text: string, file: string): Inventory {
  if (text.length > MAX_BYTES) throw new BadInputError(`${file}: larger than ${MAX_BYTES} bytes: not an inventory`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const fail = (offset: number, message: string): never => {
    const { line, col } = lines.linePos(offset)
    throw new BadInputError(`${file}:${Math.max(1, line)}:${Math.max(1, col)}: ${message}`)
  }
  const syntax = document.errors[0]
  if (syntax) fail(syntax.pos[0], syntax.message)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 50 })
  } catch (e) {
    fail(0, (e as Error).message)
  }
  const result = schema.safeParse(value)
  if (!result.success) {
    const issue = result.error.issues[0]!
    const path = issue.path.map((p) => (typeof p === 'symbol' ? String(p) : p))
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    const place = path.length > 0 ? `${pathText(path)}: ` : ''
    const message = unknown === undefined ? issue.message : `${JSON.stringify(unknown)} is not known here`
    fail(offsetOf(document, unknown === undefined ? path : [...path, unknown]), `${place}${message}`)
  }
  const data = result.data!
  const kubeconfig = data.kubeconfig ?? null
  if (data.nodes.length === 0 && data.objects.length === 0 && kubeconfig === null)
    fail(offsetOf(document, ['nodes']), 'needs at least one node, or objects, or a kubeconfig')
  const names = new Set<string>()
  data.nodes.forEach((n, i) => {
    if (names.has(n.name)) fail(offsetOf(document, ['nodes', i]), `node ${n.name} is listed twice`)
    names.add(n.name)
  })
  const seen = new Set<string>()
  data.pods.forEach((p, i) => {
    if (!names.has(p.node))
      fail(offsetOf(document, ['pods', i, 'node']), `pod ${p.name} is on ${p.node}, which is no node here`)
    const key = `${p.namespace}/${p.name}`
    if (seen.has(key)) fail(offsetOf(document, ['pods', i]), `pod ${key} is listed twice`)
    seen.add(key)
  })
  const folder = dirname(resolve(file))
  return {
    nodes: data.nodes,
    pods: data.pods,
    objects: data.objects.map((o) => resolve(folder, o)),
    ...(kubeconfig === null ? {} : { kubeconfig: resolve(folder, kubeconfig.replace(/^~(?=\/)/, homedir())) }),
  }
}

const pathText = (path: readonly (string | number)[]) =>
  path.map((p, i) => (typeof p === 'number' ? `[${p + 1}]` : i === 0 ? p : `.${p}`)).join('')

/** Offset of the value at `path`, or of the nearest enclosing value there is; for a map's key, of the key. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let n = path.length; n >= 0; n--) {
    const parent = n > 0 ? document.getIn(path.slice(0, n - 1), true) : undefined
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isNode(item.key) && String(item.key) === String(path[n - 1]))
      if (pair && isNode(pair.key) && pair.key.range) return pair.key.range[0]
    }
    const node = n === 0 ? document.contents : document.getIn(path.slice(0, n), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}
