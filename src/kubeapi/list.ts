/** All objects of one kind, page by page, as kubectl prints them, without what nobody needs. */
import type { Client, Refusal } from './client.ts'
import type { Resource } from './resources.ts'

/** Objects a page. */
const PAGE = 500
/** How often a list is begun again because its continue token expired, before it counts as refused. */
const RESTARTS = 3
/** Most pages of one list: a million objects. */
const MAX_PAGES = 2000

export interface Listed {
  readonly kind: 'listed'
  /**
   * JSON of the objects, with kind and apiVersion, which items of a list lack: separated by commas, a page a piece. Bytes,
   * because ten thousand pods as values would be many times as large.
   */
  readonly pages: readonly Uint8Array[]
}

/** `/api/v1/pods`, `/apis/GROUP/VERSION/PLURAL`. */
export function pathOf({ group, version, plural }: Resource): string {
  return `${group === '' ? `/api/${version}` : `/apis/${group}/${version}`}/${plural}`
}

/**
 * Lists with `limit` and `continue` (Kubernetes API concepts, "Retrieving large results sets in chunks"). A token that expired
 * (410) begins the list again. A page that is refused refuses the whole list: half a list would look like objects that are gone.
 * `keep` leaves out objects that are not needed.
 * @throws ApiError when the server cannot be reached
 */
export async function listAll(
  client: Client,
  resource: Resource,
  keep: (object: Readonly<Record<string, unknown>>) => boolean = () => true,
): Promise<Listed | Refusal> {
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  for (let begun = 0; ; begun++) {
    const pages: Uint8Array[] = []
    let token = ''
    let refusal: Refusal | null = null
    for (let page = 0; ; page++) {
      const more = token === '' ? '' : `&continue=${encodeURIComponent(token)}`
      const reply = await client.get(`${pathOf(resource)}?limit=${PAGE}${more}`)
      if (reply.kind === 'refused') {
        refusal = reply
        break
      }
      const body = reply.body as { items?: unknown; metadata?: { continue?: unknown } } | null
      if (!Array.isArray(body?.items) && body?.items !== null)
        return { kind: 'refused', status: 200, reason: 'NotAList', message: 'the answer is no list' }
      const items: string[] = []
      for (const item of (body?.items ?? []) as unknown[]) {
        const object = objectOf(item)
        if (object === null || object.kind === 'Secret' || !keep(object)) continue
        items.push(JSON.stringify(shown(object, apiVersion, resource.kind)))
      }
      if (items.length > 0) pages.push(Buffer.from(items.join(',\n')))
      const next = body?.metadata?.continue
      if (typeof next !== 'string' || next === '') return { kind: 'listed', pages }
      if (next === token || page + 1 >= MAX_PAGES)
        return { kind: 'refused', status: 200, reason: 'Endless', message: 'the list does not end' }
      token = next
    }
    if (refusal.status !== 410 || begun >= RESTARTS) return refusal
  }
}

/** One object, or a refusal (404: there is none). @throws ApiError when the server cannot be reached */
export async function getOne(
  client: Client,
  path: string,
  apiVersion: string,
  kind: string,
): Promise<Listed | Refusal> {
  const reply = await client.get(path)
  if (reply.kind === 'refused') return reply
  const object = objectOf(reply.body)
  if (object === null || object.kind !== kind)
    return { kind: 'refused', status: 200, reason: 'NotAnObject', message: `the answer is no ${kind}` }
  return { kind: 'listed', pages: [Buffer.from(JSON.stringify(shown(object, apiVersion, kind)))] }
}

const objectOf = (v: unknown) =>
  typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Readonly<Record<string, unknown>>) : null

/** As it came, without `managedFields`, which is half of many objects and says who wrote what. */
function shown(object: Readonly<Record<string, unknown>>, apiVersion: string, kind: string): object {
  const metadata = objectOf(object.metadata)
  const { managedFields: _, ...kept } = metadata ?? {}
  return { apiVersion, kind, ...object, ...(metadata === null ? {} : { metadata: kept }) }
}
