/** Requests to the API server: GET only, bounded in time and size, repeated where the server asks for it. */

import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { connect, type SecureContextOptions } from 'node:tls'
import type { Access } from './access.ts'
import { ApiError, KubeconfigError } from './errors.ts'
import { type ExecResult, runCredentialPlugin } from './exec-credential.ts'
import { proxyFor, tunnel } from './proxy.ts'
import { connectionTrouble, expired } from './trouble.ts'

/** An answer that is not 200: `reason` and `message` of the `Status` object where it is one. */
export interface Refusal {
  readonly kind: 'refused'
  readonly status: number
  readonly reason: string
  readonly message: string
}

export type Reply = { readonly kind: 'ok'; readonly body: unknown } | Refusal

export interface Client {
  readonly access: Access
  /**
   * GET of an absolute path with its query. 429 and 5xx are tried again, as long as Retry-After says; so are connections
   * that break, and 401 once with new credentials.
   * @throws ApiError when the server cannot be reached or the credentials are refused
   */
  get(path: string): Promise<Reply>
  close(): void
}

export interface ClientOptions {
  readonly signal?: AbortSignal
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds for one request; default 30,000. */
  readonly timeout?: number
  /** Milliseconds for a credential plugin. */
  readonly pluginTimeout?: number
  /** Waits so many milliseconds; tests do not. */
  readonly wait?: (milliseconds: number) => Promise<void>
}

/** Tries of one request, and the longest wait the server may ask for, in milliseconds. */
const TRIES = 4
const LONGEST_WAIT = 20_000
/** Most bytes of one answer. */
const MAX_BODY = 128 * 1024 ** 2

/** Opens nothing yet; a credential plugin runs with the first request. */
export function connectTo(access: Access, options: ClientOptions = {}): Client {
  const wait = options.wait ?? ((ms: number) => pause(ms, options.signal))
  const env = options.env ?? process.env
  let session: Promise<Session> | null = null
  const get = async (path: string): Promise<Reply> => {
    let renewed = false
    for (let tries = 1; ; tries++) {
      options.signal?.throwIfAborted()
      session ??= openSession(access, env, options)
      const used = session
      let reply: RawReply
      try {
        reply = await send(await used, path, options)
      } catch (e) {
        options.signal?.throwIfAborted()
        if (e instanceof KubeconfigError || e instanceof ApiError) throw e
        if (tries < TRIES && ['ECONNRESET', 'EPIPE'].includes((e as NodeJS.ErrnoException).code ?? '')) {
          await wait(250 * 2 ** tries)
          continue
        }
        throw new ApiError(connectionTrouble(e, (await used).access), { cause: e })
      }
      if (reply.status === 401) {
        if (!renewed && access.credential.kind === 'exec') {
          renewed = true
          if (session === used) session = null
          continue
        }
        throw new ApiError(
          `API server ${new URL(access.server).host} (${access.described}) does not accept the credentials${expired(access.clientCertificate) || ': expired or wrong (HTTP 401)'}`,
        )
      }
      if ((reply.status === 429 || reply.status >= 500) && tries < TRIES) {
        await wait(Math.min(LONGEST_WAIT, reply.retryAfter ?? 250 * 2 ** tries))
        continue
      }
      return decoded(reply)
    }
  }
  return {
    access,
    get,
    close: () => void session?.then((s) => s.agent?.destroy()).catch(() => {}),
  }
}

interface Session {
  readonly access: Access
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly agent: Agent | null
  readonly proxy: URL | null
  readonly tls: SecureContextOptions & { rejectUnauthorized: boolean; servername?: string }
}

async function openSession(
  access: Access,
  env: Readonly<Record<string, string | undefined>>,
  options: ClientOptions,
): Promise<Session> {
  const { credential, impersonate } = access
  const headers: Record<string, string | string[]> = { accept: 'application/json', 'user-agent': 'netwhy' }
  let plugin: ExecResult = {}
  switch (credential.kind) {
    case 'none':
      break
    case 'token':
      headers.authorization = `Bearer ${credential.token}`
      break
    case 'token-file':
      headers.authorization = `Bearer ${readFileSync(credential.file, 'utf8').trim()}`
      break
    case 'basic':
      headers.authorization = `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`
      break
    case 'exec':
      plugin = await runCredentialPlugin(credential, access, options.pluginTimeout, options.signal)
      if (plugin.token !== undefined) headers.authorization = `Bearer ${plugin.token}`
  }
  if (impersonate.user !== undefined) headers['impersonate-user'] = impersonate.user
  if (impersonate.uid !== undefined) headers['impersonate-uid'] = impersonate.uid
  if (impersonate.groups.length > 0) headers['impersonate-group'] = [...impersonate.groups]
  for (const [key, values] of Object.entries(impersonate.extra))
    headers[`impersonate-extra-${encodeURIComponent(key.toLowerCase())}`] = [...values]
  const cert = plugin.clientCertificate ?? access.clientCertificate
  const key = plugin.clientKey ?? access.clientKey
  const tls = {
    rejectUnauthorized: !access.insecure,
    ...(access.ca === undefined ? {} : { ca: access.ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
  }
  const secure = access.server.startsWith('https:')
  return {
    access: cert === undefined ? access : { ...access, clientCertificate: cert },
    headers,
    agent: secure ? new Agent({ ...tls, keepAlive: true, maxSockets: 6 }) : null,
    proxy: proxyFor(access.server, access.proxyUrl, env),
    tls,
  }
}

interface RawReply {
  readonly status: number
  readonly text: string
  /** Milliseconds. */
  readonly retryAfter: number | null
}

async function send(session: Session, path: string, options: ClientOptions): Promise<RawReply> {
  const timeout = options.timeout ?? 30_000
  const url = new URL(session.access.server + path)
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  let socket: Socket | undefined
  if (session.proxy !== null) {
    socket = await tunnel(session.proxy, session.access.server, timeout)
    if (secure) {
      const servername = session.tls.servername ?? (/^[\d.]+$|:/.test(host) ? undefined : host)
      socket = connect({ ...session.tls, socket, host, ...(servername === undefined ? {} : { servername }) })
    }
  }
  const through = socket
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(url, {
      headers: session.headers,
      ...(session.agent === null || through ? {} : { agent: session.agent }),
      ...(through ? { createConnection: () => through, agent: undefined } : {}),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    const late = setTimeout(
      () => request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
      timeout,
    )
    const fail = (e: Error) => {
      clearTimeout(late)
      through?.destroy()
      reject(e)
    }
    request.on('error', fail)
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BODY) request.destroy(new Error(`an answer larger than ${MAX_BODY} bytes`))
        else chunks.push(chunk)
      })
      response.on('error', fail)
      response.on('aborted', () => fail(Object.assign(new Error('the answer ended too early'), { code: 'ECONNRESET' })))
      response.on('end', () => {
        clearTimeout(late)
        through?.destroy()
        const seconds = Number(response.headers['retry-after'] ?? 'NaN')
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          retryAfter: Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null,
        })
      })
    })
    request.end()
  })
}

function decoded({ status, text }: RawReply): Reply {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return {
      kind: 'refused',
      status,
      reason: 'NotJson',
      message: `HTTP ${status}, and no JSON: is this an API server?`,
    }
  }
  if (status === 200) return { kind: 'ok', body }
  const { reason, message } = (body ?? {}) as { reason?: unknown; message?: unknown }
  return {
    kind: 'refused',
    status,
    reason: typeof reason === 'string' ? reason : '',
    message: typeof message === 'string' ? message : `HTTP ${status}`,
  }
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
