import { expect, test } from 'vitest'
import { hostVeth, labPlace, NODES, podIP, podNumber } from './plan.ts'

test('the contract’s place, and one of one’s own', () => {
  expect(labPlace({})).toEqual({ prefix: 'netwhy-', dir: '/run/netwhy-lab' })
  expect(labPlace({ NETWHY_LAB_PREFIX: 'mine-', NETWHY_LAB_DIR: '/run/mine' })).toEqual({
    prefix: 'mine-',
    dir: '/run/mine',
  })
})

test.each([
  { NETWHY_LAB_PREFIX: '-' },
  { NETWHY_LAB_PREFIX: 'n' },
  { NETWHY_LAB_PREFIX: 'a b-' },
  { NETWHY_LAB_PREFIX: '../-' },
  { NETWHY_LAB_DIR: '/' },
  { NETWHY_LAB_DIR: '/home' },
  { NETWHY_LAB_DIR: 'run/lab' },
  { NETWHY_LAB_DIR: '/run/../home' },
  { NETWHY_LAB_DIR: '/run/a b' },
])('a place that would be dangerous to clear is refused: %j', (env) => {
  expect(() => labPlace(env)).toThrow(/must be/)
})

test('pod addresses and numbers', () => {
  for (const node of NODES)
    for (const family of [4, 6] as const) {
      expect(podNumber(node, podIP(node, 53, family))).toBe(53)
      expect(podNumber(NODES[node.index % 3]!, podIP(node, 53, family))).toBeNull()
    }
})

test('interface names fit the kernel’s 15 characters', () => {
  for (const topology of ['flannel', 'calico'] as const)
    expect(hostVeth(topology, 'n'.repeat(63), 'p'.repeat(63)).length).toBeLessThanOrEqual(15)
})
