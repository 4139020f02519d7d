import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shellQuote } from './quote.ts'
import { commandOn, isNetnsName, isSshTarget } from './reach.ts'

const hostile = ['', ' ', "'", `a'b"c`, '$(id)', '`id`', 'a;b', '-x', '*', '~', '\\', '\n', 'é', '!x', '#', '&&', '>f']

test('a shell gives back every argument as it was', () => {
  const argument = fc
    .array(fc.oneof(fc.integer({ min: 1, max: 0x2ff }), fc.integer({ min: 32, max: 126 })), { maxLength: 20 })
    .map((c) => String.fromCodePoint(...c))
  const echo = (args: readonly string[]) =>
    execFileSync('sh', ['-c', `printf '%s\\0' ${args.map(shellQuote).join(' ')}`]).toString('utf8')
  const joined = (args: readonly string[]) => args.map((a) => `${a}\0`).join('')
  const any = fc.sample(argument, 300)
  for (const args of [hostile, any]) expect(echo(args)).toBe(joined(args))
})

test('a NUL byte is refused', () => expect(() => shellQuote('a\0b')).toThrow('NUL'))

test('ssh gets the command as one quoted word list after the target', () => {
  const { program, args } = commandOn({ kind: 'ssh', target: 'root@n1', port: 2222 }, ['sh', '-c', 'a b'], 7)
  expect(program).toBe('ssh')
  expect(args.slice(-3)).toEqual(['--', 'root@n1', "sh -c 'a b'"])
  expect(args).toContain('BatchMode=yes')
  expect(args).toContain('ConnectTimeout=7')
})

test.each(['-oProxyCommand=id', 'a b', '', 'a;b', 'a\nb', '$(id)'])('%j is no ssh target', (t) =>
  expect(isSshTarget(t)).toBe(false),
)
test.each(['root@10.0.0.11', 'node1', 'core@[fd00::1]'])('%s is an ssh target', (t) =>
  expect(isSshTarget(t)).toBe(true),
)
test.each(['../x', '-x', 'a/b', '', 'a b'])('%j is no netns name', (t) => expect(isNetnsName(t)).toBe(false))
