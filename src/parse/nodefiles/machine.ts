/** Small files of a machine: units of systemd, daemons, settings, throttled cgroups, loaded modules, runtime settings. */
import type { Evidence } from '../../model/evidence.ts'
import type { CpuThrottling, Daemon, NodeFiles, SettingLine, SystemdUnit } from '../../model/node-files.ts'
import { evidenceOf, type Origin, readLines } from '../rows.ts'

/** `systemctl show -p Id,LoadState,ActiveState,ActiveEnterTimestamp UNIT…`: a block of KEY=VALUE lines per unit. */
export function parseUnits(text: string, origin: Origin): SystemdUnit[] {
  const units: SystemdUnit[] = []
  let block = new Map<string, string>()
  let first = 0
  const finish = () => {
    const name = block.get('Id')
    if (name !== undefined) {
      const said = [...block].map(([k, v]) => `${k}=${v}`).join(' ')
      units.push({
        name: name.replace(/\.service$/, ''),
        loadState: block.get('LoadState') ?? '',
        activeState: block.get('ActiveState') ?? '',
        activeSince: block.get('ActiveEnterTimestamp') ?? '',
        evidence: evidenceOf(origin, { line: first, text: said }),
      })
    }
    block = new Map()
  }
  for (const [i, raw] of text.split('\n').entries()) {
    const m = /^([A-Za-z]+)=(.*?)\r?$/.exec(raw)
    if (!m) {
      finish()
      continue
    }
    if (block.has(m[1]!)) finish()
    if (block.size === 0) first = i + 1
    block.set(m[1]!, m[2]!)
  }
  finish()
  return units
}

/** Lines `PID TAB COMMAND LINE`. */
export function parseDaemons(text: string, origin: Origin): Daemon[] {
  return readLines(text).flatMap((row) => {
    const m = /^(\d{1,10})\t(.*)$/.exec(row.value)
    if (!m) return []
    return [{ pid: Number(m[1]), words: m[2]!.split(' ').filter((w) => w !== ''), evidence: evidenceOf(origin, row) }]
  })
}

/** Output of `grep -H ''` or `-h`: FILE:LINE, comments and empty lines left out. */
export function parseSettings(text: string, origin: Origin): SettingLine[] {
  return readLines(text).flatMap((row) => {
    const m = /^(\/[^:]*):(.*)$/.exec(row.value)
    const said = m?.[2]?.trim() ?? ''
    return m && said !== '' && !/^[#;]/.test(said)
      ? [{ file: m[1]!, text: said, evidence: evidenceOf(origin, row) }]
      : []
  })
}

/** `FILE:nr_throttled N`, cgroup v2 `throttled_usec`, v1 `throttled_time` in nanoseconds (kernel/sched/core.c cpu_cfs_stat_show). */
export function parseThrottling(text: string, origin: Origin): CpuThrottling[] {
  const groups = new Map<string, { values: Map<string, number>; evidence: Evidence }>()
  for (const row of readLines(text)) {
    const m = /^(\/.*\/cpu\.stat):(nr_periods|nr_throttled|throttled_usec|throttled_time) (\d{1,18})$/.exec(row.value)
    if (!m) continue
    const group = groups.get(m[1]!) ?? { values: new Map(), evidence: evidenceOf(origin, row) }
    group.values.set(m[2]!, Number(m[3]))
    if (m[2] === 'nr_throttled') group.evidence = evidenceOf(origin, row)
    groups.set(m[1]!, group)
  }
  return [...groups].flatMap(([path, { values, evidence }]) => {
    // …/pod1234abcd-…/… (cgroupfs) or …-pod1234abcd_….slice/… (systemd).
    const uid = /pod([0-9a-f][-_0-9a-f]{31,35})(?=[./])/.exec(path)?.[1]?.replaceAll('_', '-')
    const throttled = values.get('nr_throttled')
    if (uid === undefined || throttled === undefined) return []
    const container = /(?:^|[-/])([0-9a-f]{64})(?:\.scope)?\/cpu\.stat$/.exec(path)?.[1]
    const periods = values.get('nr_periods')
    return [
      {
        podUid: uid,
        ...(container === undefined ? {} : { containerId: container }),
        throttledPeriods: throttled,
        throttledSeconds: (values.get('throttled_usec') ?? 0) / 1e6 + (values.get('throttled_time') ?? 0) / 1e9,
        ...(periods === undefined ? {} : { periods }),
        evidence,
      },
    ]
  })
}

/** First words of /proc/modules. */
export function parseModules(text: string): ReadonlySet<string> {
  return new Set(readLines(text).map((r) => r.value.split(' ')[0]!))
}

/** Lines of containerd's config.toml and crio.conf that name CNI folders. */
export function parseCniPlaces(text: string): NonNullable<NodeFiles['cniPlaces']> {
  const configDirs: string[] = []
  const binDirs: string[] = []
  for (const { text: line } of parseSettings(text, { artefact: '' })) {
    const m = /^([a-z_]+)\s*=\s*(.*)$/.exec(line)
    const into =
      m && /^(conf_dir|network_dir)$/.test(m[1]!)
        ? configDirs
        : m && /^(bin_dirs?|plugin_dirs?)$/.test(m[1]!)
          ? binDirs
          : null
    if (m && into) for (const q of m[2]!.matchAll(/["'](\/[^"']+)["']/g)) into.push(q[1]!.replace(/\/+$/, ''))
  }
  return { configDirs, binDirs }
}
