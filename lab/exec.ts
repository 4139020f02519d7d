/** Runs a program where a node or a pod is. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { LabError } from './errors.ts'
import { type LabPlace, nodeNetns, podNetns } from './plan.ts'
import { requireRoot } from './state.ts'

/** The namespace `node/NAME` or `pod/NS/NAME` stands for (`outside` and `fabric` count as nodes); a LabError when there is none. */
export function netnsOf(place: LabPlace, ref: string): string {
  const [kind, a, b, ...more] = ref.split('/')
  let name: string | undefined
  if (kind === 'node' && a && b === undefined) name = nodeNetns(place, a)
  if (kind === 'pod' && a && b && more.length === 0) name = podNetns(place, a, b)
  if (name === undefined) throw new LabError(2, `'${ref}' is neither node/NAME nor pod/NAMESPACE/NAME`)
  if (!existsSync(`/run/netns/${name}`)) throw new LabError(2, `${ref} is not in the lab`)
  return name
}

/** Runs a command there on this process's own terminal. The exit code; 128 + number for a signal, as a shell says it. */
export function execIn(place: LabPlace, ref: string, command: readonly string[]): Promise<number> {
  requireRoot()
  const netns = netnsOf(place, ref)
  return new Promise((resolve, reject) => {
    const child = spawn('ip', ['netns', 'exec', netns, ...command], { stdio: 'inherit' })
    // The terminal sends an interrupt to the child as well; it decides what it means.
    const ignore = () => {}
    process.on('SIGINT', ignore)
    child.on('error', (e) => reject(new LabError(4, `ip: ${e.message}`, { cause: e })))
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore)
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0))
    })
  })
}
