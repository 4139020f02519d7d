import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { parseIpsetSave } from './index.ts'

/** Fills sets from `create` and `add` lines in a netns that vanishes with the command, and gives back `ipset save`. */
function throughTheKernel(lines: string): string {
  return execFileSync('unshare', ['-n', 'sh', '-c', 'ipset -exist restore && ipset save'], {
    input: lines,
    encoding: 'utf8',
  })
}

describe('ipset save of the real kernel', () => {
  it('gives every ICMP type and code back as the number that went in', () => {
    const wanted: number[] = []
    const lines = ['create s hash:ip,port', 'create t hash:ip,port family inet6']
    for (let type = 0; type < 20; type++)
      for (let code = 0; code < 17; code++) {
        wanted.push(type * 256 + code, (type + 125) * 256 + code)
        lines.push(`add s 10.0.0.1,icmp:${type}/${code}`, `add t fd00::1,icmpv6:${type + 125}/${code}`)
      }
    for (let type = 1; type < 5; type++)
      for (let code = 0; code < 9; code++) {
        wanted.push(type * 256 + code)
        lines.push(`add t fd00::1,icmpv6:${type}/${code}`)
      }
    const { value, issues } = parseIpsetSave(throughTheKernel(`${lines.join('\n')}\n`), 'x')
    const got = [...value.values()].flatMap((s) =>
      s.entries().map((e) => (e.parts[1]?.kind === 'port' ? e.parts[1].from : -1)),
    )
    expect(issues).toEqual([])
    expect(got.sort((a, b) => a - b)).toEqual(wanted.sort((a, b) => a - b))
  })

  it('covers the same addresses after the kernel split a range', () => {
    const { value } = parseIpsetSave(throughTheKernel('create s hash:net\nadd s 10.0.0.3-10.0.1.77\n'), 'x')
    const total = value
      .get('s')!
      .entries()
      .map((e) => (e.parts[0]?.kind === 'net' ? e.parts[0].to.d - e.parts[0].from.d + 1 : Number.NaN))
      .reduce((a, b) => a + b, 0)
    expect(total).toBe(256 + 77 + 1 - 3)
  })
})
