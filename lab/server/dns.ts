/**
 * A DNS server for the cluster's names (Kubernetes DNS-based service discovery specification 1.1.0) that asks an upstream
 * for all others. Messages after RFC 1035; over UDP no answer exceeds 512 bytes without EDNS, so a longer one is truncated.
 */
import { createSocket } from 'node:dgram'
import { readFileSync, statSync } from 'node:fs'
import { createServer, isIPv6 } from 'node:net'
import { parseIp } from '../../src/base/ip.ts'
import { type ClusterNames, clusterNames } from './names.ts'
import type { Listen, ServerSpec } from './spec.ts'

export interface DnsRecord {
  readonly type: 'A' | 'AAAA' | 'SRV'
  /** The address, or for SRV the target's name. */
  readonly value: string
  readonly port?: number
}

const TYPES: Record<number, DnsRecord['type']> = { 1: 'A', 28: 'AAAA', 33: 'SRV' }
const NUMBERS = { A: 1, AAAA: 28, SRV: 33 } as const
const NXDOMAIN = 3
const SERVFAIL = 2
/** Milliseconds to wait for the upstream. */
const PATIENCE = 2000

/** Serves `spec` on UDP and TCP at `at`. */
export async function serveDns(spec: ServerSpec, at: Listen): Promise<void> {
  const resolve = resolver(spec)
  const udp = createSocket({ type: isIPv6(at.host) ? 'udp6' : 'udp4' })
  udp.on('message', async (query, from) => {
    const answer = await resolve(query)
    if (!answer) return
    const fits = answer.length <= 512
    if (!fits) answer[2] = answer[2]! | 2
    udp.send(fits ? answer : answer.subarray(0, 12), from.port, from.address)
  })
  const tcp = createServer((socket) => {
    let buffer = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', async (data) => {
      buffer = Buffer.concat([buffer, data])
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const length = buffer.readUInt16BE(0)
        const query = buffer.subarray(2, 2 + length)
        buffer = buffer.subarray(2 + length)
        const answer = await resolve(query)
        if (!answer) return socket.destroy()
        const head = Buffer.alloc(2)
        head.writeUInt16BE(answer.length)
        socket.write(Buffer.concat([head, answer]))
      }
    })
  })
  await Promise.all([
    new Promise<void>((done, fail) => {
      udp.once('error', fail)
      udp.bind({ address: at.host, port: at.port }, () => {
        udp.removeAllListeners('error').on('error', () => {})
        done()
      })
    }),
    new Promise<void>((done, fail) => {
      tcp.once('error', fail)
      tcp.listen({ host: at.host, port: at.port }, done)
    }),
  ])
}

/** Answers one message; null for what is no query. */
function resolver(spec: ServerSpec): (query: Buffer) => Promise<Buffer | null> {
  let names: ClusterNames = { zone: '', records: new Map(Object.entries(spec.names ?? {}).map(fixed)) }
  let read = -1
  return async (query) => {
    const question = parseQuestion(query)
    if (!question) return null
    if (spec.objects !== undefined) {
      const { mtimeMs } = statSync(spec.objects)
      if (mtimeMs !== read) names = clusterNames(JSON.parse(readFileSync(spec.objects, 'utf8')))
      read = mtimeMs
    }
    const inZone = names.zone !== '' && (question.name === names.zone || question.name.endsWith(`.${names.zone}`))
    if (!inZone && spec.forward !== undefined) {
      const answer = await ask(spec.forward, query)
      return answer ?? reply(query, question.end, SERVFAIL, [])
    }
    const records = names.records.get(question.name)
    const type = TYPES[question.type]
    return reply(query, question.end, records ? 0 : NXDOMAIN, records?.filter((r) => r.type === type) ?? [])
  }
}

const fixed = ([name, addresses]: [string, readonly string[]]): [string, DnsRecord[]] => [
  name,
  addresses.map((value) => ({ type: isIPv6(value) ? 'AAAA' : 'A', value })),
]

function parseQuestion(query: Buffer): { name: string; type: number; end: number } | null {
  if (query.length < 17 || (query[2]! & 0x80) !== 0 || query.readUInt16BE(4) !== 1) return null
  const labels: string[] = []
  let at = 12
  for (;;) {
    const length = query[at]
    if (length === undefined || length > 63 || at + length + 5 > query.length) return null
    if (length === 0) break
    labels.push(
      query
        .subarray(at + 1, at + 1 + length)
        .toString('latin1')
        .toLowerCase(),
    )
    at += length + 1
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function encodeName(name: string): Buffer {
  const parts = name.split('.').map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l, 'latin1')]))
  return Buffer.concat([...parts, Buffer.from([0])])
}

function reply(query: Buffer, end: number, rcode: number, records: readonly DnsRecord[]): Buffer {
  const head = Buffer.from(query.subarray(0, end))
  // QR, AA, and RD as asked; RA.
  head[2] = 0x84 | (query[2]! & 1)
  head[3] = 0x80 | rcode
  head.writeUInt16BE(records.length, 6)
  head.writeUInt32BE(0, 8)
  return Buffer.concat([head, ...records.map(encodeRecord)])
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = recordData(record)
  const head = Buffer.alloc(12)
  // The name is the question's, at offset 12 (RFC 1035 4.1.4); class IN; TTL 5 seconds as CoreDNS' kubernetes plugin.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(NUMBERS[record.type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(5, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function recordData(record: DnsRecord): Buffer {
  if (record.type === 'SRV') {
    const head = Buffer.alloc(6)
    head.writeUInt16BE(100, 2)
    head.writeUInt16BE(record.port ?? 0, 4)
    return Buffer.concat([head, encodeName(record.value)])
  }
  const ip = parseIp(record.value)!
  const words = ip.family === 4 ? [ip.d] : [ip.a, ip.b, ip.c, ip.d]
  const out = Buffer.alloc(words.length * 4)
  for (const [i, w] of words.entries()) out.writeUInt32BE(w, i * 4)
  return out
}

/** Asks the upstream over UDP; null when it does not answer in time. */
function ask(server: string, query: Buffer): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4')
    const done = (answer: Buffer | null) => {
      clearTimeout(timer)
      socket.close()
      resolve(answer)
    }
    const timer = setTimeout(() => done(null), PATIENCE)
    socket.on('error', () => done(null))
    socket.on(
      'message',
      (answer) => answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0) && done(answer),
    )
    socket.connect(53, server, () => socket.send(query))
  })
}
