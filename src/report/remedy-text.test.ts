import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { commandLines, placeWords, remedyLines } from './remedy-text.ts'
import { styleFor } from './style.ts'

describe('commandLines', () => {
  it.each([
    ["printf '%s\\n' a b c dddddddddddddddddddd eeeeeeeeeeeeeeeeeeeeeeeeeeeee f"],
    ['printf "%s|" "a b" \'c  d\' -m comment --comment "default deny \\" web2" -j DROP'],
    ['printf \'%s\' \'{"spec":{"selector":{"app":"web","tier":"front end"}}}\' x y z'],
  ])('is the same command to the shell: %s', (command) => {
    const lines = commandLines(command, 30)
    expect(lines.length).toBeGreaterThan(1)
    const run = (c: string) => spawnSync('sh', ['-c', c], { encoding: 'utf8' }).stdout
    expect(run(lines.join('\n'))).toBe(run(command))
  })

  it('keeps to the width unless a quoted word is longer', () => {
    const lines = commandLines('iptables -t filter -D FORWARD -s 10.244.0.0/16 -d 10.244.2.0/24 -p tcp -j DROP', 40)
    expect(lines.every((l) => l.length <= 40)).toBe(true)
    expect(commandLines(`kubectl patch -p '${'x'.repeat(60)}'`, 40).at(-1)).toBe(`  -p '${'x'.repeat(60)}'`)
  })
})

it('says where to type and what came of the trial', () => {
  expect(placeWords({ kubectl: true })).toBe('With kubectl:')
  const lines = remedyLines(
    {
      text: 'Remove the rule.',
      commands: ['iptables -D INPUT 1'],
      on: { node: 'node2', pod: 'default/web2' },
      verified: false,
      breaks: ['pod/default/web1 → svc/default/web:80'],
    },
    styleFor(false),
    80,
  )
  expect(lines).toEqual([
    'To do  Remove the rule.',
    '       On node2, in the network of pod default/web2 (nsenter -t PID -n):',
    '         iptables -D INPUT 1',
    '       ! tried on the model: it would break pod/default/web1 →',
    '         svc/default/web:80',
  ])
})
