import { expect, it } from 'vitest'
import { networkOf, parsePrefix } from '../../base/ip.ts'
import type { PolicyPeer, PolicyPort, Requirement } from '../../intent/policy/policy.ts'
import { peerCovers, portCovers, selectorCovers } from './covers.ts'
import { distance, nearestLabel } from './nearest.ts'

const need = (operator: Requirement['operator'], ...values: string[]): Requirement => ({ key: 'app', operator, values })

it.each<[wide: Requirement, narrow: Requirement, covers: boolean]>([
  [need('In', 'a', 'b'), need('In', 'a'), true],
  [need('In', 'a'), need('In', 'a', 'b'), false],
  [need('In', 'a'), need('Exists'), false],
  [need('Exists'), need('In', 'a'), true],
  [need('Exists'), need('NotIn', 'a'), false],
  [need('NotIn', 'a'), need('In', 'b'), true],
  [need('NotIn', 'a'), need('In', 'a', 'b'), false],
  [need('NotIn', 'a'), need('Exists'), false],
  [need('NotIn', 'a'), need('DoesNotExist'), true],
  [need('NotIn', 'a'), need('NotIn', 'a', 'b'), true],
  [need('NotIn', 'a', 'b'), need('NotIn', 'a'), false],
  [need('DoesNotExist'), need('NotIn', 'a'), false],
  [need('opaque', 'x'), need('opaque', 'x'), false],
])('%j covers %j: %s', (wide, narrow, covers) => {
  expect(selectorCovers([wide], [narrow])).toBe(covers)
  expect(selectorCovers([], [narrow])).toBe(true)
  expect(selectorCovers([wide], [])).toBe(false)
})

const prefix = (text: string) => networkOf(parsePrefix(text) ?? expect.fail(text))
const block = (cidr: string, ...except: string[]): PolicyPeer => ({
  kind: 'ipBlock',
  cidr: prefix(cidr),
  except: except.map(prefix),
})
const pods = (namespaces: boolean | null, ...app: string[]): PolicyPeer => ({
  kind: 'pods',
  namespaces: namespaces === null ? null : [],
  pods: app.length === 0 ? null : [need('In', ...app)],
})

it.each<[wide: PolicyPeer, narrow: PolicyPeer, covers: boolean]>([
  [block('10.0.0.0/8'), block('10.1.0.0/16'), true],
  [block('10.1.0.0/16'), block('10.0.0.0/8'), false],
  [block('10.0.0.0/8', '10.1.0.0/16'), block('10.1.2.0/24'), false],
  [block('10.0.0.0/8', '10.1.2.0/24'), block('10.1.0.0/16'), false],
  [block('10.0.0.0/8', '10.1.2.0/24'), block('10.1.0.0/16', '10.1.2.0/23'), true],
  [block('10.0.0.0/8', '10.9.0.0/16'), block('10.1.0.0/16'), true],
  [block('0.0.0.0/0'), block('::/0'), false],
  [block('0.0.0.0/0'), pods(true), false],
  [pods(true), pods(null, 'a'), true],
  [pods(null), pods(true, 'a'), false],
  [pods(null), pods(null, 'a'), true],
  [pods(null, 'a'), pods(null), false],
])('peer %#', (wide, narrow, covers) => {
  expect(peerCovers({ peer: wide, namespace: 'x' }, { peer: narrow, namespace: 'x' })).toBe(covers)
})

it('a podSelector alone covers none of another namespace', () => {
  expect(peerCovers({ peer: pods(null), namespace: 'x' }, { peer: pods(null), namespace: 'y' })).toBe(false)
})

const range = (protocol: string, from: number, to = from): PolicyPort => ({ kind: 'range', protocol, from, to })
const named = (protocol: string, name: string): PolicyPort => ({ kind: 'named', protocol, name })

it.each<[wide: PolicyPort, narrow: PolicyPort, covers: boolean]>([
  [range('TCP', 0, 65535), named('TCP', 'http'), true],
  [range('TCP', 0, 65535), named('UDP', 'http'), false],
  [range('TCP', 80, 90), range('TCP', 85), true],
  [range('TCP', 80, 90), range('TCP', 85, 95), false],
  [range('TCP', 80), range('UDP', 80), false],
  [range('TCP', 80), named('TCP', 'http'), false],
  [named('TCP', 'http'), named('TCP', 'http'), true],
  [named('TCP', 'http'), range('TCP', 80), false],
])('port %#', (wide, narrow, covers) => {
  expect(portCovers(wide, narrow)).toBe(covers)
})

it.each([
  ['web', 'wbe', 1],
  ['web', 'web', 0],
  ['monitoring', 'monitorng', 1],
  ['frontend', 'backend', 3],
  ['a', 'abcd', 3],
])('%s is %s with %i slips', (a, b, slips) => {
  expect(distance(a, b, 2)).toBe(slips)
  expect(distance(b, a, 2)).toBe(slips)
})

it.each([
  ['wbe', { app: 'web' }, 'web'],
  ['Web', { app: 'web' }, 'web'],
  ['web-1', { app: 'web-2' }, undefined],
  ['v1', { app: 'v2' }, undefined],
  ['db', { app: 'dv' }, undefined],
  ['web', { 'app.kubernetes.io/name': 'web' }, 'web'],
  ['frontend', { role: 'frontend' }, undefined],
])('nearest to app=%s in %j: %s', (wanted, labels, value) => {
  expect(nearestLabel(need('In', wanted), [labels])?.value).toBe(value)
})
