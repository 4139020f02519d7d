import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { formatEndpoint } from '../../base/ip.ts'
import { parseSockets } from './ss.ts'

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
const shown = (text: string) =>
  parseSockets(text, { artefact: 'ss' }).value.map((s) =>
    [
      s.protocol,
      s.state,
      `${formatEndpoint(s.local, s.localPort)}${s.link ? `%${s.link}` : ''}`,
      s.remote ? formatEndpoint(s.remote, s.remotePort) : '*',
      s.dualStack ? 'dual' : '',
      s.raw ? 'raw' : '',
      `${s.recvQueue}/${s.sendQueue}`,
      s.process ?? '',
    ]
      .filter((x) => x !== '')
      .join(' '),
  )

it('tells IPv4, IPv6-only and dual-stack listeners, bound links, raw and mapped sockets apart', () => {
  expect(shown(fixture('ss-antuwpe.txt'))).toEqual([
    '1 UNCONN 0.0.0.0:0 * raw 0/0 python3',
    '17 UNCONN 0.0.0.0:53 * 0/0 python3',
    '17 ESTAB 10.1.0.1:49592 10.1.0.2:5300 0/0 python3',
    '17 UNCONN [::]:54 * dual 0/0 python3',
    '17 UNCONN [::1]:55 * 0/0 python3',
    '6 LISTEN 127.0.0.1:8083 * 2/7 python3',
    '6 LISTEN 0.0.0.0:8082 * 0/7 python3',
    '6 LISTEN 0.0.0.0:8084%v0 * 0/7 python3',
    '6 ESTAB 127.0.0.1:36224 127.0.0.1:8083 0/0 python3',
    '6 ESTAB 127.0.0.1:8083 127.0.0.1:36224 0/0',
    '6 ESTAB 127.0.0.1:8083 127.0.0.1:36236 0/0',
    '6 LISTEN [::]:8081 * 0/7 python3',
    '6 LISTEN [::]:8080 * dual 0/7 python3',
    '6 LISTEN [::]:8086%v0 * dual 0/7 python3',
    '6 LISTEN [fd00::1]:8085 * 0/7 python3',
    '6 ESTAB 127.0.0.1:36236 127.0.0.1:8083 0/0 python3',
  ])
})

it('skips the header, and takes what it cannot read as incomplete', () => {
  const { value, complete } = parseSockets(fixture('ss-header.txt'), { artefact: 'ss' })
  expect([value.length, complete]).toEqual([10, true])
  expect(shown('tcp LISTEN 0 128 :::22 :::*\ntcp LISTEN 0 5 [fe80::1]%eth0:53 [::]:*\n')).toEqual([
    '6 LISTEN [::]:22 * 0/128',
    '6 LISTEN [fe80::1]:53%eth0 * 0/5',
  ])
  for (const bad of [
    'tcp LISTEN 0 5 10.0.0.1 *:*',
    'tcp LISTEN x 5 10.0.0.1:1 *:*',
    'what ever',
    'tcp LISTEN 0 1 1.1.1.1:99999 *:*',
  ])
    expect(parseSockets(bad, { artefact: 'ss' })).toMatchObject({ complete: false, value: [], issues: [{ line: 1 }] })
})
