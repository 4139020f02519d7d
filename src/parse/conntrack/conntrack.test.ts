import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { formatEndpoint } from '../../base/ip.ts'
import type { Tuple } from '../../model/conntrack.ts'
import { parseConntrack, parseConntrackStats } from './conntrack.ts'

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
const tuple = (t: Tuple) => `${formatEndpoint(t.src, t.sport)}>${formatEndpoint(t.dst, t.dport)}`
const shown = (text: string) =>
  parseConntrack(text, { artefact: 'ct' }).value.map(
    (e) =>
      `${e.original.protocol} ${e.tcpState ?? '-'} ${tuple(e.original)} ${tuple(e.reply)} ${e.seenReply ? 'replied' : ''}${e.assured ? ' assured' : ''} mark ${e.mark} zone ${e.zone}`,
  )
const expected = [
  '17 - 10.1.0.1:44364>10.1.0.2:53 10.1.0.2:53>10.1.0.1:44364  mark 0 zone 0',
  '1 - 10.1.0.1:9034>10.1.0.2:9034 10.1.0.2:9034>10.1.0.1:9034 replied mark 0 zone 0',
  '6 SYN_SENT 10.1.0.1:49024>10.1.0.88:99 10.1.0.88:99>10.1.0.1:49024  mark 4 zone 0',
  '17 - 10.1.0.1:44364>10.1.0.77:53 10.1.0.77:53>10.1.0.1:44364  mark 0 zone 5',
  '6 ESTABLISHED 10.1.0.1:44084>10.96.0.10:80 10.1.0.2:80>10.1.0.1:44084 replied assured mark 4 zone 0',
  '17 - [fd00::1]:43211>[fd00::2]:53 [fd00::2]:53>[fd00::1]:43211  mark 0 zone 0',
  '58 - [fd00::1]:9035>[fd00::2]:9035 [fd00::2]:9035>[fd00::1]:9035 replied mark 0 zone 0',
]

it('reads conntrack -L -o extended and /proc/net/nf_conntrack to the same entries', () => {
  expect(shown(fixture('conntrack.txt'))).toEqual(expected)
  expect(shown(fixture('nf_conntrack.txt')).sort()).toEqual([...expected].sort())
})

it('reads the form without -o extended, and an entry number at the end', () => {
  const plain =
    'tcp      6 86400 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=0 use=1 id=77'
  expect(shown(plain)).toEqual([
    '6 ESTABLISHED 10.0.0.1:1>10.0.0.2:2 10.0.0.2:2>10.0.0.1:1 replied assured mark 0 zone 0',
  ])
  const line =
    'icmp     1 29 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=5 src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=5 mark=0 use=1 id=99'
  expect(parseConntrack(line, { artefact: 'x' }).value[0]!.reply.sport).toBe(5)
})

it('calls a listing with a broken line incomplete', () => {
  const text = fixture('conntrack.txt')
  expect(parseConntrack(text.slice(0, text.lastIndexOf('src=')), { artefact: 'x' })).toMatchObject({ complete: false })
})

it('adds up the counters of all CPUs', () => {
  const text = 'cpu=0   \tfound=1 drop=2 insert_failed=3 \ncpu=1   \tfound=1 drop=5 insert_failed=0 \n'
  expect(Object.fromEntries(parseConntrackStats(text, { artefact: 'x' }).value)).toEqual({
    'conntrack.found': 2,
    'conntrack.drop': 7,
    'conntrack.insert_failed': 3,
  })
  expect(parseConntrackStats(fixture('conntrack-S.txt'), { artefact: 'x' }).complete).toBe(true)
})
