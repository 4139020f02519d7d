import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseIp } from '../../base/ip.ts'
import type { Ruleset } from '../../model/ruleset.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { evaluateRuleset } from './evaluate.ts'

const ip = (text: string) => parseIp(text)!
const filter = (chains: string) =>
  parseIptablesSave(`*filter\n:FORWARD ACCEPT [0:0]\n${chains}COMMIT\n`, {
    artefact: 'save',
    family: 'ip',
    backend: 'iptables-legacy',
  })

test('the index of a long chain changes nothing', () => {
  const address = fc.constantFrom('10.96.0.10', '10.96.0.11', '10.1.0.2', '10.1.0.3')
  const rule = fc
    .tuple(
      fc.option(address),
      fc.option(address),
      fc.option(fc.constantFrom(80, 81)),
      fc.option(fc.constantFrom('-i eth0', '-i eth1', '-o cni0', '! -i eth0')),
      fc.constantFrom(
        '-j MARK --set-xmark 0x1/0x0',
        '-j MARK --set-xmark 0x100/0xf00',
        '-j RETURN',
        '-j ACCEPT',
        '-j DROP',
        '-j LOG',
        '',
      ),
      fc.boolean(),
    )
    .map(([d, s, port, l, target, rare]) => {
      const ending = rare && /RETURN|ACCEPT|DROP/.test(target)
      const words = [
        d && `-d ${d}/32`,
        s && `-s ${s}/32`,
        port && `-p tcp -m tcp --dport ${port}`,
        l,
        ending ? '-s 9.9.9.9/32' : '',
        target,
      ]
      return words.filter(Boolean).join(' ')
    })
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 17, maxLength: 60 }),
      address,
      fc.constantFrom(80, 81, 82),
      (rules, dst, dport) => {
        const whole = filter(rules.map((r) => `-A FORWARD ${r}\n`).join(''))
        // The same rules, one chain each, so that no chain is long enough for an index. RETURN then ends one rule's chain only.
        const pieces = rules.filter((r) => !r.includes('RETURN'))
        const long = filter(pieces.map((r) => `-A FORWARD ${r}\n`).join(''))
        const short = filter(
          pieces.map((_, i) => `:C${i} - [0:0]\n`).join('') +
            Array.from(
              { length: Math.ceil(pieces.length / 8) },
              (_, i) => `:G${i} - [0:0]\n-A FORWARD -j G${i}\n`,
            ).join('') +
            pieces.map((r, i) => `-A G${Math.floor(i / 8)} ${r}\n`).join(''),
        )
        const query = {
          src: ip('10.1.0.2'),
          sport: 4000,
          dst: ip(dst),
          dport,
          protocol: 6,
          localIps: [],
          in: 'eth0',
          out: 'cni0',
        }
        const run = (r: Ruleset) =>
          evaluateRuleset([r], new Map(), query).map((o) => [
            o.verdict,
            o.packet.mark,
            o.rules.map((h) => h.text.replace(/^-A \S+ ?/, '')).filter((t) => !/^-j G/.test(t)),
          ])
        expect(run(long)).toEqual(run(short))
        expect(run(whole)).toHaveLength(1)
      },
    ),
    { numRuns: 300 },
  )
})
