/** Runs one program to its end with text on its standard input. */
import { spawn } from 'node:child_process'
import { LabError } from './errors.ts'

export interface RunOptions {
  readonly input?: string
  readonly signal?: AbortSignal
  /** Accept a non-zero exit; the answer says which. */
  readonly mayFail?: boolean
}

export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Rejects with a LabError naming the program and its first line of complaint when it cannot start or exits non-zero. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file, ...args] = command as [string, ...string[]]
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'pipe', signal: options.signal })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (d: Buffer) => out.push(d))
    child.stderr.on('data', (d: Buffer) => err.push(d))
    child.on('error', (e) => reject(new LabError(4, `${file}: ${e.message}`, { cause: e })))
    child.on('close', (code, signal) => {
      const stdout = Buffer.concat(out).toString()
      const stderr = Buffer.concat(err).toString()
      if (code === 0 || (options.mayFail && code !== null)) return resolve({ code: code ?? 0, stdout, stderr })
      const why = stderr.trim().split('\n')[0] || (signal ? `killed by ${signal}` : `exit code ${code}`)
      reject(new LabError(4, `${command.slice(0, 5).join(' ')}: ${why}`))
    })
    // A program that stops reading early reports that itself; its broken pipe is not news.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** Runs a POSIX shell script inside a network namespace, stopping at its first failure. */
export function script(netns: string, text: string, signal?: AbortSignal): Promise<RunResult> {
  return run(['ip', 'netns', 'exec', netns, 'sh', '-eu', '-s'], { input: text, signal })
}
