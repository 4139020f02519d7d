/** The command line: `netwhy`, or `kubectl netwhy` when run under the name kubectl-netwhy. */
import { basename } from 'node:path'
import { Command, CommanderError } from 'commander'
import { complete, printCompletion } from './complete.ts'
import { declareCompletion } from './completion.ts'
import { declareDoctor } from './doctor.ts'
import { declareGuard } from './guard.ts'
import { declareInventory } from './inventory.ts'
import { declareLinks } from './inventory-views.ts'
import { declareLab } from './lab.ts'
import { declareMatrix } from './matrix.ts'
import { declarePolicy } from './policy.ts'
import { declareRules } from './rules.ts'
import { declareSnapshot } from './snapshot.ts'
import { declareWalk } from './walk.ts'
import { declareWhy } from './why.ts'

export function buildProgram(name: string): Command {
  const program = new Command(name)
    .description('Why can A not reach B? Follows a Kubernetes connection hop by hop through real node state.')
    .version('0.1.0', '--version', 'Print the version')
    .helpOption('-h, --help', 'Show help')
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, `${name}: `)) })
  declareWhy(program)
  declareWalk(program)
  declareMatrix(program)
  declareDoctor(program)
  declareInventory(program)
  declareLinks(program)
  declareRules(program)
  declarePolicy(program)
  declareGuard(program)
  declareSnapshot(program)
  declareLab(program)
  declareCompletion(program)
  return program
}

/** Longest error printed, in UTF-16 units. */
const MESSAGE_LIMIT = 1000

async function main(): Promise<number> {
  const name = basename(process.argv[1] ?? '').startsWith('kubectl-netwhy') ? 'kubectl netwhy' : 'netwhy'
  process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 4))
  if (process.argv[2] === '__complete') {
    process.stdout.write(printCompletion(complete(buildProgram(name), process.argv.slice(3))))
    return 0
  }
  try {
    await buildProgram(name).parseAsync(process.argv)
    return Number(process.exitCode ?? 0)
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2
    const code = (e as { code?: unknown }).code
    if (code === 2 || code === 4) {
      // Messages quote files and names, which may hold anything.
      const { clean, cleanBlock } = await import('../report/clean.ts')
      const { message } = e as Error
      process.stderr.write(`${name}: ${code === 2 ? clean(message, MESSAGE_LIMIT) : cleanBlock(message)}\n`)
      return code
    }
    process.stderr.write(`${name}: internal error: ${(e as Error).stack ?? String(e)}\n`)
    return 4
  }
}

process.exitCode = await main()
