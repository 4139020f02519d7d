/** What collect.sh sends for one node (a folder with `index.tsv`) → artefacts of a snapshot. Format: docs/formats.md. */
import type { ArchiveEntry } from './entries.ts'
import type { Source } from './memory.ts'
import type { ManifestArtefact, ManifestPod } from './snapshot.ts'

export interface NodeEvidence {
  /** By path inside the snapshot (`nodes/NODE/…`). */
  readonly files: ReadonlyMap<string, Source>
  readonly artefacts: readonly ManifestArtefact[]
  readonly pods: readonly ManifestPod[]
  /** Pods found by their UID only, in folder `nodes/NODE/netns/pod-UID`: their names stand in the API objects. */
  readonly unnamed: readonly { readonly uid: string; readonly folder: string }[]
}

export const INDEX_FILE = 'index.tsv'
const INDEX_HEADER = '# netwhy-collect 1'
/** Bytes of stderr kept per artefact in the manifest. */
const MAX_STDERR = 4096
const utf8 = new TextDecoder()

/** The folders of an archive that collect.sh wrote: those that hold an index. */
export function nodeFolders(entries: readonly ArchiveEntry[]): string[] {
  return entries
    .filter((e) => e.path.endsWith(`/${INDEX_FILE}`) && e.path.indexOf('/') === e.path.length - INDEX_FILE.length - 1)
    .filter((e) => utf8.decode(e.data().subarray(0, INDEX_HEADER.length)) === INDEX_HEADER)
    .map((e) => e.path.slice(0, -INDEX_FILE.length - 1))
}

/** Artefacts of the node whose files lie below `folder` of the archive, to be known in the snapshot as `node`. */
export function nodeEvidence(entries: readonly ArchiveEntry[], folder: string, node: string): NodeEvidence {
  const home = `nodes/${node}`
  const files = new Map<string, Source>()
  const sizes = new Map<string, number>()
  const stderr = new Map<string, string>()
  let index = ''
  let podTable = ''
  for (const e of entries) {
    if (!e.path.startsWith(`${folder}/`)) continue
    const path = e.path.slice(folder.length + 1)
    if (path === INDEX_FILE) index = utf8.decode(e.data())
    else if (path.endsWith('.stderr')) stderr.set(path.slice(0, -7), utf8.decode(e.data().subarray(0, MAX_STDERR)))
    else {
      if (path === 'node/pods.tsv') podTable = utf8.decode(e.data())
      files.set(`${home}/${path}`, e.data)
      sizes.set(path, e.size)
    }
  }
  const artefacts = readIndex(index, home, sizes, stderr)
  const pods: ManifestPod[] = []
  const unnamed: { uid: string; folder: string }[] = []
  for (const line of podTable.split('\n')) {
    const [where, , , namespace, name, uid] = line.split('\t')
    if (!where || !namespace || !name) continue
    const path = `${home}/${where}`
    if (namespace === '-') {
      if (uid && uid !== '-') unnamed.push({ uid, folder: path })
      continue
    }
    const failed = artefacts.find((a) => a.path === `${path}/netns.txt` && a.exitCode !== 0)
    if (failed && !sizes.has(`${where}/netns.txt`))
      pods.push({ namespace, name, node, folder: null, error: oneLine(failed.stderr) || `could not be entered` })
    else pods.push({ namespace, name, node, folder: path })
  }
  return { files, artefacts, pods, unnamed }
}

function readIndex(
  index: string,
  home: string,
  sizes: ReadonlyMap<string, number>,
  stderr: ReadonlyMap<string, string>,
): ManifestArtefact[] {
  const byPath = new Map<string, ManifestArtefact>()
  for (const line of index.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [path, code, seconds, ...command] = line.split('\t')
    if (path === undefined || code === undefined || seconds === undefined || command.length === 0) continue
    const exit = /^\d{1,3}$/.test(code) ? Number(code) : null
    byPath.set(path, {
      path: `${home}/${path}`,
      command: command.join(' '),
      // 124: timeout(1). Above 128: died of a signal; 153 is SIGXFSZ, the size limit.
      exitCode: exit === null || exit === 124 || exit > 128 ? null : exit,
      seconds: Number.isFinite(Number(seconds)) ? Number(seconds) : 0,
      stderr: stderr.get(path) ?? '',
      bytes: sizes.get(path) ?? 0,
      truncated: exit === 153,
    })
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

const oneLine = (text: string) => text.trim().replace(/\s*\n\s*/g, '; ')
