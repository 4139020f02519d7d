/** Which of the kinds netwhy reads this API server has (`/apis`, then the resources of each version that matters). */
import type { Client } from './client.ts'
import { BUILT_IN, OPTIONAL, type Resource } from './resources.ts'

export interface Catalogue {
  readonly resources: readonly Resource[]
  /** Groups that are announced but gave no answer: group/version and why. */
  readonly troubles: readonly { readonly groupVersion: string; readonly message: string }[]
}

/** @throws ApiError when the server cannot be reached */
export async function catalogueOf(client: Client): Promise<Catalogue> {
  const reply = await client.get('/apis')
  const troubles: { groupVersion: string; message: string }[] = []
  if (reply.kind === 'refused')
    return { resources: BUILT_IN, troubles: [{ groupVersion: '/apis', message: reply.message }] }
  const served = groupsIn(reply.body)
  const asked = new Map<string, Promise<ReadonlySet<string> | null>>()
  const pluralsOf = (groupVersion: string) => {
    const before = asked.get(groupVersion)
    if (before) return before
    const now = client.get(`/apis/${groupVersion}`).then((r) => {
      if (r.kind === 'ok') return pluralsIn(r.body)
      troubles.push({ groupVersion, message: r.message })
      return null
    })
    asked.set(groupVersion, now)
    return now
  }
  const resources = [...BUILT_IN]
  for (const o of OPTIONAL) {
    const versions = served.get(o.group)
    if (versions === undefined) continue
    const candidates = [...new Set([...o.versions.filter((v) => versions.includes(v)), versions[0]!])]
    for (const version of candidates) {
      const plurals = await pluralsOf(`${o.group}/${version}`)
      for (const [plural, kind] of Object.entries(o.kinds)) {
        if (plurals?.has(plural) !== true) continue
        if (resources.some((r) => r.plural === plural && (r.group === o.group || r.group === o.unlessIn))) continue
        resources.push({ group: o.group, version, plural, kind })
      }
    }
  }
  return { resources, troubles }
}

/** Served versions by group, the preferred one first. */
function groupsIn(body: unknown): Map<string, string[]> {
  const out = new Map<string, string[]>()
  const groups = (body as { groups?: unknown } | null)?.groups
  for (const g of Array.isArray(groups) ? groups : []) {
    const { name, versions, preferredVersion } = (g ?? {}) as {
      name?: unknown
      versions?: unknown
      preferredVersion?: { version?: unknown } | null
    }
    const all = [preferredVersion, ...(Array.isArray(versions) ? versions : [])].map((v) => v?.version)
    const texts = all.filter((v): v is string => typeof v === 'string' && /^[a-z0-9]+$/.test(v))
    if (typeof name === 'string' && texts.length > 0) out.set(name, [...new Set(texts)])
  }
  return out
}

/** Names of the resources that can be listed. */
function pluralsIn(body: unknown): Set<string> {
  const resources = (body as { resources?: unknown } | null)?.resources
  const names = (Array.isArray(resources) ? resources : []).flatMap((r) => {
    const { name, verbs } = (r ?? {}) as { name?: unknown; verbs?: unknown }
    return typeof name === 'string' && (!Array.isArray(verbs) || verbs.includes('list')) ? [name] : []
  })
  return new Set(names)
}
