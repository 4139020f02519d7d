/** `netwhy guard init`: a file of expectations to begin with, from what the policies allow now. */
import { lookUpIn } from './guard-load.ts'
import { loadPolicyObjects, type PolicySourceOptions, warnOf } from './policy-source.ts'

/** Prints the proposal. @throws UsageError */
export async function guardInit(paths: readonly string[], options: PolicySourceOptions): Promise<number> {
  const { objects, issues } = await loadPolicyObjects(paths, options)
  warnOf(issues)
  const { propose } = await import('../diagnose/guard/propose.ts')
  process.stdout.write(propose(objects, lookUpIn(objects, options.namespace ?? 'default')))
  return 0
}
