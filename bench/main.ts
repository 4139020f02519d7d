/**
 * Measures netwhy: `npm run bench [-- --snapshot PATH] [-- --only parse|eval|trace|why|policy]`. Every figure is the median of five
 * runs in fresh processes. Exit code 1 when a target is missed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kubeProxySave } from './kube-proxy-save.ts'
import { parseProbes, parseRows } from './parse-rows.ts'
import { policyRows } from './policy-rows.ts'
import { evalRows, whyRows } from './program-rows.ts'
import { ENDPOINTS, SERVICES } from './size.ts'
import { type Row, renderTable } from './table.ts'
import { traceProbes, traceRows } from './trace-rows.ts'

const probes = { ...parseProbes, ...traceProbes }

function main(): number {
  const { values, positionals } = parseArgs({
    options: { probe: { type: 'string' }, snapshot: { type: 'string' }, only: { type: 'string' } },
    allowPositionals: true,
  })
  if (values.probe !== undefined) {
    const run = probes[values.probe]
    if (!run || !positionals[0]) throw new Error('usage: --probe NAME FILE')
    process.stdout.write(JSON.stringify(run(positionals[0])))
    return 0
  }
  const folder = mkdtempSync(join(tmpdir(), 'netwhy-bench-'))
  try {
    const file = join(folder, 'iptables-save.txt')
    const save = kubeProxySave(SERVICES, ENDPOINTS)
    writeFileSync(file, save.text)
    const megabytes = (save.text.length / 1e6).toFixed(1)
    process.stdout.write(
      `Node ${process.version}, ${cpus().length} CPUs, load ${loadavg()[0]!.toFixed(1)}. kube-proxy rules of ${SERVICES} Services with ${ENDPOINTS} endpoints each: ` +
        `${save.rules} rules in ${save.chains} chains, ${megabytes} MB\n\n`,
    )
    const groups: Record<string, () => Row[]> = {
      parse: () => parseRows(file, save.rules),
      trace: () => traceRows(file),
      eval: () => evalRows(file),
      why: () => whyRows(values.snapshot ?? null),
      policy: () => policyRows(folder),
    }
    const rows: Row[] = []
    for (const [name, measure] of Object.entries(groups)) {
      if (values.only !== undefined && values.only !== name) continue
      process.stderr.write(`measuring: ${name}\n`)
      rows.push(...measure())
    }
    const table = renderTable(rows)
    process.stdout.write(table)
    return table.includes('MISSED') ? 1 : 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = main()
