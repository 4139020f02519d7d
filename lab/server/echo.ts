/** TCP and UDP responders that tell who answered and whom they saw. */
import { createSocket } from 'node:dgram'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Listen } from './spec.ts'

/** Largest body `GET /bytes/N` gives. */
const MOST_BYTES = 64 * 1024 * 1024

/** HTTP on `at`: `GET /` answers `NAME from PEER`, `GET /bytes/N` N bytes, a POST the number of bytes it took. */
export function serveTcp(name: string, at: Listen): Promise<void> {
  const server = createServer((request, response) => answer(name, request, response))
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: at.host, port: at.port, backlog: 128 }, resolve)
  })
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  const bytes = /^\/bytes\/(\d{1,9})$/.exec(request.url ?? '')
  if (bytes) {
    response.end(Buffer.alloc(Math.min(Number(bytes[1]), MOST_BYTES), 'x'))
    return
  }
  let taken = 0
  request.on('data', (d: Buffer) => {
    taken += d.length
  })
  request.on('end', () => {
    const peer = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    response.end(`${name} from ${peer}${taken > 0 ? ` took ${taken}` : ''}\n`)
  })
}

/** Echoes each datagram as `NAME from PEER: TEXT`. */
export function serveUdp(name: string, at: Listen): Promise<void> {
  const socket = createSocket({ type: isIPv6(at.host) ? 'udp6' : 'udp4' })
  socket.on('message', (message, from) => {
    const head = Buffer.from(`${name} from ${from.address.replace(/^::ffff:/, '')}: `)
    socket.send(Buffer.concat([head, message]), from.port, from.address)
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: at.host, port: at.port }, () => {
      // An ICMP error about one peer must not end the service for the others.
      socket.removeAllListeners('error').on('error', () => {})
      resolve()
    })
  })
}
