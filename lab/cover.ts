/** Keeps the names of namespaces of labs in different mount namespaces apart. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { NETNS, NETNS_ETC } from './ownership.ts'
import type { LabPlace } from './plan.ts'
import { run } from './run.ts'

interface Mount {
  readonly id: string
  /** Device, and the path on it that is mounted. */
  readonly device: string
  readonly root: string
  readonly point: string
  readonly source: string
}

/** proc_pid_mountinfo(5): id, parent, device, root, mount point, …, a lone hyphen, file system type, source. */
function mounts(pid: number | 'self'): Mount[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    const [id = '', , device = '', root = '', point = '', ...more] = line.split(' ')
    const hyphen = more.indexOf('-')
    return hyphen < 0 ? [] : [{ id, device, root, point, source: more[hyphen + 2] ?? '' }]
  })
}

export function isMounted(path: string): boolean {
  return mounts('self').some((m) => m.point === path)
}

/** Device and path on it behind `path`: what lies in the mount with the longest mount point, the latest of equals. */
function placeOf(all: readonly Mount[], path: string): string {
  const under = all.filter((m) => m.point === '/' || m.point === path || path.startsWith(`${m.point}/`))
  const best = under.reduce<Mount | null>((a, m) => (a && a.point.length > m.point.length ? a : m), null)
  const rest = best ? path.slice(best.point === '/' ? 0 : best.point.length) : path
  return `${best?.device} ${best?.root === '/' ? '' : best?.root}${rest}`
}

/**
 * Whether this process lives in a mount namespace of its own (mount_namespaces(7), as under `unshare --mount`) where `path`
 * is still the machine's folder. Mount ids are unique in the whole system; process 1 shows its own even to those who may
 * not look at its namespace.
 */
function sharesFolder(path: string): boolean {
  const [mine, machine] = [mounts('self'), mounts(1)]
  const root = (all: readonly Mount[]) => all.find((m) => m.point === '/')?.id
  return machine.length > 0 && root(mine) !== root(machine) && placeOf(mine, path) === placeOf(machine, path)
}

/** The source of the lab's own tmpfs mounts, by which they are told again. */
function mountSource(place: LabPlace): string {
  return `netwhy-lab:${place.dir}`
}

/**
 * In a private mount namespace the names of namespaces are bind mounts nobody else sees, but the files below them are
 * shared with the machine: `ip netns del` of one lab would unmount the other's (unlink(2) of a mount point, Linux 3.18).
 * So the folders of names are covered there, unless the user did so.
 */
export async function coverNames(place: LabPlace): Promise<void> {
  for (const path of [NETNS, NETNS_ETC]) {
    if (!sharesFolder(path)) continue
    mkdirSync(path, { recursive: true })
    await run(['mount', '-t', 'tmpfs', '-o', 'mode=755', mountSource(place), path])
  }
}

/** Takes away the lab's own mounts, unless somebody else's names are in them. True when there were any: what is below is not the lab's. */
export async function uncoverNames(place: LabPlace): Promise<boolean> {
  let covered = false
  for (const path of [NETNS, NETNS_ETC]) {
    // `ip netns add` makes the folder a mount of its own when it is none, but never covers one: the last mount is ours.
    while (mounts('self').findLast((m) => m.point === path)?.source === mountSource(place)) {
      covered = true
      if (readdirSync(path).length > 0) break
      await run(['umount', path])
    }
  }
  return covered
}

/**
 * Removes an empty folder of names, unless a process sees a mount on it: removing a mount point takes the mount away in
 * every other mount namespace (rmdir(2), Linux 3.18), and a lab that lives there with it.
 */
export function removeNames(path: string): void {
  if (!existsSync(path) || readdirSync(path).length > 0) return
  const pids = readdirSync('/proc').filter((n) => /^\d+$/.test(n))
  if (pids.some((pid) => mounts(Number(pid)).some((m) => m.point === path))) return
  try {
    rmdirSync(path)
  } catch (e) {
    if (!['ENOTEMPTY', 'ENOENT', 'EEXIST', 'EBUSY'].includes((e as NodeJS.ErrnoException).code ?? '')) throw e
  }
}
