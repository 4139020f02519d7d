/** Why a connection to the API server failed, in one line for a person. */
import { X509Certificate } from 'node:crypto'
import type { Access } from './access.ts'

/** Codes of Node and OpenSSL (`openssl verify`, X509_V_ERR_*) in words. */
export function connectionTrouble(e: unknown, access: Access): string {
  const { code = '', message } = e as NodeJS.ErrnoException
  const { host, hostname } = new URL(access.server)
  const where = `API server ${host} (${access.described})`
  switch (code) {
    case 'ECONNREFUSED':
      return `${where}: connection refused: nothing listens there, or a firewall says no`
    case 'ENOTFOUND':
      return `${where}: DNS does not know ${hostname}`
    case 'EAI_AGAIN':
      return `${where}: DNS did not answer for ${hostname}`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${where}: no route to it`
    case 'ETIMEDOUT':
      return `${where}: no answer in time`
    case 'ECONNRESET':
    case 'EPIPE':
      return `${where}: it closed the connection${expired(access.clientCertificate)}`
    case 'CERT_HAS_EXPIRED':
      return `${where}: its certificate has expired`
    case 'CERT_NOT_YET_VALID':
      return `${where}: its certificate is not valid yet: is the clock of this machine right?`
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return `${where}: x509: its certificate was signed by an unknown authority: is certificate-authority of another cluster?`
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `${where}: its certificate is for other names than ${access.tlsServerName ?? hostname} (see --tls-server-name)`
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      if (/wrong version number|packet length/i.test(message)) return `${where}: it does not speak TLS there`
      break
    case 'ERR_OSSL_X509_KEY_VALUES_MISMATCH':
      return `${where}: the client key does not belong to the client certificate`
  }
  if (/^ERR_SSL_.*ALERT|alert/.test(`${code} ${message}`))
    return `${where}: it refused the client certificate${expired(access.clientCertificate)}`
  return `${where}: ${message}`
}

/** `: it expired on DATE`, when the client certificate has. */
export function expired(certificate: string | undefined, now = Date.now()): string {
  if (certificate === undefined) return ''
  try {
    const { validTo } = new X509Certificate(certificate)
    return Date.parse(validTo) < now
      ? `: the client certificate expired on ${new Date(validTo).toISOString().slice(0, 10)}`
      : ''
  } catch {
    return ': the client certificate cannot be read'
  }
}
