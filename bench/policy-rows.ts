/** The matrix of all policies of a large cluster, from YAML, whole programs. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { median, RUNS } from './measure.ts'
import { policyClusterYaml } from './policy-cluster.ts'
import type { Row } from './table.ts'

const SIZE = { namespaces: 50, workloads: 400, pods: 2000, policies: 500 }
/** Prints the peak memory of the program it is loaded into, KB. */
const TELL_MEMORY = `data:text/javascript,process.on('exit',()=>process.stderr.write('\\n'+process.resourceUsage().maxRSS+'\\n'))`

/** Targets: issue 4, "Speed". The output goes nowhere, as `> /dev/null`. */
export function policyRows(folder: string): Row[] {
  const cli = join(dirname(process.argv[1]!), 'cli.js')
  const rows: Row[] = []
  for (const { owned, what, target } of [
    { owned: true, what: '2,000 pods of 400 workloads', target: 1000 },
    { owned: false, what: '2,000 pods without owners', target: 3000 },
  ]) {
    const file = join(folder, `policies-${owned}.yaml`)
    writeFileSync(file, policyClusterYaml({ ...SIZE, owned }))
    for (const format of ['json', 'csv']) {
      const { wall, memory } = measure(cli, file, format)
      rows.push({ what: `policy matrix -o ${format}, ${what}, 500 policies`, measured: wall, unit: 'ms', target })
      rows.push({ what: '  peak memory', measured: memory, unit: 'MB', target: 400 })
    }
  }
  return rows
}

function measure(cli: string, file: string, format: string): { readonly wall: number; readonly memory: number } {
  const walls: number[] = []
  const memories: number[] = []
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now()
    const run = spawnSync(process.execPath, ['--import', TELL_MEMORY, cli, 'policy', 'matrix', file, '-o', format], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    })
    walls.push(performance.now() - start)
    if (run.status !== 0) throw new Error(`policy matrix: ${run.stderr.trim()}`)
    memories.push(Number(run.stderr.trim().split('\n').pop()) / 1024)
  }
  return { wall: median(walls), memory: median(memories) }
}
