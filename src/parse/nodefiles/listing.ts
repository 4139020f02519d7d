/** `ls -la DIRECTORY` and `ls -laR DIRECTORY` (coreutils, busybox) → what is in the directories. */
import { parseIp } from '../../base/ip.ts'
import type { DirectoryEntry, DirectoryListing, IpamNetwork } from '../../model/node-files.ts'
import { evidenceOf, type Origin, readLines } from '../rows.ts'

const KINDS: Readonly<Record<string, DirectoryEntry['kind']>> = { '-': 'file', d: 'directory', l: 'link' }

function entryOf(text: string, line: number, origin: Origin): DirectoryEntry | null {
  // mode, links, owner, group, size (or major, minor), three words of date, name
  const m = /^([-dlbcps])([-rwxsStT]{9})[.+@]?\s+\d+\s+\S+\s+\S+\s+(?:\d+,\s*)?\d+\s+\S+\s+\S+\s+\S+\s(.+)$/.exec(text)
  if (!m) return null
  const kind = KINDS[m[1]!] ?? 'other'
  const name = kind === 'link' ? m[3]!.split(' -> ')[0]! : m[3]!
  if (name === '.' || name === '..') return null
  return { name, kind, executable: /x/.test(m[2]!), evidence: evidenceOf(origin, { line, text }) }
}

/** One directory. `trouble` is what ls said when it failed; null otherwise. Undefined: not known whether it is there. */
export function parseListing(
  text: string,
  origin: Origin,
  path: string,
  trouble: string | null,
): DirectoryListing | undefined {
  if (trouble !== null) {
    if (!/no such file or directory|not found: 2/i.test(trouble)) return undefined
    return { path, exists: false, entries: [], evidence: evidenceOf(origin, { line: 1, text: trouble }) }
  }
  const entries = readLines(text).flatMap(({ value, line }) => {
    const entry = entryOf(value, line, origin)
    return entry ? [entry] : []
  })
  const names = entries.map((e) => e.name).join(' ')
  return {
    path,
    exists: true,
    entries,
    evidence: evidenceOf(origin, { line: 1, text: `${path}: ${names || 'empty'}` }),
  }
}

/**
 * host-local keeps one file per address below /var/lib/cni/networks/NETWORK, named like the address; IPv6 addresses too on
 * Linux (plugins/ipam/host-local/backend/disk: only Windows replaces the colons).
 */
export function parseIpamListing(text: string, origin: Origin): IpamNetwork[] {
  const networks: IpamNetwork[] = []
  let addresses: { ip: ReturnType<typeof parseIp> & object; evidence: IpamNetwork['evidence'] }[] | null = null
  for (const { value, line } of readLines(text)) {
    const header = /^(\/.*):$/.exec(value)
    if (header) {
      const name = /^\/var\/lib\/cni\/networks\/([^/]+)$/.exec(header[1]!)?.[1]
      addresses = name === undefined ? null : []
      if (name !== undefined && addresses)
        networks.push({ name, addresses, evidence: evidenceOf(origin, { line, text: value }) })
      continue
    }
    const entry = addresses && entryOf(value, line, origin)
    const ip = entry && parseIp(entry.name)
    if (addresses && entry && ip) addresses.push({ ip, evidence: entry.evidence })
  }
  return networks
}
