import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp } from '../../base/ip.ts'
import type { IpSetEntry, IpSetPart } from '../../model/ruleset.ts'
import { parseIpsetSave } from './index.ts'

const part = (p: IpSetPart): string => {
  switch (p.kind) {
    case 'net':
      return `${formatIp(p.from)}-${formatIp(p.to)}`
    case 'port':
      return `${p.protocol}:${p.from}-${p.to}`
    case 'mac':
      return p.mac
    case 'link':
      return `link ${p.name}`
    case 'mark':
      return `mark ${p.value}`
    case 'set':
      return `set ${p.name}`
    case 'opaque':
      return `? ${p.why}`
  }
}
const show = (e: IpSetEntry) => `${e.line} ${e.nomatch ? '! ' : ''}${e.parts.map(part).join(' , ')}`

function read(text: string) {
  const { value, issues } = parseIpsetSave(text, 'ipset-save.txt')
  const sets = Object.fromEntries([...value.values()].map((s) => [s.name, s.entries().map(show)]))
  return { sets, issues: issues.map((i) => `${i.line} ${i.message}`), value }
}

describe('ipset save', () => {
  it('reads what ipset 7.17 printed for every type of this kernel', () => {
    const { sets, issues, value } = read(readFileSync(new URL('fixtures/all-types.txt', import.meta.url), 'utf8'))
    expect(sets).toEqual({
      a: ['3 10.0.0.1-10.0.0.1'],
      opts: ['5 10.0.0.0-10.255.255.255', '6 ! 10.1.0.0-10.1.255.255'],
      ranges: ['8 10.9.0.0-10.9.0.255', '9 10.9.1.0-10.9.1.3'],
      ports: [
        '11 10.0.0.1-10.0.0.1 , 252:0-0',
        '12 10.0.0.1-10.0.0.1 , 47:0-0',
        '13 10.0.0.1-10.0.0.1 , 6:80-80',
        '14 10.0.0.1-10.0.0.1 , 6:81-81',
        '15 10.0.0.1-10.0.0.1 , 1:8449-8449',
        '16 10.0.0.1-10.0.0.1 , 1:2048-2048',
        '17 10.0.0.1-10.0.0.1 , 132:9-9',
      ],
      ports6: [
        '19 fd00::1-fd00::1 , 6:80-80',
        '20 fd00::1-fd00::1 , 58:32768-32768',
        '21 fd00::1-fd00::1 , 58:51203-51203',
      ],
      loop: ['23 10.0.0.1-10.0.0.1 , 17:53-53 , 10.0.0.2-10.0.0.2'],
      src: ['25 10.0.0.1-10.0.0.1 , 136:53-53 , 10.0.0.0-10.0.0.255'],
      np: ['27 ! 10.0.0.0-10.0.0.255 , 17:53-53'],
      iface: [
        '29 0.0.0.0-255.255.255.255 , link lo',
        '30 10.0.1.0-10.0.1.255 , link physdev:eth0',
        '31 10.0.2.0-10.0.2.255 , ? a link name that is a prefix is not modelled',
      ],
      net6: ['33 fd00::-fd00::ffff:ffff:ffff:ffff'],
      bip: ['35 10.0.0.5-10.0.0.5'],
      bnet: ['37 10.0.5.0-10.0.5.255'],
      bmac: [
        '39 10.0.0.5-10.0.0.5 , 00:11:22:33:44:ee',
        '40 10.0.0.6-10.0.0.6 , ? the MAC address is not filled in yet',
      ],
      bport: ['42 null:80-80'],
      masked: ['44 10.0.5.0-10.0.5.255'],
      holes: ['46 ? option bitmask 255.255.0.255 of the set is not modelled'],
      'y z': ['48 1.2.3.4-1.2.3.4'],
      'hash:ip x': [],
      'KUBE-CLUSTER-IP': ['51 10.96.0.10-10.96.0.10 , 17:53-53'],
      list: ['53 set a', '54 set y z'],
    })
    expect(issues.map((i) => i.split(' ')[0])).toEqual(['31', '40', '46'])
    expect([value.get('src')?.type, value.get('src')?.line, value.get('net6')?.family]).toEqual([
      'hash:ip,port,net',
      24,
      6,
    ])
  })

  const rows: [string, string, string[]][] = [
    ['range', 'hash:ip family inet', ['10.0.0.9-10.0.0.2', '2 10.0.0.2-10.0.0.9']],
    ['network in hash:ip', 'hash:ip', ['10.0.0.4/30', '2 10.0.0.4-10.0.0.7']],
    ['host bits', 'hash:net', ['10.0.0.4/24', '2 10.0.0.0-10.0.0.255']],
    ['two networks', 'hash:net,net', ['10.0.0.0/8,1.2.3.4', '2 10.0.0.0-10.255.255.255 , 1.2.3.4-1.2.3.4']],
    ['port range', 'hash:ip,port', ['10.0.0.1,udp:80-90', '2 10.0.0.1-10.0.0.1 , 17:80-90']],
    ['port without protocol is TCP', 'hash:ip,port', ['10.0.0.1,80', '2 10.0.0.1-10.0.0.1 , 6:80-80']],
    ['bitmap range', 'bitmap:port range 0-99', ['80-90', '2 null:80-90']],
    ['mac', 'hash:mac', ['00:11:22:AA:bb:cc', '2 00:11:22:aa:bb:cc']],
    ['ip,mac', 'hash:ip,mac', ['1.2.3.4,00:11:22:aa:bb:cc', '2 1.2.3.4-1.2.3.4 , 00:11:22:aa:bb:cc']],
    ['mark', 'hash:ip,mark markmask 0xffffffff', ['1.2.3.4,0x10', '2 1.2.3.4-1.2.3.4 , mark 16']],
    [
      'odd markmask',
      'hash:ip,mark markmask 0xff',
      ['1.2.3.4,0x10', '2 ? option markmask 0xff of the set is not modelled'],
    ],
    ['link with a comma', 'hash:net,iface', ['1.2.3.4,eth0,x', '2 1.2.3.4-1.2.3.4 , link eth0,x']],
    ['other family', 'hash:ip family inet', ['fd00::1', '2 ? not an IPv4 address or network: fd00::1']],
    ['nonsense port', 'hash:ip,port', ['1.2.3.4,tcp:70000', '2 1.2.3.4-1.2.3.4 , ? not a port: tcp:70000']],
    [
      'ICMP name of the other family',
      'hash:ip,port',
      ['1.2.3.4,icmp:no-route', '2 1.2.3.4-1.2.3.4 , ? not a port: icmp:no-route'],
    ],
    [
      'object property as ICMP name',
      'hash:ip,port',
      ['1.2.3.4,icmp:toString', '2 1.2.3.4-1.2.3.4 , ? not a port: icmp:toString'],
    ],
    ['too few components', 'hash:ip,port', ['1.2.3.4', '2 ? 1 components where the type has 2']],
    ['too many components', 'hash:ip', ['1.2.3.4,tcp:1', '2 ? 2 components where the type has 1']],
    ['unknown option', 'hash:ip', ['1.2.3.4 frobnicate', '2 ? option frobnicate is not known']],
    ['unknown type', 'hash:ip,vlan', ['1.2.3.4,7', '2 ? set type hash:ip,vlan is not known']],
    [
      'netmask of networks',
      'hash:net,net netmask 24',
      ['1.2.3.4,1.2.3.4', '2 ? option netmask of a set of networks is not modelled'],
    ],
    ['list options', 'list:set size 8', ['a b timeout 0 packets 1 bytes 2 comment "x"', '2 set a b']],
  ]
  it.each(rows)('%s', (_name, type, [element, expected]) => {
    expect(read(`create s ${type}\nadd s ${element}\r\n`).sets).toEqual({ s: [expected] })
  })

  it('reports lines that are nothing, elements of no set and sets made twice', () => {
    const { sets, issues } = read(
      'hello\ncreate s hash:ip\ncreate s hash:net\ncreate x\nadd t 1.2.3.4\nadd s\nadd s 1.2.3.4',
    )
    expect(sets).toEqual({ s: ['7 1.2.3.4-1.2.3.4'] })
    expect(issues.map((i) => i.split(' ')[0])).toEqual(['1', '3', '4', '5', '6'])
  })

  it('never throws and keeps one entry per element line', () => {
    const word = fc.constantFrom(
      'create',
      'add',
      's',
      'hash:ip,port',
      ' ',
      ',',
      '10.0.0.1',
      'tcp:80',
      '"',
      'comment',
      '\n',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 20 }), (words) => {
        const text = `create s hash:ip\n${words.map((w) => `add s ${w.replaceAll(/[\r\n]/g, '')}x`).join('\n')}`
        expect(parseIpsetSave(text, 'x').value.get('s')?.entries()).toHaveLength(words.length)
        expect(() => read(words.join(' '))).not.toThrow()
      }),
    )
  })
})
