/** Gathers evidence from all machines of an inventory at once into one snapshot; what fails is noted, the rest kept. */

import { describeVia } from '../host/reach.ts'
import { findAccess } from '../kubeapi/access.ts'
import { ApiError } from '../kubeapi/errors.ts'
import { type Source, snapshotOf } from '../snapshot/memory.ts'
import {
  type ManifestArtefact,
  type ManifestNode,
  type ManifestPod,
  SNAPSHOT_VERSION,
  type Snapshot,
} from '../snapshot/snapshot.ts'
import { BadInputError } from './errors.ts'
import { collectFromNode } from './from-node.ts'
import type { Inventory } from './inventory.ts'
import { podNames, readObjects } from './objects.ts'
import { type ApiObjects, objectsFromApi } from './objects-from-api.ts'

export interface CollectOptions {
  readonly signal?: AbortSignal
  /** Told in words what just finished; never called after the promise settles. */
  readonly progress?: (message: string) => void
  /** Seconds each node may take; default 60. */
  readonly timeoutSeconds?: number
  /** Name and version for the manifest. */
  readonly tool?: string
  /** Program text to run instead of the bundled collector. */
  readonly collector?: string
}

/** Nodes asked at the same time. */
const PARALLEL = 32

/**
 * Collects from every node of the inventory. Unreachable nodes have `error` in the manifest and no artefacts.
 * @throws BadInputError when a file of objects cannot be read; AbortError when aborted
 */
export async function collectInventory(inventory: Inventory, options: CollectOptions = {}): Promise<Snapshot> {
  const time = new Date().toISOString()
  const objects = readObjects(inventory.objects)
  const encoder = new TextEncoder()
  const files = new Map<string, Source>()
  const artefacts: ManifestArtefact[] = []
  const nodes: ManifestNode[] = []
  const pods: ManifestPod[] = []
  for (const o of objects) {
    const bytes = encoder.encode(o.text)
    files.set(o.path, () => bytes)
    const command = `file ${o.path.slice('objects/'.length)}`
    artefacts.push({
      path: o.path,
      command,
      exitCode: 0,
      seconds: 0,
      stderr: '',
      bytes: bytes.length,
      truncated: false,
    })
  }
  const api = await fromKubeconfig(inventory.kubeconfig, options)
  const renamed = (path: string) => (files.has(path) ? path.replace(/\.json$/, '-api.json') : path)
  const apiPaths = new Map(api.artefacts.map((a) => [a.path, renamed(a.path)]))
  for (const [path, bytes] of api.files) files.set(apiPaths.get(path) ?? path, () => bytes)
  artefacts.push(...api.artefacts.map((a) => ({ ...a, path: apiPaths.get(a.path)! })))
  const podList = api.files.get('objects/pods.json')
  const listed = podList ? [{ path: '', text: '', documents: [JSON.parse(new TextDecoder().decode(podList))] }] : []
  const names = podNames([...objects, ...listed])
  const timeoutSeconds = options.timeoutSeconds ?? 60
  let done = 0
  const results = await inParallel(inventory.nodes, PARALLEL, async (node) => {
    const own = inventory.pods.filter((p) => p.node === node.name)
    const evidence = await collectFromNode(node, own, { ...options, timeoutSeconds })
    done++
    options.progress?.(`${done}/${inventory.nodes.length} nodes: ${node.name}${'error' in evidence ? ' failed' : ''}`)
    return { node, own, evidence }
  })
  options.signal?.throwIfAborted()
  for (const { node, own, evidence } of results) {
    const via = describeVia(node.via)
    if ('error' in evidence) {
      nodes.push({ name: node.name, via, error: evidence.error })
      for (const { namespace, name } of own)
        pods.push({ namespace, name, node: node.name, folder: null, error: `nothing was collected from ${node.name}` })
      continue
    }
    nodes.push({ name: node.name, via })
    pods.push(...evidence.pods)
    // Pods found by UID move to the folder of their name.
    const moved = new Map<string, string>()
    for (const { uid, folder } of evidence.unnamed) {
      const pod = names.get(uid)
      const to = pod && `nodes/${node.name}/pods/${pod.namespace}_${pod.name}`
      if (!pod || !to || evidence.files.has(`${to}/netns.txt`)) continue
      moved.set(folder, to)
      pods.push({ ...pod, node: node.name, folder: to })
    }
    const move = (path: string) => {
      const folder = /^nodes\/[^/]+\/netns\/[^/]+/.exec(path)?.[0]
      const to = folder === undefined ? undefined : moved.get(folder)
      return folder === undefined || to === undefined ? path : to + path.slice(folder.length)
    }
    for (const [path, source] of evidence.files) files.set(move(path), source)
    for (const a of evidence.artefacts) artefacts.push({ ...a, path: move(a.path) })
  }
  const tool = options.tool ?? 'netwhy'
  return snapshotOf({ version: SNAPSHOT_VERSION, time, tool, nodes, pods, artefacts }, files)
}

/**
 * The objects of the API server. One that does not answer is noted and costs no evidence from nodes: that is when they are
 * looked at.
 * @throws an error with code 2 for a kubeconfig that is wrong
 */
async function fromKubeconfig(
  file: string | undefined,
  { signal, progress }: CollectOptions,
): Promise<Pick<ApiObjects, 'files' | 'artefacts'>> {
  if (file === undefined) return { files: new Map(), artefacts: [] }
  const access = findAccess({ kubeconfig: file })
  if (access === null) throw new BadInputError(`${file}: names no API server`)
  try {
    return await objectsFromApi(access, {
      ...(signal === undefined ? {} : { signal }),
      ...(progress === undefined ? {} : { progress }),
    })
  } catch (e) {
    if (!(e instanceof ApiError)) throw e
    const command = `GET ${access.server}`
    const failed = { path: 'objects/apis.json', command, exitCode: 1, seconds: 0, stderr: e.message }
    return { files: new Map(), artefacts: [{ ...failed, bytes: 0, truncated: false }] }
  }
}

async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length)
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
