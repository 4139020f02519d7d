/** collect.sh against real namespaces, each test in private mount and network namespaces of its own. Root. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { run } from '../host/run.ts'
import { snapshotFromEntries } from '../snapshot/from-entries.ts'
import type { ManifestArtefact, Snapshot } from '../snapshot/snapshot.ts'
import { readTar } from '../snapshot/tar-read.ts'
import collector from './collect.sh'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-collect-test-'))
  execFileSync('chmod', ['1777', dir])
})
afterEach(async () => {
  // Whatever happened: no process and no temporary folder of the collector is left. A killed process takes a moment to go.
  await vi.waitFor(() => expect(survivors()).toEqual([]), { timeout: 5000, interval: 20 })
  const left = readdirSync(dir)
  rmSync(dir, { recursive: true, force: true })
  expect(left).toEqual([])
})

const LAB = `
mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs none /run/netns; }
ip netns add n1; ip netns add p1; ip netns add p2
ip -n n1 link set lo up
ip -n n1 link add br.1 type bridge; ip -n n1 link set br.1 up; ip -n n1 addr add 10.1.1.1/24 dev br.1
for i in 1 2; do
  ip -n n1 link add v$i type veth peer name eth0 netns p$i; ip -n n1 link set v$i master br.1 up
  ip -n p$i addr add 10.1.1.1$i/24 dev eth0; ip -n p$i link set eth0 up; ip -n p$i link set lo up
done
`
const ON_N1 = 'ip netns exec n1 sh -s -- --node n1 --scope netns --pod shop/a=netns:p1 --pod shop/b=netns:p2'

/** Processes that carry this run's mark in their environment. */
const survivors = () =>
  readdirSync('/proc')
    .filter((p) => /^\d+$/.test(p))
    .filter((p) => {
      try {
        return readFileSync(`/proc/${p}/environ`, 'latin1').includes(`TMPDIR=${dir}`)
      } catch {
        return false
      }
    })

/** Runs a script in private namespaces, the collector on its standard input. */
async function inside(script: string, timeout = 60_000) {
  const args = ['-m', '-n', '--propagation', 'private', 'sh', '-c', `exec 3<&0; { ${script}\n} <&3`]
  return run('env', [`TMPDIR=${dir}`, 'unshare', ...args], { stdin: collector, timeout, maxOutput: 1e8 })
}

async function collect(script: string): Promise<Snapshot> {
  const result = await inside(script)
  expect(result.stderr).toBe('')
  expect(result.exitCode).toBe(0)
  return snapshotFromEntries(readTar(result.stdout), '2026-01-01T00:00:00Z')
}

const artefact = (s: Snapshot, path: string): ManifestArtefact | undefined =>
  s.manifest.artefacts.find((a) => a.path === `nodes/n1/${path}`)

describe('a node that is a netns, with two pods', () => {
  test('every netns is read from inside, and nothing of the machine is taken for its own', async () => {
    const s = await collect(`${LAB}
      ip netns exec n1 iptables-legacy -A FORWARD -s 10.9.9.9 -j DROP
      ip netns exec n1 iptables-nft -A FORWARD -s 10.8.8.8 -j DROP
      ip netns exec n1 sysctl -qw net.ipv4.conf.br/1.rp_filter=2
      ip -n p1 route add 10.77.0.0/16 via 10.1.1.1
      ip netns exec p2 nft 'add table inet own; add chain inet own c'
      ip netns exec p1 tc qdisc add dev eth0 clsact
      ip netns exec p1 tc filter add dev eth0 egress protocol ip u32 match ip dst 10.5.5.5 flowid 1:1
      ${ON_N1}`)
    const text = (path: string) => s.text(`nodes/n1/${path}`) ?? 'absent'
    expect(s.manifest.nodes).toEqual([{ name: 'n1', via: 'collect.sh' }])
    expect(s.manifest.pods).toEqual([
      { namespace: 'shop', name: 'a', node: 'n1', folder: 'nodes/n1/pods/shop_a' },
      { namespace: 'shop', name: 'b', node: 'n1', folder: 'nodes/n1/pods/shop_b' },
    ])
    expect(
      JSON.parse(text('host/ip-link.json'))
        .map((l: { ifname: string }) => l.ifname)
        .sort(),
    ).toEqual(['br.1', 'lo', 'v1', 'v2'])
    expect(text('host/sysctl.txt')).toContain('\nnet.ipv4.conf.br/1.rp_filter = 2\n')
    expect(text('pods/shop_a/sysctl.txt')).toMatch(/^net\.ipv4\.conf\.eth0\.rp_filter = [01]$/m)
    expect(text('host/iptables-legacy-save.txt')).toContain('-A FORWARD -s 10.9.9.9/32 -j DROP')
    expect(text('host/iptables-save.txt')).toContain('-A FORWARD -s 10.8.8.8/32 -j DROP')
    expect(text('host/nft-ruleset.txt')).toContain('10.8.8.8')
    expect(text('pods/shop_b/nft-ruleset.txt')).toContain('table inet own')
    expect(text('pods/shop_a/nft-ruleset.txt')).toBe('')
    expect(artefact(s, 'pods/shop_a/iptables-save.txt')).toMatchObject({
      exitCode: 0,
      bytes: 0,
      command: expect.stringContaining('not run'),
    })
    expect(text('pods/shop_a/ip-route.json')).toContain('10.77.0.0/16')
    expect(text('pods/shop_a/tc-filter.txt')).toMatch(
      /^# dev eth0 ingress\n# dev eth0 egress\nfilter [\s\S]*match 0a050505/,
    )
    expect(artefact(s, 'pods/shop_b/tc-filter.txt')).toMatchObject({ exitCode: 0, bytes: 0 })
    const inode = (path: string) => /^inode (\d+)\nname (\w+)$/m.exec(text(`${path}/netns.txt`))
    expect(inode('pods/shop_a')?.[2]).toBe('p1')
    expect(text('host/netns.txt')).toMatch(new RegExp(`^nsid \\d+ ${inode('pods/shop_a')?.[1]} p1$`, 'm'))
    // The machine's own log, CNI files and resolver are not those of a netns.
    expect(s.paths('nodes/n1/node/')).toEqual(
      ['iptables-version.txt', 'kernel-release.txt', 'pods.tsv'].map((f) => `nodes/n1/node/${f}`),
    )
    expect(s.paths().filter((p) => p.endsWith('resolv.conf') || p.endsWith('hosts'))).toEqual([])
    expect(s.manifest.artefacts.filter((a) => a.exitCode !== 0)).toEqual([])
  })

  test('looking makes no iptables or nft table', async () => {
    const result = await inside(`${LAB}
      state() { for n in n1 p1; do ip netns exec $n sh -c 'cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null; nft list tables'; done; }
      ${ON_N1} >/dev/null; state; echo end
      ip netns exec p1 iptables-legacy-save >/dev/null; ip netns exec p1 iptables-legacy -L -n >/dev/null; state`)
    const [before, after] = result.stdout.toString().split('end\n')
    expect(before).toBe('')
    // The control: asking iptables-legacy for a table does make it, so the check above can fail.
    expect(after).toContain('filter')
  })

  test('the resolver of /etc/netns/NAME is that of the netns', async () => {
    const s = await collect(`${LAB}
      mount -t tmpfs none /etc/netns 2>/dev/null || { mount -t tmpfs none /mnt; mkdir -p /mnt/up /mnt/work; mount -t overlay -o lowerdir=/etc,upperdir=/mnt/up,workdir=/mnt/work none /etc; mkdir -p /etc/netns; }
      mkdir -p /etc/netns/p1; echo 'nameserver 10.96.0.10' >/etc/netns/p1/resolv.conf
      ${ON_N1}`)
    expect(s.text('nodes/n1/pods/shop_a/resolv.conf')).toBe('nameserver 10.96.0.10\n')
    expect(s.text('nodes/n1/pods/shop_b/resolv.conf')).toBeNull()
  })

  test('tools that are missing are said to be missing, and /proc stands in for conntrack', async () => {
    // A file without execute permission in the place of the tool is as good as no file.
    const s = await collect(`${LAB}
      for t in conntrack nft nstat ipset; do mount --bind /dev/null "$(readlink -f "$(command -v $t)")"; done
      ip netns exec n1 iptables-nft -A OUTPUT -m conntrack --ctstate NEW -j ACCEPT
      ip netns exec n1 ping -c1 -W1 127.0.0.1 >/dev/null
      ${ON_N1}`)
    expect(artefact(s, 'host/nft-ruleset.txt')?.exitCode).toBeGreaterThanOrEqual(126)
    expect(s.text('nodes/n1/host/nft-ruleset.txt')).toBeNull()
    expect(artefact(s, 'host/nft-ruleset.txt')?.stderr).not.toBe('')
    expect(artefact(s, 'host/conntrack.txt')?.command).toBe('cat /proc/net/nf_conntrack')
    expect(s.text('nodes/n1/host/conntrack.txt')).toContain('src=127.0.0.1')
    expect(artefact(s, 'host/nstat.txt')).toMatchObject({ exitCode: 127, bytes: 0 })
    expect(s.text('nodes/n1/host/proc-net-counters.txt')).toContain('TcpExt:')
    expect(s.text('nodes/n1/host/ip-link.json')).toContain('br.1')
  })

  test('a pod whose netns is gone is told, the rest is kept', async () => {
    const s = await collect(`${LAB}\n${ON_N1} --pod shop/gone=netns:nowhere --pod shop/dead=pid:999999999`)
    const gone = s.manifest.pods.filter((p) => p.folder === null)
    expect(gone.map((p) => [p.name, p.error !== undefined && p.error !== ''])).toEqual([
      ['gone', true],
      ['dead', true],
    ])
    expect(s.manifest.pods).toHaveLength(4)
    expect(s.text('nodes/n1/pods/shop_a/ip-link.json')).toContain('eth0')
  })

  test('arguments that are no pods are refused, not run', async () => {
    const result = await inside(
      `${LAB}\n${ON_N1} --pod 'a/b/c=netns:p1' --pod 'a;id/b=netns:p1' --pod 'a/b=netns:../p1' --pod '../x/y=netns:p1$(id)' --pod 'x=netns:p1'`,
    )
    const s = snapshotFromEntries(readTar(result.stdout), '')
    expect(result.stderr.match(/not a (pod|namespace)/g)).toHaveLength(5)
    expect(s.manifest.pods.map((p) => p.name)).toEqual(['a', 'b'])
  })
})

describe('what a user without privileges may read', () => {
  test('is there; what is refused is never an empty table', async () => {
    const s = await collect(`${LAB}
      ip netns exec n1 iptables-nft -A FORWARD -s 10.8.8.8 -j DROP
      ip netns exec n1 setpriv --reuid 65534 --regid 65534 --clear-groups sh -s -- --node n1 --scope netns`)
    expect(s.text('nodes/n1/host/ip-link.json')).toContain('br.1')
    expect(s.text('nodes/n1/host/sysctl.txt')).toContain('net.ipv4.ip_forward = ')
    for (const path of [
      'host/iptables-save.txt',
      'host/nft-ruleset.txt',
      'host/nft-ruleset.json',
      'host/ipset-save.txt',
    ]) {
      expect([path, artefact(s, path)?.exitCode]).not.toEqual([path, 0])
      expect([path, s.text(`nodes/n1/${path}`) || null]).toEqual([path, null])
      expect(artefact(s, path)?.stderr).not.toBe('')
    }
    expect(artefact(s, 'host/iptables-legacy-save.txt')?.exitCode).not.toBe(0)
  })
})

describe('time', () => {
  const HANG = `printf '#!/bin/sh\\nexec sleep 1000\\n' >/run/netns/hang; chmod 755 /run/netns/hang
    mount --bind /run/netns/hang "$(readlink -f "$(command -v nft)")"`

  test('a command that hangs costs its own limit and nothing else', async () => {
    const s = await collect(`${LAB}\n${HANG}\n${ON_N1} --command-timeout 1`)
    expect(artefact(s, 'host/nft-ruleset.txt')).toMatchObject({ exitCode: null, bytes: 0 })
    expect(s.text('nodes/n1/host/ip-link.json')).toContain('br.1')
    expect(s.text('nodes/n1/host/netns.txt')).toContain('inode')
    // Within a pod one limit covers all: what was read before the hang is kept, the rest is told.
    expect(s.text('nodes/n1/pods/shop_a/ip-link.json')).toContain('eth0')
    expect(artefact(s, 'pods/shop_a/nft-ruleset.txt')).toMatchObject({ exitCode: null })
  })

  test('when the time for the node is up the rest is marked as not run', async () => {
    const s = await collect(`${LAB}\n${ON_N1} --timeout 0`)
    const marked = s.manifest.artefacts.filter((a) => a.stderr.includes('the time for this node was up'))
    expect(marked.length).toBeGreaterThan(0)
    for (const a of marked) expect(a).toMatchObject({ exitCode: null, bytes: 0 })
  })

  test.each(['TERM', 'HUP', 'INT'])('on %s it ends at once, with no file and no process left', async (signal) => {
    const result = await inside(
      `${LAB}\n${HANG}
      ip netns exec n1 sh -c 'cat >${dir}/c.sh'
      ip netns exec n1 env --default-signal=HUP,INT,TERM sh ${dir}/c.sh --scope netns --node n1 --pod a/b=netns:p1 </dev/null >/dev/null & c=$!
      until [ $(find ${dir}/netwhy-collect.* -name nft-ruleset.txt.stderr 2>/dev/null | wc -l) = 2 ]; do sleep 0.05; done
      kill -s ${signal} $c; timeout 5 tail --pid=$c -f /dev/null || echo late; wait $c; echo "exit $?"; rm -f ${dir}/c.sh`,
    )
    expect(result.stdout.toString()).toBe(`exit ${{ TERM: 143, HUP: 129, INT: 130 }[signal]}\n`)
  })

  test('stopped by its caller it leaves nothing either', async () => {
    const result = await inside(`${LAB}\n${HANG}\n${ON_N1}`, 1500)
    expect(result.stopped).toBe('timeout')
    expect(result.elapsed).toBeLessThan(1500 + 2500)
  })
})

describe('pods of a machine', () => {
  test('are found by their cgroup and named by /var/log/pods; an unknown one keeps its UID', async () => {
    const uid = '0f2a6d1c-1111-4222-8333-abcdefabcdef'
    const other = '0f2a6d1c-1111-4222-8333-abcdefabcde0'
    const script = join(dir, 'lab.sh')
    writeFileSync(
      script,
      `${LAB}
      mount -t tmpfs none /var/log; mkdir -p /var/log/pods/shop_web-1_${uid}
      mkdir -p /run/netns/cg; mount -t cgroup2 none /run/netns/cg || { echo no-cgroup2; exit 0; }
      root=/run/netns/cg/netwhy-test-$$; pids=
      a=$root/kubepods.slice/kubepods-burstable-pod$(echo ${uid} | tr - _).slice; b=$root/kubepods/besteffort/pod${other}/c1
      trap 'kill $pids; wait $pids 2>/dev/null; find $root -depth -type d -exec rmdir {} +' EXIT
      mkdir -p $a $b
      ip netns exec p1 sleep 1000 & pids="$pids $!"; echo $! >$a/cgroup.procs
      ip netns exec p2 sleep 1000 & pids="$pids $!"; echo $! >$b/cgroup.procs
      sleep 1000 & pids="$pids $!"; echo $! >$a/cgroup.procs
      sh -s -- --node n1`,
    )
    const result = await inside(`sh ${script}`)
    rmSync(script)
    const out = result.stdout
    if (out.toString('latin1').startsWith('no-cgroup2')) return
    const s = snapshotFromEntries(readTar(out), '')
    expect(s.manifest.pods).toEqual([
      { namespace: 'shop', name: 'web-1', node: 'n1', folder: 'nodes/n1/pods/shop_web-1' },
    ])
    expect(s.text('nodes/n1/pods/shop_web-1/ip-addr.json')).toContain('10.1.1.11')
    expect(s.text(`nodes/n1/netns/pod-${other}/ip-addr.json`)).toContain('10.1.1.12')
    expect(s.text('nodes/n1/node/kernel-release.txt')).toMatch(/^\d/)
  })
})
