/** A minute of the kernel's word in every test run; hours of it with `npm run fuzz:kernel`. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function fuzz(...args: string[]): { code: number | null; out: string; summary: Record<string, number> } {
  const r = spawnSync(process.execPath, ['dist/fuzz-kernel.js', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 110_000,
  })
  const last = r.stdout.trim().split('\n').at(-1) ?? ''
  return { code: r.status, out: r.stdout + r.stderr, summary: last.startsWith('{') ? JSON.parse(last) : {} }
}

beforeAll(() => {
  const built = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale', '--quiet'], {
    cwd: root,
    encoding: 'utf8',
  })
  expect(built.status, built.stderr).toBe(0)
})

describe('netwhy against the kernel', () => {
  it('random rulesets: every verdict, address and hit rule', () => {
    const { code, out, summary } = fuzz('--cases', '90', '--seed', '7000')
    expect(code, out).toBe(0)
    expect(summary.disagree).toBe(0)
    expect(summary.probes).toBeGreaterThan(250)
    expect(summary.agree! / summary.probes!).toBeGreaterThan(0.97)
  })
  it.each([
    ['flannel', 'iptables'],
    ['calico', 'nftables'],
  ])('random damage to a running %s lab with %s: every connection', (topology, proxy) => {
    const { code, out, summary } = fuzz(
      '--paths',
      '--rounds',
      '7',
      '--seed',
      '40',
      '--topology',
      topology,
      '--proxy',
      proxy,
    )
    expect(code, out).toBe(0)
    expect(summary.disagree).toBe(0)
    expect(summary.agree! / (summary.agree! + summary.unknown!)).toBeGreaterThan(0.85)
  })
  it.each([
    ['flannel', 'iptables', 'dual'],
    ['calico', 'nftables', 'ipv4'],
  ])('random policies in a %s lab with %s, %s: every connection of its pods', (topology, proxy, stack) => {
    const { code, out, summary } = fuzz(
      ...['--policies', '--rounds', '3', '--seed', '70', '--topology', topology, '--proxy', proxy, '--ip-stack', stack],
    )
    expect(code, out).toBe(0)
    expect(summary.disagree).toBe(0)
    expect(summary.deny! / summary.connections!).toBeGreaterThan(0.1)
    expect(summary.allow! / summary.connections!).toBeGreaterThan(0.1)
    expect(summary.unknown! / summary.connections!).toBeLessThan(0.05)
  })
})
