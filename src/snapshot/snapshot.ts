/**
 * The snapshot: immutable raw evidence of one moment. Layout and artefact names: docs/design/foundation.md, docs/formats.md.
 */

export const SNAPSHOT_VERSION = 'netwhy/snapshot/v1'

/** `manifest.json`. */
export interface Manifest {
  /** `netwhy/snapshot/v1`. */
  readonly version: string
  /** When the collection began, RFC 3339. */
  readonly time: string
  /** Program and version that wrote it, e.g. `netwhy 0.1.0`. */
  readonly tool: string
  readonly nodes: readonly ManifestNode[]
  readonly pods: readonly ManifestPod[]
  readonly artefacts: readonly ManifestArtefact[]
}

export interface ManifestNode {
  readonly name: string
  /** How it was reached, in words: `ssh root@10.0.0.11`, `netns node1`, `local`. */
  readonly via?: string
  /** Why nothing, or not everything, could be collected from it. */
  readonly error?: string
}

export interface ManifestPod {
  readonly namespace: string
  readonly name: string
  readonly node: string
  /** `nodes/NODE/pods/NAMESPACE_NAME`; null for a host-network pod or one whose netns was not found. */
  readonly folder: string | null
  readonly hostNetwork?: boolean
  /** Why there is no folder. */
  readonly error?: string
}

export interface ManifestArtefact {
  /** Path inside the snapshot, e.g. `nodes/node2/host/ip-route.json`. */
  readonly path: string
  /** The command or API call that gave it, as run. */
  readonly command: string
  /** Null: killed by the time limit or a signal. 127: the tool is not installed. */
  readonly exitCode: number | null
  readonly seconds: number
  /** Bounded. */
  readonly stderr: string
  /** Bytes kept. */
  readonly bytes: number
  /** True when the output was cut at a size limit. */
  readonly truncated: boolean
}

/** An opened snapshot. Artefacts are decoded when asked for. */
export interface Snapshot {
  readonly manifest: Manifest
  /** Paths of all artefacts present (with or without a manifest entry), sorted, those below `prefix` when given. */
  paths(prefix?: string): readonly string[]
  /** The artefact as text (UTF-8, bad bytes replaced), or null when it is not there. */
  text(path: string): string | null
  /** The artefact's bytes as stored; without it, its text stands for them. */
  bytes?(path: string): Uint8Array | null
}
