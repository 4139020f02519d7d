import { Argument, Command, Option } from 'commander'
import { describe, expect, it } from 'vitest'
import { complete, printCompletion } from './complete.ts'

const program = new Command('netwhy').option('--color <when>', 'colour')
const lab = program.command('lab').description('The lab\nmore')
lab.command('up').addOption(new Option('--topology <t>', 'network').choices(['flannel', 'calico']))
lab.command('break').addArgument(new Argument('<fault>', 'what').choices(['fdb-missing', 'link-down']))
program
  .command('why')
  .argument('<from>', 'source')
  .argument('<to>', 'target')
  .option('-o, --output <format>', 'format')
  .option('--snapshot <path>', 'a snapshot')

const words = (...w: string[]) => complete(program, w).candidates.map((c) => c.word)

describe('completion', () => {
  it.each<[string[], string[]]>([
    [[''], ['lab', 'why']],
    [['l'], ['lab']],
    [
      ['lab', ''],
      ['up', 'break'],
    ],
    [['lab', 'up', '--topology', 'f'], ['flannel']],
    [['lab', 'break', 'l'], ['link-down']],
    [['why', '--o'], ['--output']],
    [['why', 'pod/a', ''], []],
    [['--color', 'always', 'l'], ['lab']],
  ])('%j', (given, want) => expect(words(...given)).toEqual(want))

  it('asks for files only where a file is wanted', () => {
    expect(complete(program, ['why', '--snapshot', '']).directive).toBe(0)
    expect(complete(program, ['why', '-o', '']).directive).toBe(4)
  })
  it('prints candidates, descriptions and the directive', () => {
    expect(printCompletion(complete(program, ['l']))).toBe('lab\tThe lab\n:4\n')
  })
})
