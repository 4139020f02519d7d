/** The way to the API server through an HTTP proxy: `proxy-url`, or the environment as Go's net/http reads it. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { isLoopback, parseIp, parsePrefix, prefixContains } from '../base/ip.ts'
import { KubeconfigError } from './errors.ts'

/**
 * The proxy for `server`, or null. `proxy-url` counts for every host; HTTPS_PROXY (HTTP_PROXY for http) not for loopback
 * and not for what NO_PROXY lists (golang.org/x/net/http/httpproxy).
 * @throws KubeconfigError for a proxy that is not http or https
 */
export function proxyFor(
  server: string,
  proxyUrl: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): URL | null {
  const url = new URL(server)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const fromEnv = bypassed(host, url.port, env.NO_PROXY ?? env.no_proxy)
    ? undefined
    : env[name] || env[name.toLowerCase()]
  const given = proxyUrl ?? fromEnv
  if (given === undefined || given === '') return null
  const text = given.includes('://') ? given : `http://${given}`
  const proxy = URL.canParse(text) ? new URL(text) : null
  if (proxy === null || !['http:', 'https:'].includes(proxy.protocol))
    throw new KubeconfigError(
      `${proxyUrl === undefined ? name : 'proxy-url'}: only http:// and https:// proxies are supported`,
    )
  return proxy
}

function bypassed(host: string, port: string, list: string | undefined): boolean {
  const ip = parseIp(host)
  if (host === 'localhost' || (ip !== null && isLoopback(ip))) return true
  return (list ?? '').split(',').some((raw) => {
    const entry = raw.trim().toLowerCase()
    if (entry === '*') return true
    if (entry === '') return false
    const prefix = entry.includes('/') ? parsePrefix(entry) : null
    if (prefix !== null) return ip !== null && prefixContains(prefix, ip)
    const [, name = entry, only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? []
    if (only !== undefined && only !== port) return false
    if (name === host.toLowerCase()) return true
    return host.toLowerCase().endsWith(name.startsWith('.') ? name : `.${name}`)
  })
}

/** A tunnel to HOST:PORT of `server` (HTTP CONNECT, RFC 9110 9.3.6). @param timeout milliseconds */
export function tunnel(proxy: URL, server: string, timeout: number): Promise<Socket> {
  const { hostname, port, protocol } = new URL(server)
  const authority = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
  const user = decodeURIComponent(proxy.username)
  const credentials = Buffer.from(`${user}:${decodeURIComponent(proxy.password)}`).toString('base64')
  return new Promise((resolve, reject) => {
    const ask = proxy.protocol === 'https:' ? httpsRequest : httpRequest
    const request = ask({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      timeout,
      agent: false,
      headers: { host: authority, ...(user === '' ? {} : { 'proxy-authorization': `Basic ${credentials}` }) },
    })
    const fail = (why: string) => reject(new Error(`proxy ${proxy.host}: ${why}`))
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket)
      socket.destroy()
      fail(`refused the way to ${authority} (HTTP ${response.statusCode})`)
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('response', (response) => {
      response.resume()
      fail(`does not make tunnels (HTTP ${response.statusCode})`)
    })
    request.on('error', (e) => fail((e as NodeJS.ErrnoException).code ?? e.message))
    request.end()
  })
}
