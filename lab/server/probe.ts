/** One connection attempt, told in one word: what `lab exec pod/… -- node lab-server.js probe` prints. */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'

export interface ProbeAnswer {
  /**
   * `open`: the application answered; `silent`: connected, but nothing came back in time; `refused`, `timeout`,
   * `unreachable` as the kernel said; `error` anything else.
   */
  readonly outcome: 'open' | 'silent' | 'refused' | 'timeout' | 'unreachable' | 'error'
  readonly text: string
}

const OUTCOMES: Record<string, ProbeAnswer['outcome']> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
}

/** `tcp|udp HOST PORT [MILLISECONDS [PATH]]`; over TCP it asks `GET PATH` (default `/`), over UDP it sends `hello`. */
export function probe(args: readonly string[]): Promise<ProbeAnswer> {
  const [protocol, host = '', port = '', patience = '1500', path = '/'] = args
  return new Promise((resolve) => {
    const done = (outcome: ProbeAnswer['outcome'], text: string) => {
      clearTimeout(timer)
      end()
      resolve({ outcome, text })
    }
    let end = () => {}
    let connected = false
    const timer = setTimeout(() => done(connected ? 'silent' : 'timeout', ''), Number(patience))
    const failed = (e: NodeJS.ErrnoException) => done(OUTCOMES[e.code ?? ''] ?? 'error', e.message)
    if (protocol === 'udp') {
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
      end = () => socket.close()
      socket.on('error', failed)
      socket.on('message', (m) => done('open', m.toString()))
      socket.connect(Number(port), host, () => socket.send('hello'))
      return
    }
    const socket = connect({ host, port: Number(port) })
    end = () => socket.destroy()
    let text = ''
    socket.on('connect', () => {
      connected = true
      socket.write(`GET ${path} HTTP/1.0\r\n\r\n`)
    })
    socket.on('data', (d) => {
      text += d.toString()
    })
    socket.on('end', () => done('open', text.split('\r\n\r\n')[1]?.trim() ?? text))
    socket.on('error', failed)
  })
}
