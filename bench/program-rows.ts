/** Whole runs of the program, start to exit, against the public tool where one does the same work. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatIp } from '../src/base/ip.ts'
import { serviceIp } from './kube-proxy-save.ts'
import { wallTimes } from './measure.ts'
import { SERVICES } from './size.ts'
import type { Row } from './table.ts'

const cli = join(dirname(process.argv[1]!), 'cli.js')
const LOCAL = ['--local-ip', '172.30.0.11', '--in', 'cni0', '--out', 'flannel.1']

/** `netwhy rules eval` of one question against `iptables-restore --test` of the same file. */
export function evalRows(file: string): Row[] {
  const what = 'netwhy rules eval, whole program'
  const packet = [
    '--src',
    '10.244.254.5:40000',
    '--dst',
    `${formatIp(serviceIp(SERVICES - 1))}:80`,
    '--protocol',
    'tcp',
  ]
  const tools = ['iptables-nft-restore', 'iptables-legacy-restore']
  const [measured = null, ...restores] = wallTimes([
    { command: process.execPath, args: [cli, 'rules', 'eval', '--ruleset', file, ...LOCAL, ...packet] },
    ...tools.map((tool) => ({ command: 'unshare', args: ['-n', tool, '--test', file] })),
  ])
  if (measured === null) return [{ what, skipped: 'the command failed: run it by hand to see why' }]
  return tools.map((tool, i): Row => {
    const restore = restores[i] ?? null
    return restore === null
      ? { what, skipped: `${tool} is missing, or this is not root` }
      : { what, measured, unit: 'ms', tool: { name: `${tool} --test`, measured: restore } }
  })
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
  const [measured = null] = wallTimes([{ command: process.execPath, args, exits: [0, 1] }])
  return [
    measured === null
      ? { what, skipped: 'the command failed or could not tell' }
      : { what, measured, unit: 'ms', target: 500 },
  ]
}
