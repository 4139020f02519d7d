/** The matrix of all policies of a large cluster, from YAML, whole programs. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { median, RUNS } from './measure.ts'
import { policyClusterYaml } from './policy-cluster.ts'
import type { Row } from './table.ts'

const SIZE = { namespaces: 50, workloads: 400, pods: 2000, policies: 500 }
/** Prints what the program it is loaded into has used: peak memory in KB, processor time in µs. */
const TELL = `data:text/javascript,process.on('exit',()=>{const u=process.resourceUsage();process.stderr.write('\\n'+u.maxRSS+' '+(u.userCPUTime+u.systemCPUTime))})`

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
      const { took, memory } = measure(cli, file, format)
      rows.push({ what: `policy matrix -o ${format}, ${what}, 500 policies`, measured: took, unit: 'ms', target })
      rows.push({ what: '  peak memory', measured: memory, unit: 'MB', target: 400 })
    }
  }
  return rows
}

function measure(cli: string, file: string, format: string): { readonly took: number; readonly memory: number } {
  const times: number[] = []
  const memories: number[] = []
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now()
    const run = spawnSync(process.execPath, ['--import', TELL, cli, 'policy', 'matrix', file, '-o', format], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    })
    const wall = performance.now() - start
    if (run.status !== 0) throw new Error(`policy matrix: ${run.stderr.trim()}`)
    const [memory, processor] = run.stderr.trim().split('\n').pop()!.split(' ').map(Number)
    // Wall time counts other load, processor time the collector's own threads: both are upper bounds.
    times.push(Math.min(wall, processor! / 1000))
    memories.push(memory! / 1024)
  }
  return { took: median(times), memory: median(memories) }
}
