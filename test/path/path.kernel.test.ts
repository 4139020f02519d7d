/**
 * The whole path against the kernel: fixed cases of what was doubtful, then random worlds. More of those with
 * `NETWHY_PATH_ROUNDS=500 NETWHY_PATH_SEED=1 npx vitest run --project kernel test/path`.
 */
import { describe, expect, test } from 'vitest'
import type { Judged } from './fuzz.ts'
import { describeRound, playCase, round } from './fuzz.ts'

const root = process.getuid?.() === 0
const rounds = Number(process.env.NETWHY_PATH_ROUNDS ?? 6)
const first = Number(process.env.NETWHY_PATH_SEED ?? 100)

type Question = readonly [string, string, string, number]
const B: Question = ['a', 'tcp', '10.5.0.3', 80]
const SERVICE: Question = ['a', 'tcp', '10.96.0.1', 80]
const FAR: Question = ['a', 'tcp', '10.2.0.2', 80]
const TUNNEL: Question = ['a', 'tcp', '10.8.0.2', 80]
const UNNUMBERED: Question = ['d', 'tcp', '10.2.0.2', 80]
const TO_B = 'T h -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to 10.5.0.3:80'

describe.skipIf(!root)('what was doubtful', () => {
  test.each<[string, string[], Question, string]>([
    ['bridged DNAT', [TO_B], SERVICE, 'open'],
    ['bridged DNAT needs forwarding', [TO_B, 'S h net.ipv4.ip_forward=0'], SERVICE, 'timeout'],
    [
      'no br_netfilter: the answer is not translated back',
      [TO_B, 'S h net.bridge.bridge-nf-call-iptables=0'],
      SERVICE,
      'timeout',
    ],
    ['FORWARD sees bridged packets', ['T h -P FORWARD DROP'], B, 'timeout'],
    [
      'the MAC of another port',
      ['ip -n a neigh replace 10.5.0.1 lladdr $(M h vb) dev eth0 nud permanent'],
      FAR,
      'timeout',
    ],
    ['forwarding counts on the link of arrival', ['S h net.ipv4.conf.r0.forwarding=0'], FAR, 'timeout'],
    [
      'strict rp_filter and a one-sided way',
      ['ip -n r route replace 10.5.0.0/24 via 10.3.0.1', 'S h net.ipv4.conf.all.rp_filter=1'],
      FAR,
      'timeout',
    ],
    [
      'a dropped ACK where only the SYN was seen',
      ['ip -n r route replace 10.5.0.0/24 via 10.3.0.1', 'T h -A FORWARD -m conntrack --ctstate INVALID -j DROP'],
      FAR,
      'open',
    ],
    ['proxy ARP off', ['S h net.ipv4.conf.cali0.proxy_arp=0'], UNNUMBERED, 'timeout'],
    ['longest prefix of local and main', ['ip -n h route add local 10.2.0.0/16 dev lo'], FAR, 'open'],
    ['the FDB points elsewhere', ['bridge -n h fdb replace $(M r vx0) dev vx0 dst 10.1.0.9'], TUNNEL, 'timeout'],
  ])('%s', (_name, mutations, question, fate) => {
    const played = playCase(mutations, [question])
    expect(played.error).toBeUndefined()
    const [j] = played.judged as [Judged]
    expect(j.met.fate === 'noroute' ? 'timeout' : j.met.fate).toBe(fate)
    expect(j.verdict === 'disagree' ? describeRound({ seed: 0, mutations, judged: played.judged }, j) : '').toBe('')
  })
})

describe.skipIf(!root)('random worlds', () => {
  for (let seed = first; seed < first + rounds; seed++)
    test(`seed ${seed}`, () => {
      const r = round(seed)
      expect(r.error).toBeUndefined()
      const wrong = r.judged.filter((j) => j.verdict === 'disagree').map((j) => describeRound(r, j))
      expect(wrong.join('\n\n')).toBe('')
    })
})
