/** Which API server, as whom: kubeconfig files, environment and flags put together as kubectl does. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { KubeconfigError } from './errors.ts'
import { inCluster } from './in-cluster.ts'
import {
  type ClusterEntry,
  type ContextEntry,
  type ExecEntry,
  type Kubeconfig,
  readKubeconfigFile,
  type UserEntry,
} from './kubeconfig-file.ts'

/** The flags of kubectl that say where and as whom, under their names. */
export interface KubeFlags {
  readonly kubeconfig?: string
  readonly context?: string
  readonly cluster?: string
  readonly user?: string
  readonly server?: string
  readonly token?: string
  readonly certificateAuthority?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly insecureSkipTlsVerify?: boolean
  readonly tlsServerName?: string
  readonly as?: string
  readonly asGroup?: readonly string[]
  readonly asUid?: string
}

export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  /** Read again for every run: kubelet rotates it. */
  | { readonly kind: 'token-file'; readonly file: string }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'exec'; readonly exec: ExecEntry; readonly clusterConfig?: unknown }

export interface Access {
  /** `https://HOST:PORT/PREFIX`, without a slash at the end. */
  readonly server: string
  readonly namespace: string
  /** In words, for messages: `context prod`, `this pod's service account`. */
  readonly described: string
  /** PEM. Absent: the roots of Node. */
  readonly ca?: string
  /** PEM. */
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly insecure: boolean
  readonly tlsServerName?: string
  /** Of the kubeconfig; the environment's is looked up where the connection is made. */
  readonly proxyUrl?: string
  readonly credential: Credential
  readonly impersonate: {
    readonly user?: string
    readonly uid?: string
    readonly groups: readonly string[]
    readonly extra: Readonly<Record<string, readonly string[]>>
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** The files kubectl would read: `--kubeconfig` alone, else the list in KUBECONFIG, else ~/.kube/config. */
export function kubeconfigFiles(flags: KubeFlags, env: Environment): readonly string[] {
  if (flags.kubeconfig !== undefined) return [flags.kubeconfig]
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((f) => f !== '')
  return listed.length > 0 ? [...new Set(listed)] : [join(env.HOME || homedir(), '.kube', 'config')]
}

/** The first file that has a cluster, user, context or current context wins, whole (client-go loading rules). */
export function mergeKubeconfigs(configs: readonly Kubeconfig[]): Kubeconfig {
  const first = <T>(pick: (c: Kubeconfig) => ReadonlyMap<string, T>) =>
    new Map([...configs].reverse().flatMap((c) => [...pick(c)]))
  const current = configs.find((c) => c.currentContext !== undefined)?.currentContext
  return {
    clusters: first((c) => c.clusters),
    users: first((c) => c.users),
    contexts: first((c) => c.contexts),
    ...(current === undefined ? {} : { currentContext: current }),
  }
}

/**
 * Where the API server is and how to be let in; null when no file, flag or service account says anything.
 * @throws KubeconfigError in one line, for files that are wrong and names that are not there
 */
export function findAccess(flags: KubeFlags = {}, env: Environment = process.env): Access | null {
  const files = kubeconfigFiles(flags, env)
  const configs = files.flatMap((f) => readKubeconfigFile(f) ?? [])
  if (configs.length === 0 && flags.kubeconfig !== undefined)
    throw new KubeconfigError(`${flags.kubeconfig}: no such file`)
  const config = mergeKubeconfigs(configs)
  const named = flags.context ?? config.currentContext
  const context = named === undefined ? undefined : config.contexts.get(named)
  if (named !== undefined && context === undefined)
    throw new KubeconfigError(`context ${named} is not in ${files.join(', ')}: ${known(config.contexts)}`)
  if (context === undefined && flags.cluster === undefined && flags.server === undefined) {
    if (config.contexts.size > 0)
      throw new KubeconfigError(`no current context in ${files.join(', ')}: give --context; ${known(config.contexts)}`)
    return inCluster(env)
  }
  return accessOf(config, context ?? {}, named, flags)
}

const known = (names: ReadonlyMap<string, unknown>) =>
  names.size === 0 ? 'it has none' : `there ${names.size === 1 ? 'is' : 'are'} ${listed([...names.keys()])}`

/** Most names told. */
const TOLD = 20
const listed = (names: readonly string[]) =>
  names.length > TOLD ? `${names.slice(0, TOLD).join(', ')} and ${names.length - TOLD} more` : names.join(', ')

function accessOf(config: Kubeconfig, context: ContextEntry, name: string | undefined, flags: KubeFlags): Access {
  const clusterName = flags.cluster ?? context.cluster
  const userName = flags.user ?? context.user
  const cluster = clusterName === undefined ? undefined : config.clusters.get(clusterName)
  const user = userName === undefined ? undefined : config.users.get(userName)
  if (clusterName !== undefined && !cluster)
    throw new KubeconfigError(`cluster ${clusterName} is not in the kubeconfig: ${known(config.clusters)}`)
  if (userName !== undefined && !user)
    throw new KubeconfigError(`user ${userName} is not in the kubeconfig: ${known(config.users)}`)
  const server = flags.server ?? cluster?.server
  if (server === undefined) throw new KubeconfigError(`cluster ${clusterName ?? ''} of the kubeconfig names no server`)
  const insecure = flags.insecureSkipTlsVerify ?? cluster?.insecure ?? false
  const ca = insecure ? undefined : caOf(cluster, flags)
  const certificate = flags.clientCertificate
    ? pemFile(flags.clientCertificate, '--client-certificate')
    : pem(user?.clientCertificateData, user?.clientCertificate, 'client-certificate')
  const key = flags.clientKey
    ? pemFile(flags.clientKey, '--client-key')
    : pem(user?.clientKeyData, user?.clientKey, 'client-key')
  if ((certificate === undefined) !== (key === undefined))
    throw new KubeconfigError(
      `user ${userName ?? ''} has a client ${certificate === undefined ? 'key without a certificate' : 'certificate without a key'}`,
    )
  const tlsServerName = flags.tlsServerName ?? cluster?.tlsServerName
  const credential = credentialOf(user, userName, flags, cluster?.execConfig)
  return {
    server: serverOf(server),
    namespace: context.namespace ?? 'default',
    described: name === undefined ? `server ${server}` : `context ${name}`,
    insecure,
    credential: certificate !== undefined && credential.kind === 'exec' ? { kind: 'none' } : credential,
    impersonate: impersonationOf(user, flags),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined || key === undefined ? {} : { clientCertificate: certificate, clientKey: key }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    ...(cluster?.proxyUrl === undefined ? {} : { proxyUrl: cluster.proxyUrl }),
  }
}

/** kubectl takes `host:port` for http (client-go DefaultServerURL); nobody's credentials should go there by mistake. */
function serverOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    throw new KubeconfigError(`server ${text}: must be https://HOST:PORT`)
  return `${url.protocol}//${url.host}${url.pathname}`.replace(/\/+$/, '')
}

function caOf(cluster: ClusterEntry | undefined, flags: KubeFlags): string | undefined {
  if (flags.certificateAuthority !== undefined) return pemFile(flags.certificateAuthority, '--certificate-authority')
  return pem(cluster?.certificateAuthorityData, cluster?.certificateAuthority, 'certificate-authority')
}

/** Data wins over the file, as in client-go. */
function pem(data: string | undefined, file: string | undefined, what: string): string | undefined {
  if (data !== undefined) {
    const text = Buffer.from(data, 'base64').toString('latin1')
    if (!text.includes('-----BEGIN ')) throw new KubeconfigError(`${what}-data of the kubeconfig is not PEM in base64`)
    return text
  }
  return file === undefined ? undefined : pemFile(file, what)
}

function pemFile(file: string, what: string): string {
  const text = secretFile(file, what)
  if (!text.includes('-----BEGIN ')) throw new KubeconfigError(`${what} ${file}: not PEM`)
  return text
}

function secretFile(file: string, what: string): string {
  if (!existsSync(file)) throw new KubeconfigError(`${what} ${file}: no such file`)
  try {
    return readFileSync(file, 'latin1')
  } catch (e) {
    throw new KubeconfigError(`${what} ${file}: ${(e as NodeJS.ErrnoException).code ?? 'cannot be read'}`, { cause: e })
  }
}

function credentialOf(
  user: UserEntry | undefined,
  name: string | undefined,
  flags: KubeFlags,
  clusterConfig: unknown,
): Credential {
  if (flags.token !== undefined) return { kind: 'token', token: flags.token.trim() }
  if (user?.tokenFile !== undefined) {
    secretFile(user.tokenFile, 'tokenFile')
    return { kind: 'token-file', file: user.tokenFile }
  }
  if (user?.token !== undefined) return { kind: 'token', token: user.token.trim() }
  if (user?.username !== undefined) return { kind: 'basic', username: user.username, password: user.password ?? '' }
  if (user?.exec !== undefined)
    return { kind: 'exec', exec: user.exec, ...(clusterConfig === undefined ? {} : { clusterConfig }) }
  if (user?.authProvider !== undefined)
    throw new KubeconfigError(
      `user ${name ?? ''} has the auth-provider ${user.authProvider}, which kubectl 1.26 gave up: use a credential plugin (exec)`,
    )
  return { kind: 'none' }
}

function impersonationOf(user: UserEntry | undefined, flags: KubeFlags): Access['impersonate'] {
  const as = flags.as ?? user?.as
  const uid = flags.asUid ?? user?.asUid
  const groups = flags.asGroup ?? user?.asGroups ?? []
  const extra = user?.asExtra ?? {}
  if (as === undefined && (groups.length > 0 || uid !== undefined || Object.keys(extra).length > 0))
    throw new KubeconfigError('--as-group and --as-uid need --as: whom should it be?')
  return {
    groups,
    extra,
    ...(as === undefined ? {} : { user: as }),
    ...(uid === undefined ? {} : { uid }),
  }
}
