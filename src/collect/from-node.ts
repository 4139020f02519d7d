/** One node: the collector sent there and its answer taken apart. */
import { commandOn, describeVia } from '../host/reach.ts'
import { run } from '../host/run.ts'
import { MAX_SNAPSHOT_BYTES, SnapshotFormatError } from '../snapshot/entries.ts'
import { type NodeEvidence, nodeEvidence } from '../snapshot/node-evidence.ts'
import { readTar } from '../snapshot/tar-read.ts'
import collector from './collect.sh'
import type { Inventory, InventoryPod } from './inventory.ts'

export interface FromNodeOptions {
  readonly signal?: AbortSignal
  /** Seconds the collector may take on the node. */
  readonly timeoutSeconds: number
  /** Program text to run instead of the bundled collector. */
  readonly collector?: string
}

/** Seconds beyond the collector's own limit: connecting, its last command, and sending the result. */
const SLACK = 20
const CONNECT_TIMEOUT = 10

/** Evidence of the node, or a sentence why there is none. */
export async function collectFromNode(
  node: Inventory['nodes'][number],
  pods: readonly InventoryPod[],
  options: FromNodeOptions,
): Promise<NodeEvidence | { error: string }> {
  const scope = node.via.kind === 'netns' ? 'netns' : 'machine'
  const args = ['--node', node.name, '--scope', scope, '--timeout', String(options.timeoutSeconds)]
  for (const p of pods) {
    const where = p.via.kind === 'netns' ? `netns:${p.via.name}` : `pid:${p.via.pid}`
    args.push('--pod', `${p.namespace}/${p.name}=${where}`)
  }
  const { program, args: argv } = commandOn(node.via, ['sh', '-s', '--', ...args], CONNECT_TIMEOUT)
  const result = await run(program, argv, {
    stdin: options.collector ?? collector,
    timeout: (options.timeoutSeconds + SLACK) * 1000,
    maxOutput: MAX_SNAPSHOT_BYTES,
    signal: options.signal,
  })
  const via = describeVia(node.via)
  const said = result.stderr.trim().split('\n').slice(-1)[0]?.slice(0, 300) ?? ''
  if (result.startError !== undefined) return { error: `${via}: cannot run ${program}: ${result.startError}` }
  switch (result.stopped) {
    case 'timeout':
      return { error: `${via}: no answer within ${Math.round(result.elapsed / 1000)} s` }
    case 'output-limit':
      return { error: `${via}: sent more than ${MAX_SNAPSHOT_BYTES} bytes` }
    case 'aborted':
      return { error: `${via}: stopped` }
    case 'signal':
      return { error: `${via}: the collector was killed${said ? `: ${said}` : ''}` }
    case null:
  }
  if (result.stdout.length === 0) return { error: `${via}: ${said || `sent nothing, exit code ${result.exitCode}`}` }
  try {
    return nodeEvidence(readTar(result.stdout), node.name, node.name)
  } catch (e) {
    if (!(e instanceof SnapshotFormatError)) throw e
    return { error: `${via}: sent something that is no tar archive (${e.message})${said ? `: ${said}` : ''}` }
  }
}
