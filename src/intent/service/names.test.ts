import { expect, test } from 'vitest'
import { endpointChain, nftEndpointBase, nftServiceBase, servicePortHash, servicePortName } from './names.ts'

const id = (namespace: string, service: string, portName: string, protocol = 'tcp') => ({
  namespace,
  service,
  portName,
  protocol,
})

// Check values: chains of clusters and of kube-proxy's own tests, which name the same Services.
test.each([
  ['ns1', 'svc1', 'p80', 'XPGD46QRK7WJZT7O'],
  ['ns2', 'svc2', 'p80', 'GNZBNJ2PO5MGZ6GT'],
  ['ns4', 'svc4', 'p80', '4SW47YFZTEDKD3PK'],
  ['default', 'kubernetes', 'https', 'NPX46M4PTMTKRN6Y'],
  ['kube-system', 'kube-dns', 'dns-tcp', 'ERIFXISQEP7F7OF4'],
])('iptables hash of %s/%s:%s', (namespace, service, port, hash) => {
  expect(servicePortHash(id(namespace, service, port))).toBe(hash)
})

test('the protocol is part of the hash', () => {
  expect(servicePortHash(id('kube-system', 'kube-dns', 'dns', 'udp'))).toBe('TCOU7JCQXEZGVUNU')
})

test('endpoint chains', () => {
  expect(endpointChain(id('ns1', 'svc1', 'p80'), '10.180.0.1:80')).toBe('KUBE-SEP-SXIVWICOYRO3J4NJ')
  expect(endpointChain(id('ns4', 'svc4', 'p80'), '10.180.0.5:80')).toBe('KUBE-SEP-C6EBXVWJJZMIWKLZ')
})

test('nftables names', () => {
  expect(nftServiceBase(id('testing', 'service', 'http'))).toBe('P4ZYZVCF-testing/service/tcp/http')
  expect(nftServiceBase(id('ns1', 'svc1', ''))).toMatch(/^[A-Z2-7]{8}-ns1\/svc1\/tcp\/$/)
  expect(nftEndpointBase(id('ns1', 'svc1', 'p80'), '10.180.0.1', 80)).toBe('5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80')
  expect(nftEndpointBase(id('a', 'b', 'c'), 'fd00:10:244::1', 80)).toMatch(/-a\/b\/tcp\/c__fd00\.10\.244\.\.1\/80$/)
  const long = nftServiceBase(id('n'.repeat(120), 's'.repeat(120), 'p'))
  expect([long.length, long.slice(-3)]).toEqual([240, '...'])
})

test('the name without a port has no colon', () => {
  expect(servicePortName(id('a', 'b', ''))).toBe('a/b')
})
