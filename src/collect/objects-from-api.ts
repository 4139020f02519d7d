/** Asks the API server for every kind netwhy reads; what is refused is named, with the right that would allow it. */
import type { Access } from '../kubeapi/access.ts'
import { catalogueOf } from '../kubeapi/catalogue.ts'
import { type Client, type ClientOptions, connectTo, type Refusal } from '../kubeapi/client.ts'
import { ApiError } from '../kubeapi/errors.ts'
import { getOne, type Listed, listAll, pathOf } from '../kubeapi/list.ts'
import { type Right, rbacManifest, rightInWords } from '../kubeapi/rbac.ts'
import { CONFIG_MAPS, type Resource } from '../kubeapi/resources.ts'
import { type Source, snapshotOf } from '../snapshot/memory.ts'
import { type ManifestArtefact, SNAPSHOT_VERSION, type Snapshot } from '../snapshot/snapshot.ts'

export interface ApiObjects {
  /** `objects/PLURAL.GROUP.json`, a List each. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** One for each file, and for each that was refused, with the reason as `stderr`. */
  readonly artefacts: readonly ManifestArtefact[]
  readonly refused: readonly RefusedKind[]
  /** Grants what was refused by RBAC; null when nothing was. */
  readonly rbac: string | null
}

export interface RefusedKind {
  readonly kind: string
  /** API group; empty for the core group. */
  readonly group: string
  /** One line. */
  readonly reason: string
}

export interface GatherOptions extends ClientOptions {
  readonly progress?: (message: string) => void
  /** Milliseconds since 1970; events older than an hour are left out. */
  readonly now?: number
}

/** Lists asked for at the same time. */
const PARALLEL = 4
const HOUR = 3_600_000

/**
 * All objects of the kinds that the server has.
 * @throws ApiError when the server cannot be reached, or refuses everything; KubeconfigError for credentials
 */
export async function objectsFromApi(access: Access, options: GatherOptions = {}): Promise<ApiObjects> {
  const client = connectTo(access, options)
  try {
    const catalogue = await catalogueOf(client)
    const jobs = [...catalogue.resources.map((r) => jobOf(client, r, options.now ?? Date.now())), configMaps(client)]
    const results: { job: Job; done: Done }[] = []
    let next = 0
    const worker = async () => {
      for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) {
        const began = performance.now()
        const done = await job.ask().catch((e: unknown): Asked => {
          if (!(e instanceof ApiError) || results.length === 0) throw e
          return { pages: null, rights: [], reason: e.message }
        })
        results.push({ job, done: { ...done, seconds: (performance.now() - began) / 1000 } })
        options.progress?.(`API server: ${results.length}/${jobs.length} kinds`)
      }
    }
    await Promise.all(Array.from({ length: PARALLEL }, worker))
    if (results.every((r) => r.done.pages === null))
      throw new ApiError(results[0]!.done.reason ?? 'nothing was answered')
    return gathered(results, catalogue.troubles)
  } finally {
    client.close()
  }
}

interface Job {
  readonly path: string
  readonly command: string
  readonly kind: string
  readonly group: string
  readonly apiVersion: string
  readonly ask: () => Promise<Asked>
}

interface Asked {
  /** Null: nothing was answered. */
  readonly pages: readonly Uint8Array[] | null
  /** What was forbidden. */
  readonly rights: readonly Right[]
  /** Why it is nothing, or not everything; null when it is everything. */
  readonly reason: string | null
}

interface Done extends Asked {
  readonly seconds: number
}

function jobOf(client: Client, resource: Resource, now: number): Job {
  const { group, version, plural, kind } = resource
  const recent = kind === 'Event' ? (o: Readonly<Record<string, unknown>>) => !olderThanAnHour(o, now) : undefined
  return {
    path: `objects/${group === '' ? plural : `${plural}.${group}`}.json`,
    command: `GET ${pathOf(resource)}`,
    kind,
    group,
    apiVersion: group === '' ? version : `${group}/${version}`,
    ask: async () => asked(await listAll(client, resource, recent), { group, plural, verb: 'list' }),
  }
}

/** An event without a time counts as young. */
function olderThanAnHour(event: Readonly<Record<string, unknown>>, now: number): boolean {
  const { lastTimestamp, eventTime, series, metadata } = event as {
    lastTimestamp?: unknown
    eventTime?: unknown
    series?: { lastObservedTime?: unknown } | null
    metadata?: { creationTimestamp?: unknown } | null
  }
  const times = [lastTimestamp, eventTime, series?.lastObservedTime, metadata?.creationTimestamp]
    .map((t) => (typeof t === 'string' ? Date.parse(t) : Number.NaN))
    .filter((t) => !Number.isNaN(t))
  return times.length > 0 && Math.max(...times) < now - HOUR
}

function configMaps(client: Client): Job {
  const namespace = 'kube-system'
  const folder = `/api/v1/namespaces/${namespace}/configmaps`
  return {
    path: 'objects/configmaps.json',
    command: `GET ${folder}/{${CONFIG_MAPS.join(',')}}`,
    kind: 'ConfigMap',
    group: '',
    apiVersion: 'v1',
    ask: async () => {
      const pages: Uint8Array[] = []
      const rights: Right[] = []
      let reason: string | null = null
      for (const name of CONFIG_MAPS) {
        const reply = await getOne(client, `${folder}/${name}`, 'v1', 'ConfigMap')
        if (reply.kind === 'refused' && reply.status === 404) continue
        const one = asked(reply, { group: '', plural: 'configmaps', verb: 'get', namespace, name })
        pages.push(...(one.pages ?? []))
        rights.push(...one.rights)
        reason ??= one.reason
      }
      return { pages: pages.length === 0 && reason !== null ? null : pages, rights, reason }
    },
  }
}

function asked(reply: Listed | Refusal, right: Right): Asked {
  if (reply.kind === 'listed') return { pages: reply.pages, rights: [], reason: null }
  const { status, message } = reply
  if (status === 403)
    return { pages: null, rights: [right], reason: `${message} (needs the right to ${rightInWords(right)})` }
  return { pages: null, rights: [], reason: status === 404 ? 'this API server has no such kind' : message }
}

function gathered(
  results: readonly { job: Job; done: Done }[],
  troubles: readonly { groupVersion: string; message: string }[],
): ApiObjects {
  const files = new Map<string, Uint8Array>()
  const artefacts: ManifestArtefact[] = []
  const refused: RefusedKind[] = []
  const note = (path: string, command: string, done: Done, bytes: number) =>
    artefacts.push({
      path,
      command,
      exitCode: done.reason === null ? 0 : 1,
      seconds: Math.round(done.seconds * 1000) / 1000,
      stderr: done.reason ?? '',
      bytes,
      truncated: false,
    })
  for (const { job, done } of [...results].sort((x, y) => (x.job.path < y.job.path ? -1 : 1))) {
    const bytes = done.pages === null ? null : listOf(job, done.pages)
    if (bytes !== null) files.set(job.path, bytes)
    if (done.reason !== null) refused.push({ kind: job.kind, group: job.group, reason: done.reason })
    note(job.path, job.command, done, bytes?.length ?? 0)
  }
  for (const { groupVersion, message } of troubles) {
    const reason = `the API group gave no answer: ${message}`
    const path = groupVersion.startsWith('/') ? 'objects/apis.json' : `objects/${groupVersion.replace('/', '.')}.json`
    refused.push({ kind: '', group: groupVersion.split('/')[0]!, reason })
    note(
      path,
      `GET ${groupVersion.startsWith('/') ? groupVersion : `/apis/${groupVersion}`}`,
      { pages: null, rights: [], reason, seconds: 0 },
      0,
    )
  }
  const rights = results.flatMap((r) => r.done.rights)
  return { files, artefacts, refused, rbac: rights.length === 0 ? null : rbacManifest(rights) }
}

/** `PodList` says that all Pods were asked for; of ConfigMaps only some were. */
function listOf({ kind, apiVersion }: Job, pages: readonly Uint8Array[]): Uint8Array {
  const list = kind === 'ConfigMap' ? 'List' : `${kind}List`
  const between = Buffer.from(',\n')
  return Buffer.concat([
    Buffer.from(`{"kind":"${list}","apiVersion":"${apiVersion}","items":[\n`),
    ...pages.flatMap((page, i) => (i === 0 ? [page] : [between, page])),
    Buffer.from('\n]}\n'),
  ])
}

/** What is not known about every node when only the API was asked. */
export const API_ONLY =
  'only the API server was asked; links, routes, rules and sockets are known with access to the node (--inventory)'

/**
 * A snapshot of the API's objects alone: every Node is in its manifest with `API_ONLY` as its error.
 * @throws as `objectsFromApi`
 */
export async function snapshotFromApi(
  access: Access,
  options: GatherOptions & { readonly tool?: string } = {},
): Promise<{ readonly snapshot: Snapshot; readonly objects: ApiObjects }> {
  const time = new Date().toISOString()
  const objects = await objectsFromApi(access, options)
  const files = new Map<string, Source>([...objects.files].map(([path, bytes]) => [path, () => bytes]))
  const list = objects.files.get('objects/nodes.json')
  const { items } = list ? (JSON.parse(Buffer.from(list).toString('utf8')) as { items: NodeItem[] }) : { items: [] }
  const names = items.flatMap((i) => (typeof i.metadata?.name === 'string' ? [i.metadata.name] : []))
  const manifest = {
    version: SNAPSHOT_VERSION,
    time,
    tool: options.tool ?? 'netwhy',
    nodes: names.map((name) => ({ name, via: 'API server', error: API_ONLY })),
    pods: [],
    artefacts: objects.artefacts,
  }
  return { snapshot: snapshotOf(manifest, files), objects }
}

interface NodeItem {
  readonly metadata?: { readonly name?: unknown } | null
}
