/** Running things again and again, each time in a fresh process: nothing is warm that would not be warm for a user. */
import { spawnSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'

export const RUNS = 5

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Figures by name; times in ms, memory in MB. */
export type Figures = Readonly<Record<string, number>>

/**
 * Runs this program again with `--probe NAME FILE` and reads the figures it prints as JSON; the median of five runs of
 * every figure. Throws with the probe's own words when one fails.
 */
export function probe(name: string, file: string): Figures {
  const all: Figures[] = []
  for (let i = 0; i < RUNS; i++) {
    const run = spawnSync(process.execPath, ['--expose-gc', process.argv[1]!, '--probe', name, file], {
      encoding: 'utf8',
    })
    if (run.status !== 0) throw new Error(`probe ${name}: ${run.stderr.trim() || `exit code ${run.status}`}`)
    all.push(JSON.parse(run.stdout) as Figures)
  }
  const names = Object.keys(all[0] ?? {})
  return Object.fromEntries(names.map((n) => [n, median(all.map((f) => f[n] ?? Number.NaN))]))
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** Exit codes that mean it did its work; default 0. */
  readonly exits?: readonly number[]
}

/**
 * Median wall times in ms of five runs of each program, in turn, so that other load on the machine meets all of them;
 * null for one that is missing or fails.
 */
export function wallTimes(programs: readonly Program[]): (number | null)[] {
  const times = programs.map((): number[] | null => [])
  for (let i = 0; i < RUNS; i++) {
    for (const [k, { command, args, exits = [0] }] of programs.entries()) {
      const start = performance.now()
      const run = spawnSync(command, args, { stdio: 'ignore' })
      const took = performance.now() - start
      if (run.error || run.status === null || !exits.includes(run.status)) times[k] = null
      else times[k]?.push(took)
    }
  }
  return times.map((t) => t && median(t))
}

/**
 * Milliseconds `work` takes, once: wall time or the processor time of this process, whichever is less. Both are upper
 * bounds of what it takes on an idle machine: wall time counts other load, processor time the collector's own threads.
 */
export function once(work: () => void): number {
  const cpu = process.cpuUsage()
  const start = performance.now()
  work()
  const wall = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return Math.min(wall, (user + system) / 1000)
}

/** Peak resident memory of this process, MB. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS / 1024
}
