/** `netwhy lab exec`, `apply` and `delete`. */
import { readFileSync } from 'node:fs'
import { applyObjects, deleteObject } from '../../lab/apply.ts'
import { execIn } from '../../lab/exec.ts'
import { parseManifests } from '../../lab/manifests.ts'
import { labPlace } from '../../lab/plan.ts'
import { requireUp } from '../../lab/state.ts'
import { UsageError } from './errors.ts'

export async function labExec(where: string, command: readonly string[]): Promise<void> {
  const place = labPlace(process.env)
  requireUp(place)
  process.exitCode = await execIn(place, where, command)
}

export async function labApply(file: string): Promise<void> {
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (e) {
    throw new UsageError(`${file}: ${(e as Error).message}`)
  }
  for (const line of await applyObjects(labPlace(process.env), parseManifests(text, file)))
    process.stdout.write(`${line}\n`)
}

export async function labDelete(kind: string, name: string): Promise<void> {
  process.stdout.write(`${await deleteObject(labPlace(process.env), kind, name)}\n`)
}
