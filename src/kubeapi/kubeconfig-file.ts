/** One kubeconfig file (`v1`, kind `Config`): the fields kubectl reads, paths made absolute. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { KubeconfigError } from './errors.ts'

export interface ClusterEntry {
  readonly server?: string
  readonly certificateAuthority?: string
  readonly certificateAuthorityData?: string
  readonly insecure: boolean
  readonly tlsServerName?: string
  readonly proxyUrl?: string
  /** `extensions` named `client.authentication.k8s.io/exec`: handed to credential plugins that ask for the cluster. */
  readonly execConfig?: unknown
}

export interface ExecEntry {
  readonly apiVersion: string
  /** Absolute, or a name to be found on PATH. */
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly provideClusterInfo: boolean
  readonly interactiveMode: string
  readonly installHint?: string
}

export interface UserEntry {
  readonly clientCertificate?: string
  readonly clientCertificateData?: string
  readonly clientKey?: string
  readonly clientKeyData?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly username?: string
  readonly password?: string
  readonly exec?: ExecEntry
  /** Name of a legacy `auth-provider`, which kubectl has no more either. */
  readonly authProvider?: string
  readonly as?: string
  readonly asUid?: string
  readonly asGroups: readonly string[]
  readonly asExtra: Readonly<Record<string, readonly string[]>>
}

export interface ContextEntry {
  readonly cluster?: string
  readonly user?: string
  readonly namespace?: string
}

export interface Kubeconfig {
  readonly clusters: ReadonlyMap<string, ClusterEntry>
  readonly users: ReadonlyMap<string, UserEntry>
  readonly contexts: ReadonlyMap<string, ContextEntry>
  readonly currentContext?: string
}

/** Most bytes of a kubeconfig. */
const MAX_BYTES = 16 * 1024 ** 2

/** As `parseKubeconfig`, or null when there is no such file. @throws KubeconfigError */
export function readKubeconfigFile(file: string): Kubeconfig | null {
  try {
    const { size } = statSync(file)
    if (size > MAX_BYTES) throw new KubeconfigError(`${file}: larger than ${MAX_BYTES} bytes: not a kubeconfig`)
    return parseKubeconfig(readFileSync(file, 'utf8'), file)
  } catch (e) {
    if (e instanceof KubeconfigError) throw e
    const { code, message } = e as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    const reason = code === 'EACCES' ? 'permission denied' : code === 'EISDIR' ? 'is a folder' : message
    throw new KubeconfigError(`${file}: ${reason}`, { cause: e })
  }
}

type Raw = Readonly<Record<string, unknown>>
const rawOf = (v: unknown): Raw => (typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Raw) : {})
const listOf = (v: unknown): readonly unknown[] => (Array.isArray(v) ? v : [])
const textsOf = (v: unknown) => listOf(v).filter((x) => typeof x === 'string')

/**
 * Reads the text of a kubeconfig; `file` names it in messages, and its folder is where relative paths begin
 * (client-go ResolveLocalPaths; for `exec.command` only when it has a slash).
 * @throws KubeconfigError `FILE:LINE:COLUMN: what is wrong`; the text itself, which holds secrets, is never quoted
 */
export function parseKubeconfig(text: string, file: string): Kubeconfig {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const error = document.errors[0]
  if (error) {
    const { line, col } = lineCounter.linePos(error.pos[0])
    throw new KubeconfigError(`${file}:${line}:${col}: not a kubeconfig: wrong YAML (${error.code})`)
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 50 })
  } catch (e) {
    throw new KubeconfigError(`${file}: not a kubeconfig: too many aliases`, { cause: e })
  }
  if (value !== null && (typeof value !== 'object' || Array.isArray(value)))
    throw new KubeconfigError(`${file}:1:1: not a kubeconfig`)
  const config = rawOf(value)
  if (config.kind !== undefined && config.kind !== 'Config')
    throw new KubeconfigError(`${file}: not a kubeconfig: its kind is not Config`)
  const folder = dirname(resolve(file))
  const current = stringOf(config['current-context'])
  return {
    clusters: entriesOf(config.clusters, 'cluster', (r) => clusterOf(r, folder)),
    users: entriesOf(config.users, 'user', (r) => userOf(r, folder)),
    contexts: entriesOf(config.contexts, 'context', contextOf),
    ...(current === undefined ? {} : { currentContext: current }),
  }
}

/** A string that is not empty: kubectl treats an empty one as not given. */
const stringOf = (v: unknown) => (typeof v === 'string' && v !== '' ? v : undefined)

/** Only the keys that have a value. */
function given<T extends object>(o: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as never
}

/** The first of equal names counts. */
function entriesOf<T>(list: unknown, key: string, read: (raw: Raw) => T): Map<string, T> {
  const out = new Map<string, T>()
  for (const item of listOf(list)) {
    const { name, [key]: body } = rawOf(item)
    if (typeof name === 'string' && !out.has(name)) out.set(name, read(rawOf(body)))
  }
  return out
}

const pathIn = (folder: string, path: unknown) => {
  const p = stringOf(path)
  return p === undefined || isAbsolute(p) ? p : resolve(folder, p)
}

function clusterOf(r: Raw, folder: string): ClusterEntry {
  const extension = listOf(r.extensions).find((e) => rawOf(e).name === 'client.authentication.k8s.io/exec')
  return given({
    server: stringOf(r.server),
    certificateAuthority: pathIn(folder, r['certificate-authority']),
    certificateAuthorityData: stringOf(r['certificate-authority-data']),
    insecure: r['insecure-skip-tls-verify'] === true,
    tlsServerName: stringOf(r['tls-server-name']),
    proxyUrl: stringOf(r['proxy-url']),
    execConfig: rawOf(extension).extension,
  }) as ClusterEntry
}

function userOf(r: Raw, folder: string): UserEntry {
  const extra = Object.entries(rawOf(r['as-user-extra'])).map(([k, v]) => [k, textsOf(v)] as const)
  return given({
    clientCertificate: pathIn(folder, r['client-certificate']),
    clientCertificateData: stringOf(r['client-certificate-data']),
    clientKey: pathIn(folder, r['client-key']),
    clientKeyData: stringOf(r['client-key-data']),
    token: stringOf(r.token),
    tokenFile: pathIn(folder, r.tokenFile),
    username: stringOf(r.username),
    password: stringOf(r.password),
    exec: execOf(r.exec, folder),
    authProvider: stringOf(rawOf(r['auth-provider']).name),
    as: stringOf(r.as),
    asUid: stringOf(r['as-uid']),
    asGroups: textsOf(r['as-groups']),
    asExtra: Object.fromEntries(extra),
  }) as UserEntry
}

function execOf(value: unknown, folder: string): ExecEntry | undefined {
  const r = rawOf(value)
  const command = stringOf(r.command)
  if (command === undefined) return undefined
  const env = listOf(r.env).flatMap((e) => {
    const { name, value: v } = rawOf(e)
    return typeof name === 'string' && typeof v === 'string' ? [[name, v] as const] : []
  })
  return given({
    apiVersion: stringOf(r.apiVersion) ?? '',
    command: command.includes('/') ? (pathIn(folder, command) ?? command) : command,
    args: textsOf(r.args),
    env: Object.fromEntries(env),
    provideClusterInfo: r.provideClusterInfo === true,
    interactiveMode: stringOf(r.interactiveMode) ?? 'IfAvailable',
    installHint: stringOf(r.installHint),
  }) as ExecEntry
}

const contextOf = (r: Raw): ContextEntry =>
  given({ cluster: stringOf(r.cluster), user: stringOf(r.user), namespace: stringOf(r.namespace) }) as ContextEntry
