/** `netwhy lab list`. */
import { stringify } from 'yaml'
import { describeLab, type LabDescription } from '../../lab/describe.ts'
import { FAULTS } from '../../lab/faults/index.ts'
import { labPlace } from '../../lab/plan.ts'
import { UsageError } from './errors.ts'

export function labList(what: string, format: string): void {
  if (what !== 'lab' && what !== 'faults') throw new UsageError(`'${what}' is neither lab nor faults`)
  const faults = () =>
    FAULTS.map(({ name, title, code, topologies, example }) => ({ name, code, title, topologies, example }))
  const value = what === 'faults' ? faults() : describeLab(labPlace(process.env))
  if (format === 'json') process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
  else if (format === 'yaml') process.stdout.write(stringify(value))
  else process.stdout.write(what === 'faults' ? faultTable() : labText(describeLab(labPlace(process.env))))
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((r) => r[i]!.length)))
  return rows
    .map(
      (r) =>
        `${r
          .map((c, i) => c.padEnd(widths[i]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('')
}

function faultTable(): string {
  return table([['NAME', 'CODE', 'WHAT BREAKS'], ...FAULTS.map((f) => [f.name, f.code, f.title])])
}

function labText(lab: LabDescription): string {
  if (lab.phase === 'absent')
    return lab.netns.length === 0
      ? 'No lab is up. `netwhy lab up` starts one.\n'
      : `No lab is up, but namespaces of one are left: ${lab.netns.join(', ')}. \`netwhy lab down\` clears them away.\n`
  if (lab.phase === 'starting')
    return 'A lab was cut short while starting, or is starting now. `netwhy lab down` clears it away.\n'
  const o = lab.options!
  const head = `Lab ${lab.phase}: ${o.topology}, kube-proxy ${o.proxy}, iptables-${o.iptables}, ${o.stack}\n`
  const broken = lab.faults.length > 0 ? `Broken: ${lab.faults.join(', ')}\n` : ''
  const pods = table([
    ['POD', 'NODE', 'ADDRESS', 'READY', 'NETNS'],
    ...lab.pods.map((p) => [p.name, p.node, p.addresses.join(','), p.ready ? 'yes' : 'no', p.netns]),
  ])
  const services = table([
    ['SERVICE', 'TYPE', 'CLUSTER-IP', 'PORTS', 'ENDPOINTS'],
    ...lab.services.map((s) => [s.name, s.type, s.clusterIPs.join(','), s.ports.join(','), s.endpoints.join(',')]),
  ])
  const policies = lab.policies.length > 0 ? `NetworkPolicies: ${lab.policies.join(', ')}\n` : ''
  return `${head}${broken}\n${pods}\n${services}${policies === '' ? '' : `\n${policies}`}`
}
