/** Reads a file of observed flows line by line: captures of a day do not fit in one string. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { ObservedFlows } from '../model/observed-flow.ts'
import { clean } from '../report/clean.ts'
import { UsageError } from './errors.ts'

/**
 * `-` is stdin. The first line that is no flow is told on stderr.
 * @throws UsageError when the file cannot be read or holds no flow
 */
export async function readFlows(file: string): Promise<ObservedFlows> {
  const { collectFlows } = await import('../flows/collect.ts')
  const collector = collectFlows()
  const input = file === '-' ? process.stdin : createReadStream(file)
  let number = 0
  let trouble: string | null = null
  try {
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
    for await (const line of lines) {
      number++
      const wrong = collector.line(line)
      if (wrong !== null) trouble ??= `${file}:${number}: ${wrong}`
    }
  } catch (e) {
    throw new UsageError(
      `${file}: ${(e as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (e as Error).message}`,
    )
  }
  const flows = collector.done()
  if (flows.flows.length === 0) throw new UsageError(trouble ?? `${file}: no flows in it`)
  if (trouble !== null) process.stderr.write(`netwhy: ${clean(trouble)}\n`)
  return flows
}
