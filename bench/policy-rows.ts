/** All policies of a large cluster, from YAML, whole programs: the matrix, and single questions by the hundred thousand. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { median, RUNS } from './measure.ts'
import { policyClusterYaml } from './policy-cluster.ts'
import type { Row } from './table.ts'

const SIZE = { namespaces: 50, workloads: 400, pods: 2000, policies: 500 }
const QUERIES = 100_000
/** Prints the peak memory, in KB, of the program it is loaded into. */
const TELL = `data:text/javascript,process.on('exit',()=>{const u=process.resourceUsage();process.stderr.write('\\n'+u.maxRSS)})`

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
      const { took, memory } = measure(cli, ['matrix', file, '-o', format])
      rows.push({ what: `policy matrix -o ${format}, ${what}, 500 policies`, measured: took, unit: 'ms', target })
      rows.push({ what: '  peak memory', measured: memory, unit: 'MB', target: 400 })
    }
  }
  return [...rows, ...queryRows(cli, join(folder, 'policies-true.yaml'), folder)]
}

/** What the questions cost beyond loading: the run with all of them less the run with one. */
function queryRows(cli: string, file: string, folder: string): Row[] {
  const names = [...readFileSync(file, 'utf8').matchAll(/kind: Pod\nmetadata:\n {2}name: (\S+)\n {2}namespace: (\S+)/g)]
  const pod = (i: number) => `pod/${names[i % names.length]![2]}/${names[i % names.length]![1]}`
  const ask = (i: number) =>
    JSON.stringify({ from: pod(i * 7919), to: pod(i * 104729 + 13), protocol: 'tcp', port: 8080 })
  const many = join(folder, 'queries.jsonl')
  const one = join(folder, 'query.jsonl')
  writeFileSync(many, Array.from({ length: QUERIES }, (_, i) => `${ask(i)}\n`).join(''))
  writeFileSync(one, `${ask(0)}\n`)
  const all = measure(cli, ['check', file, '--queries', many])
  const load = measure(cli, ['check', file, '--queries', one])
  return [
    { what: 'load, one question', measured: load.took, unit: 'ms' },
    { what: '100,000 questions after load', measured: all.took - load.took, unit: 'ms', target: 1000 },
  ]
}

function measure(cli: string, args: readonly string[]): { readonly took: number; readonly memory: number } {
  const times: number[] = []
  const memories: number[] = []
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now()
    const run = spawnSync(process.execPath, ['--import', TELL, cli, 'policy', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    })
    const wall = performance.now() - start
    if (run.status !== 0) throw new Error(`policy matrix: ${run.stderr.trim()}`)
    const memory = Number(run.stderr.trim().split('\n').pop())
    times.push(wall)
    memories.push(memory / 1024)
  }
  return { took: median(times), memory: median(memories) }
}
