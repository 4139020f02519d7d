/** Which processes are the lab's, told by what the kernel says of them, never by a remembered number alone. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { labNetns, listedNetns, netnsInode } from './ownership.ts'
import type { LabPlace } from './plan.ts'
import { readlinkOrNull } from './state.ts'

/** This process and those above it: a lab command run inside the lab must not end itself. */
function ownLine(): Set<number> {
  const out = new Set<number>()
  for (let pid = process.pid; pid > 0 && !out.has(pid); ) {
    out.add(pid)
    try {
      // proc_pid_stat(5): the parent is the second field after the parenthesised name, which may itself hold parentheses.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    } catch {
      break
    }
  }
  return out
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((n) => /^\d+$/.test(n))
    .map(Number)
}

function arguments_(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** Processes inside one of the given namespaces, by the identity of the namespace (namespaces(7)). */
export function pidsInside(netns: readonly string[]): number[] {
  const inodes = new Set(netns.map(netnsInode))
  return allPids().filter((pid) => {
    try {
      return inodes.has(statSync(`/proc/${pid}/ns/net`).ino)
    } catch {
      return false
    }
  })
}

/** An argument every server of a lab has: a pager that shows its spec file is not the server. */
export const SERVER_MARK = '--max-old-space-size=64'

/** The servers started from a spec file of this lab, or about to be: `ip netns exec … lab-server.js DIR/servers/NAME.json`. */
export function serverPids(place: LabPlace, name?: string): number[] {
  const folder = `${join(place.dir, 'servers')}/`
  return allPids().filter((pid) => {
    const all = arguments_(pid)
    return (
      all.includes(SERVER_MARK) &&
      all.some((a) => (name === undefined ? a.startsWith(folder) : a === `${folder}${name}.json`))
    )
  })
}

/** Programs a lab command started that are not in a namespace yet: they say by their arguments whose they are. */
function helperPids(place: LabPlace): number[] {
  const work = `${join(place.dir, 'work')}/`
  const names = new Set(listedNetns(place))
  const mounts = readlinkOrNull('/proc/self/ns/mnt')
  return allPids().filter((pid) => {
    const [program, a, b, netns] = arguments_(pid)
    if (program !== 'ip') return false
    if (a === '-batch') return b?.startsWith(work) === true
    // The same name in another mount namespace is another lab's.
    const exec = a === 'netns' && b === 'exec' && netns !== undefined && names.has(netns)
    return exec && readlinkOrNull(`/proc/${pid}/ns/mnt`) === mounts
  })
}

/** Every process of the lab: its servers, and whatever runs in its namespaces. Never this process or its ancestors. */
export function labPids(place: LabPlace): number[] {
  const own = ownLine()
  const all = [...serverPids(place), ...helperPids(place), ...pidsInside(labNetns(place))]
  return [...new Set(all)].filter((pid) => !own.has(pid))
}

/** Sends SIGKILL; a process that is gone already is fine. */
export function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e
    }
  }
}
