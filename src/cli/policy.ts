import type { Command } from 'commander'
import { declareGuard } from './guard.ts'
import { declarePolicyCheck } from './policy-check.ts'
import { declarePolicyDiff } from './policy-diff.ts'
import { declarePolicyGenerate } from './policy-generate.ts'
import { declarePolicyLint } from './policy-lint.ts'
import { declarePolicyMatrix } from './policy-matrix.ts'
import { declarePolicyWhatIf } from './policy-what-if.ts'

/** Declares `netwhy policy` and its subcommands. */
export function declarePolicy(program: Command): void {
  const policy = program
    .command('policy')
    .description('Answer from NetworkPolicy and its relatives: who may connect, and which rule says so')
  declarePolicyCheck(policy)
  declarePolicyLint(policy)
  declarePolicyMatrix(policy)
  declarePolicyWhatIf(policy)
  declarePolicyDiff(policy)
  declarePolicyGenerate(policy)
  declareGuard(policy)
}
