/**
 * Which network namespaces are the lab's: those on its own list, written before they are made. A prefix is not enough, for
 * one lab's prefix may begin with another's, and a user's namespace with either.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from './errors.ts'
import type { LabPlace } from './plan.ts'
import { writeWhole } from './state.ts'

export const NETNS = '/run/netns'
export const NETNS_ETC = '/etc/netns'

function listPath(place: LabPlace): string {
  return join(place.dir, 'netns')
}

/** Every name on the lab's list, whether it exists or not; none when there is no lab. */
export function listedNetns(place: LabPlace): string[] {
  const path = listPath(place)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((name) => /^[a-z0-9][a-z0-9.-]*$/.test(name))
}

/** The lab's namespaces that exist. */
export function labNetns(place: LabPlace): string[] {
  return listedNetns(place).filter((name) => existsSync(join(NETNS, name)))
}

/**
 * Puts names on the list before their namespaces are made. A LabError when one exists already and is not the lab's: nothing
 * of another lab is ever taken over.
 */
export function claimNetns(place: LabPlace, names: readonly string[]): void {
  const listed = new Set(listedNetns(place))
  for (const name of names) {
    const taken = listed.has(name) ? undefined : [NETNS, NETNS_ETC].map((d) => join(d, name)).find((p) => existsSync(p))
    if (taken !== undefined)
      throw new LabError(
        4,
        `${taken} exists already and is not on the list of this lab (${place.dir}); remove it when nobody needs it, or set NETWHY_LAB_PREFIX`,
      )
  }
  mkdirSync(place.dir, { recursive: true, mode: 0o755 })
  writeWhole(listPath(place), [...new Set([...listed, ...names])].map((name) => `${name}\n`).join(''))
}

/** Takes a name off the list after its namespace has gone. */
export function disclaimNetns(place: LabPlace, name: string): void {
  const rest = listedNetns(place).filter((n) => n !== name)
  writeWhole(listPath(place), rest.map((n) => `${n}\n`).join(''))
}

/** The inode of a namespace, its identity (namespaces(7)); null when it has gone. */
export function netnsInode(name: string): number | null {
  try {
    return statSync(join(NETNS, name)).ino
  } catch {
    return null
  }
}
