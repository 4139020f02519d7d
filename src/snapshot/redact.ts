/**
 * A snapshot with pseudonyms in the place of names and addresses, the same everywhere, so that answers keep their shape.
 * What stays and what is left out: docs/formats.md.
 */
import { parseAllDocuments } from 'yaml'
import { type Source, snapshotOf } from './memory.ts'
import { type AddressMap, addressMap, mapAddressText } from './redact-addresses.ts'
import { chainHashes, renameNftBase } from './redact-chains.ts'
import { pseudonymsFor, replaceNames, staysAsIs } from './redact-names.ts'
import { namesIn, objectsOf, withoutFreeText } from './redact-objects.ts'
import type { Manifest, Snapshot } from './snapshot.ts'

/** Identifies the machine, or holds addresses in a form that is not looked for. */
const LEFT_OUT = /\/node\/(machine-id|docker-daemon\.json)$|\/(proc-ip_vs|proc-net-stat)\.txt$/

/** MAC address | nftables chain name of kube-proxy | IPv6 address or prefix | word, perhaps an IPv4 prefix. */
const WORDS =
  /(?<![0-9A-Za-z:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![0-9A-Za-z:])|(?<![A-Za-z0-9])(?:[a-z]+-)?[A-Z2-7]{8}-[a-z0-9.-]+\/[a-z0-9.-]+\/(?:tcp|udp|sctp)\/[^\s"{}]*|(?<![0-9A-Za-z:])(?:[0-9a-fA-F]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4})(?![0-9A-Za-z])(?:\/\d{1,3})?|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?:\/\d{1,2}(?![A-Za-z0-9.]))?/g
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?$/
const MAC = /^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/

/** Replaces names and addresses in a text, by one set of pseudonyms. */
export function renamer(pseudonyms: ReadonlyMap<string, string>, addresses: AddressMap): (text: string) => string {
  const word = (w: string): string => {
    if (IPV4.test(w)) return mapAddressText(w, addresses) ?? w
    // Ranges of addresses, and addresses in host names: 10.0.0.1-10.0.0.9, ip-10-0-0-1.
    if (/\d[.-]\d{1,3}[.-]\d{1,3}[.-]\d/.test(w)) {
      const range = w.split('-')
      if (range.every((r) => IPV4.test(r))) return range.map((r) => mapAddressText(r, addresses) ?? r).join('-')
      if (!pseudonyms.has(w))
        return replaceNames(
          w.replace(/(?<![0-9])\d{1,3}(?:-\d{1,3}){3}(?![0-9])/g, (d) => {
            const mapped = mapAddressText(d.replaceAll('-', '.'), addresses)
            return mapped?.replaceAll('.', '-') ?? d
          }),
          pseudonyms,
        )
    }
    return replaceNames(w, pseudonyms)
  }
  // The same words come again and again; the memory for them is bounded.
  const known = new Map<string, string>()
  const rename = (text: string): string =>
    text.replace(WORDS, (match) => {
      let to = known.get(match)
      if (to === undefined) {
        to = replacement(match)
        if (known.size >= 500_000) known.clear()
        known.set(match, to)
      }
      return to
    })
  const replacement = (match: string): string => {
    if (!/[:/]/.test(match)) return word(match)
    if (MAC.test(match)) return addresses.mac(match)
    const chain = /^((?:[a-z]+-)?)([A-Z2-7]{8}-.*)$/.exec(match)
    const renamed = chain && renameNftBase(chain[2]!, rename)
    if (chain && renamed) return chain[1]! + renamed
    const mapped = /[:.]/.test(match) ? mapAddressText(match, addresses) : null
    return mapped ?? match.replace(/[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/g, word)
  }
  return rename
}

/** The snapshot redacted. `key` is secret and random: the same key gives the same pseudonyms of addresses. */
export function redactSnapshot(snapshot: Snapshot, key: string): Snapshot {
  const documents = new Map<string, unknown[]>()
  const unreadable = new Set<string>()
  for (const path of snapshot.paths('objects/')) {
    const decoded = decode(path, snapshot.text(path) ?? '')
    if (decoded) documents.set(path, decoded)
    else unreadable.add(path)
  }
  const pseudonyms = pseudonymsFor(namesOf(snapshot, documents))
  const rename = renamer(pseudonyms, addressMap(key))
  for (const [before, after] of chainHashes([...documents.values()].flat(), rename)) pseudonyms.set(before, after)

  const leftOut = (path: string) => LEFT_OUT.test(path) || unreadable.has(path)
  const renamedOut = new Set(snapshot.paths().filter(leftOut).map(rename))
  const encoder = new TextEncoder()
  const files = new Map<string, Source>()
  for (const path of snapshot.paths()) {
    if (leftOut(path)) continue
    const decoded = documents.get(path)
    files.set(
      rename(path),
      once(() =>
        encoder.encode(
          decoded
            ? decoded.map((d) => `${JSON.stringify(deep(withoutFreeText(d), rename), null, 1)}\n`).join('---\n')
            : renameArtefact(path, snapshot.text(path) ?? '', rename),
        ),
      ),
    )
  }
  const manifest = deep(snapshot.manifest, rename) as Manifest
  return snapshotOf(
    {
      ...manifest,
      version: snapshot.manifest.version,
      time: snapshot.manifest.time,
      tool: snapshot.manifest.tool,
      nodes: manifest.nodes.map((n) => ({ ...n, via: n.via?.split(' ')[0] })),
      artefacts: manifest.artefacts
        .filter((a) => !renamedOut.has(a.path))
        .map((a) => ({ ...a, bytes: files.get(a.path)?.().length ?? 0 })),
    },
    files,
  )
}

/** Computed when first asked for, and kept. */
function once(source: Source): Source {
  let bytes: Uint8Array | undefined
  return () => {
    bytes ??= source()
    return bytes
  }
}

/** tc prints u32 matches as hexadecimal words, which may be addresses. */
function withoutHexAddresses(path: string, text: string): string {
  return path.endsWith('/tc-filter.txt') ? text.replace(/match [0-9a-f]{8}\/([0-9a-f]{8})/g, 'match xxxxxxxx/$1') : text
}

/** The documents of a file of objects, or null when it cannot be read: what is not understood is not passed on. */
function decode(path: string, text: string): unknown[] | null {
  try {
    if (path.endsWith('.json')) return [JSON.parse(text)]
    const parsed = parseAllDocuments(text)
    const values = Array.isArray(parsed) ? parsed.map((d) => d.toJS({ maxAliasCount: 100 })) : []
    return values.filter((d) => d !== null && d !== undefined)
  } catch {
    return null
  }
}

/** An artefact; in JSON only values are replaced, for a name may equal a key. */
function renameArtefact(path: string, text: string, rename: (text: string) => string): string {
  if (path.endsWith('.json'))
    try {
      return `${JSON.stringify(deep(JSON.parse(text), rename))}\n`
    } catch {
      return rename(text)
    }
  return rename(withoutHexAddresses(path, text))
}

/** Keys of objects that people chose, and not the API. */
const FREE_KEYS = /^(labels|matchLabels|selector|annotations|nodeSelector|data)$/

/** Every string of a JSON value replaced, and the keys of `freeKeys` maps. */
function deep(value: unknown, rename: (text: string) => string, freeKeys = false): unknown {
  if (typeof value === 'string') return rename(value)
  if (Array.isArray(value)) return value.map((v) => deep(v, rename))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [freeKeys ? rename(k) : k, deep(v, rename, FREE_KEYS.test(k))]),
  )
}

/** Names by kind of pseudonym: of the manifest, the objects, resolv.conf and hosts files, and netns. */
function namesOf(snapshot: Snapshot, documents: ReadonlyMap<string, unknown[]>): Map<string, Set<string>> {
  const byKind = new Map<string, Set<string>>()
  for (const kind of ['node', 'ns', 'svc', 'pod', 'host', 'domain', 'netns', 'object', 'container', 'label'])
    byKind.set(kind, new Set())
  const add = (kind: string, name: unknown) => {
    if (typeof name === 'string' && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name) && !staysAsIs(name))
      byKind.get(kind)!.add(name)
  }
  for (const n of snapshot.manifest.nodes) add('node', n.name)
  for (const p of snapshot.manifest.pods) {
    add('ns', p.namespace)
    add('pod', p.name)
    add('node', p.node)
  }
  for (const o of [...documents.values()].flat().flatMap(objectsOf)) namesIn(o, add)
  for (const path of snapshot.paths('nodes/')) {
    const file = path.slice(path.lastIndexOf('/') + 1)
    if (file !== 'resolv.conf' && file !== 'hosts' && file !== 'netns.txt') continue
    for (const line of (snapshot.text(path) ?? '').split('\n')) {
      const words = line.replace(/#.*/, '').trim().split(/\s+/)
      if (file === 'hosts') for (const w of words.slice(1)) add('host', w)
      else if (file === 'netns.txt')
        add('netns', words[0] === 'name' ? words[1] : words[0] === 'nsid' ? words[3] : undefined)
      else if (words[0] === 'search' || words[0] === 'domain')
        for (const w of words.slice(1)) if (!/(^|\.)(svc|local|localdomain)$|\.svc\./.test(w)) add('domain', w)
    }
  }
  return byKind
}
