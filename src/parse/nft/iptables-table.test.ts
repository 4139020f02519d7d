import { describe, expect, it } from 'vitest'
import { isIptablesTable, parseNftText } from './index.ts'

const chain = (name: string, hook: string) =>
  `chain ${name} {\n type filter hook ${hook} priority filter; policy accept;\n ct status dnat counter packets 0 bytes 0 accept\n ct status dnat accept\n}\n`

describe('tables of iptables-nft', () => {
  it.each([
    ['table ip filter', chain('INPUT', 'input'), true],
    ['table ip6 filter', chain('INPUT', 'input') + chain('FORWARD', 'forward'), true],
    ['table ip filter', chain('input', 'input'), false],
    ['table ip filter', chain('INPUT', 'forward'), false],
    ['table ip filter', chain('INPUT', 'input') + chain('other', 'input'), false],
    ['table inet filter', chain('INPUT', 'input'), false],
    ['table ip kube-proxy', chain('INPUT', 'input'), false],
    ['table ip filter', 'chain KUBE-X { }', false],
  ])('%s %#', (head, body, wanted) => {
    const [table] = parseNftText(`${head} {\n${body}}\n`, 'x').tables
    expect(isIptablesTable(table!)).toBe(wanted)
    // iptables always counts; a rule without a counter was written for nft.
    for (const c of table!.chains.values())
      expect(c.rules().map((r) => r.parts[0]!.kind)).toEqual(c.base ? [wanted ? 'opaque' : 'ctStatus', 'ctStatus'] : [])
  })
})
