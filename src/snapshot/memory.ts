import type { Manifest, Snapshot } from './snapshot.ts'

/** Where an artefact's bytes come from: called each time they are asked for. */
export type Source = () => Uint8Array

const utf8 = new TextDecoder()

/** A snapshot over byte sources by path. Nothing is decoded or inflated before it is asked for. */
export function snapshotOf(manifest: Manifest, files: ReadonlyMap<string, Source>): Snapshot {
  let sorted: readonly string[] | undefined
  const all = () => {
    sorted ??= [...files.keys()].sort()
    return sorted
  }
  return {
    manifest,
    paths: (prefix = '') => (prefix === '' ? all() : all().filter((p) => p.startsWith(prefix))),
    text: (path) => {
      const source = files.get(path)
      return source ? utf8.decode(source()) : null
    },
    bytes: (path) => files.get(path)?.() ?? null,
  }
}
