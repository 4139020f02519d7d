/** Whole runs of the program, start to exit, against the public tool where one does the same work. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatIp } from '../src/base/ip.ts'
import type { LargeSave } from './kube-proxy-save.ts'
import { wallTime } from './measure.ts'
import type { Row } from './table.ts'

const cli = join(dirname(process.argv[1]!), 'cli.js')
const LOCAL = ['--local-ip', '172.30.0.11', '--in', 'cni0', '--out', 'flannel.1']

/** `netwhy rules eval` of one question against `iptables-restore --test` of the same file: both read all of it. */
export function evalRows(file: string, save: LargeSave): Row[] {
  const what = 'netwhy rules eval, whole program'
  const { ip, port } = save.services.at(-1)!
  const packet = ['--src', '10.244.254.5:40000', '--dst', `${formatIp(ip)}:${port}`, '--protocol', 'tcp']
  const measured = wallTime(process.execPath, [cli, 'rules', 'eval', '--ruleset', file, ...LOCAL, ...packet])
  if (measured === null) return [{ what, skipped: 'the command failed: run it by hand to see why' }]
  const rows: Row[] = []
  for (const tool of ['iptables-nft-restore', 'iptables-legacy-restore']) {
    const restore = wallTime('unshare', ['-n', tool, '--test', file])
    if (restore !== null) rows.push({ what, measured, unit: 'ms', tool: { name: `${tool} --test`, measured: restore } })
  }
  return rows.length > 0 ? rows : [{ what, skipped: 'iptables-restore is missing, or this is not root' }]
}

/** `netwhy why` on a recorded snapshot. */
export function whyRows(snapshot: string | null): Row[] {
  const what = 'netwhy why on a three-node snapshot, whole program'
  if (snapshot === null || !existsSync(snapshot))
    return [
      {
        what,
        skipped: 'needs a snapshot: netwhy lab up; netwhy snapshot --lab -o PATH; npm run bench -- --snapshot PATH',
      },
    ]
  const args = [cli, 'why', 'pod/tools/client', 'svc/shop/web:80', '--snapshot', snapshot, '-o', 'json']
  const measured = wallTime(process.execPath, args, [0, 1])
  return [
    measured === null
      ? { what, skipped: 'the command failed or could not tell' }
      : { what, measured, unit: 'ms', target: 500 },
  ]
}
