/** Sections `# ethtool -i|-k|-S DEVICE` of ethtool(8) output. */
import type { Evidence } from '../../model/evidence.ts'
import type { EthtoolDevice } from '../../model/node-files.ts'
import { evidenceOf, type Origin, readLines } from '../rows.ts'

interface Draft {
  driver?: string
  features: Map<string, { on: boolean; fixed: boolean; evidence: Evidence }>
  counters: Map<string, { value: number; evidence: Evidence }>
}

export function parseEthtool(text: string, origin: Origin): ReadonlyMap<string, EthtoolDevice> {
  const devices = new Map<string, Draft>()
  let option = ''
  let device: Draft | undefined
  for (const row of readLines(text)) {
    const header = /^# ethtool -([ikS]) (\S+)$/.exec(row.value)
    if (header) {
      option = header[1]!
      device = devices.get(header[2]!) ?? { features: new Map(), counters: new Map() }
      devices.set(header[2]!, device)
      continue
    }
    const m = /^\s*([^:]+):\s*(.*)$/.exec(row.value)
    if (!device || !m) continue
    const evidence = evidenceOf(origin, row)
    if (option === 'i') {
      if (m[1] === 'driver') device.driver = m[2]!
    } else if (option === 'k') {
      const state = /^(on|off)(?: \[(.*)\])?$/.exec(m[2]!)
      if (state)
        device.features.set(m[1]!.trim(), { on: state[1] === 'on', fixed: /fixed/.test(state[2] ?? ''), evidence })
    } else if (/^\d{1,20}$/.test(m[2]!)) device.counters.set(m[1]!.trim(), { value: Number(m[2]), evidence })
  }
  return devices
}
