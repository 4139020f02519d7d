/** Credential plugins: programs that print an ExecCredential (client.authentication.k8s.io/v1 and v1beta1). */
import { run } from '../host/run.ts'
import type { Access, Credential } from './access.ts'
import { ApiError, KubeconfigError } from './errors.ts'

export interface ExecResult {
  readonly token?: string
  /** PEM, both or neither. */
  readonly clientCertificate?: string
  readonly clientKey?: string
}

const VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']
/** Milliseconds a plugin may take: it may have to ask an identity provider. */
const TIMEOUT = 30_000
const MAX_OUTPUT = 1024 ** 2

/**
 * Runs the plugin once, without a terminal and without a shell. What it prints is never quoted in messages.
 * @param timeout milliseconds
 * @throws ApiError in one line: not installed, failed, took too long, or printed something else; KubeconfigError for a
 * plugin that cannot be run this way
 */
export async function runCredentialPlugin(
  { exec, clusterConfig }: Extract<Credential, { kind: 'exec' }>,
  access: Access,
  timeout = TIMEOUT,
  signal?: AbortSignal,
): Promise<ExecResult> {
  const who = `credential plugin ${exec.command}`
  if (!VERSIONS.includes(exec.apiVersion))
    throw new KubeconfigError(`${who}: apiVersion ${exec.apiVersion || '(none)'} is not one of ${VERSIONS.join(', ')}`)
  if (exec.interactiveMode === 'Always')
    throw new KubeconfigError(`${who} wants a terminal (interactiveMode: Always), which netwhy does not give it`)
  const cluster = exec.provideClusterInfo ? { cluster: clusterInfo(access, clusterConfig) } : {}
  const info = { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { ...cluster, interactive: false } }
  const result = await run(exec.command, exec.args, {
    timeout,
    maxOutput: MAX_OUTPUT,
    env: { ...exec.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    ...(signal === undefined ? {} : { signal }),
  })
  if (result.startError !== undefined) {
    const hint = exec.installHint === undefined ? '' : `: ${exec.installHint.trim()}`
    throw new ApiError(
      /ENOENT/.test(result.startError) ? `${who} is not installed${hint}` : `${who}: ${result.startError}`,
    )
  }
  if (result.stopped === 'timeout') throw new ApiError(`${who} gave no answer within ${timeout / 1000} s`)
  if (result.stopped === 'output-limit') throw new ApiError(`${who} printed more than ${MAX_OUTPUT} bytes`)
  if (result.stopped !== null) throw new ApiError(`${who} was stopped`)
  if (result.exitCode !== 0) {
    const said = result.stderr.trim().split('\n').at(-1) ?? ''
    throw new ApiError(`${who} failed (exit code ${result.exitCode})${said === '' ? '' : `: ${said}`}`)
  }
  return credentialIn(result.stdout.toString('utf8'), exec.apiVersion, who)
}

function clusterInfo(access: Access, config: unknown) {
  return {
    server: access.server,
    ...(access.tlsServerName === undefined ? {} : { 'tls-server-name': access.tlsServerName }),
    ...(access.insecure ? { 'insecure-skip-tls-verify': true } : {}),
    ...(access.ca === undefined
      ? {}
      : { 'certificate-authority-data': Buffer.from(access.ca, 'latin1').toString('base64') }),
    ...(access.proxyUrl === undefined ? {} : { 'proxy-url': access.proxyUrl }),
    config: config ?? null,
  }
}

function credentialIn(text: string, apiVersion: string, who: string): ExecResult {
  let value: { kind?: unknown; apiVersion?: unknown; status?: Record<string, unknown> | null } | null
  try {
    value = JSON.parse(text)
  } catch {
    throw new ApiError(`${who} did not print an ExecCredential in JSON`)
  }
  if (value?.kind !== 'ExecCredential') throw new ApiError(`${who} did not print an ExecCredential in JSON`)
  if (value.apiVersion !== apiVersion) throw new ApiError(`${who} answered in another apiVersion than ${apiVersion}`)
  const field = (name: string) => {
    const v = value.status?.[name]
    return typeof v === 'string' && v !== '' ? v : undefined
  }
  const token = field('token')
  const clientCertificate = field('clientCertificateData')
  const clientKey = field('clientKeyData')
  if ((clientCertificate === undefined) !== (clientKey === undefined))
    throw new ApiError(`${who} gave a client certificate or a key without the other`)
  if (token === undefined && clientCertificate === undefined)
    throw new ApiError(`${who} gave neither a token nor a client certificate`)
  return {
    ...(token === undefined ? {} : { token: token.trim() }),
    ...(clientCertificate === undefined || clientKey === undefined ? {} : { clientCertificate, clientKey }),
  }
}
