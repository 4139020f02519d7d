import { z } from 'zod'
import { SnapshotFormatError } from './entries.ts'
import { type Manifest, SNAPSHOT_VERSION } from './snapshot.ts'

const schema = z.object({
  version: z.string(),
  time: z.string(),
  tool: z.string(),
  nodes: z.array(z.object({ name: z.string(), via: z.string().optional(), error: z.string().optional() })),
  pods: z.array(
    z.object({
      namespace: z.string(),
      name: z.string(),
      node: z.string(),
      folder: z.string().nullable(),
      hostNetwork: z.boolean().optional(),
      error: z.string().optional(),
    }),
  ),
  artefacts: z.array(
    z.object({
      path: z.string(),
      command: z.string(),
      exitCode: z.number().int().nullable(),
      seconds: z.number(),
      stderr: z.string(),
      bytes: z.number(),
      truncated: z.boolean(),
    }),
  ),
})

/**
 * Decodes `manifest.json`.
 * @throws SnapshotFormatError for what is no JSON, of another version, or lacks a field; the message names the place.
 */
export function parseManifest(text: string): Manifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new SnapshotFormatError(`manifest.json: ${(cause as Error).message}`, { cause })
  }
  const version = (json as { version?: unknown } | null)?.version
  if (typeof version !== 'string') throw new SnapshotFormatError('manifest.json has no version: not a netwhy snapshot')
  if (version !== SNAPSHOT_VERSION)
    throw new SnapshotFormatError(`manifest.json is of version ${version}; this netwhy reads ${SNAPSHOT_VERSION}`)
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  throw new SnapshotFormatError(`manifest.json: ${issue.path.join('.') || 'top level'}: ${issue.message}`)
}
