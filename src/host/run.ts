/** Runs one program to its end: bounded in time and output, abortable, never through a shell. */
import { spawn } from 'node:child_process'

export interface RunOptions {
  /** Written to the program's standard input, which is then closed. Empty: closed at once. */
  readonly stdin?: string
  /** Milliseconds after which the program is stopped. */
  readonly timeout: number
  /** Most bytes of standard output kept; more stops the program. */
  readonly maxOutput: number
  readonly signal?: AbortSignal
  /** Variables on top of this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Called with standard output as it comes, decoded. */
  readonly onOutput?: (text: string) => void
}

export interface RunResult {
  readonly stdout: Buffer
  /** At most 64 KiB. */
  readonly stderr: string
  /** Null when it did not end by itself. */
  readonly exitCode: number | null
  /** Why it did not end by itself. */
  readonly stopped: 'timeout' | 'output-limit' | 'aborted' | 'signal' | null
  /** Set when the program could not be started at all. */
  readonly startError?: string
  /** Milliseconds. */
  readonly elapsed: number
}

const MAX_STDERR = 64 * 1024
/** Milliseconds between TERM and KILL: a collector removes its temporary folder on TERM. */
const GRACE = 2000

/**
 * Never rejects: failure to start, time limit, abort and exit codes are all in the result. The program runs in a process
 * group of its own, which is what gets stopped, so that its children go with it.
 */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const began = performance.now()
  return new Promise((resolve) => {
    const out: Buffer[] = []
    let outBytes = 0
    let err = ''
    let stopped: RunResult['stopped'] = null
    const ended = (exitCode: number | null, startError?: string) => {
      clearTimeout(timer)
      clearTimeout(killer)
      options.signal?.removeEventListener('abort', onAbort)
      const stdout = Buffer.concat(out)
      resolve({ stdout, stderr: err, exitCode, stopped, startError, elapsed: performance.now() - began })
    }
    const child = spawn(program, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    })
    const kill = (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal)
      } catch {
        // The group is gone already.
      }
    }
    let killer: NodeJS.Timeout | undefined
    const stop = (why: NonNullable<RunResult['stopped']>) => {
      if (stopped !== null) return
      stopped = why
      kill('SIGTERM')
      killer = setTimeout(() => {
        kill('SIGKILL')
        child.stdout.destroy()
        child.stderr.destroy()
      }, GRACE)
    }
    const timer = setTimeout(() => stop('timeout'), options.timeout)
    const onAbort = () => stop('aborted')
    options.signal?.addEventListener('abort', onAbort)
    if (options.signal?.aborted) stop('aborted')
    child.on('error', (e) => {
      if (child.pid === undefined) ended(null, e.message)
    })
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length
      if (outBytes > options.maxOutput) stop('output-limit')
      else {
        out.push(chunk)
        options.onOutput?.(chunk.toString('utf8'))
      }
    })
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (chunk: string) => {
      if (err.length < MAX_STDERR) err += chunk.slice(0, MAX_STDERR - err.length)
    })
    child.on('close', (code, signal) => {
      if (child.pid === undefined) return
      if (signal !== null) stopped ??= 'signal'
      ended(stopped === null ? code : null)
    })
    child.stdin.on('error', () => {
      // The program ended without reading all of its input; its exit code tells.
    })
    child.stdin.end(options.stdin ?? '')
  })
}
