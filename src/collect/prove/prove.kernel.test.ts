/** probe.py and counters.sh against real namespaces: client c, router r, server s, in private mount and network namespaces. Root. */
import { expect, test } from 'vitest'
import { formatIp } from '../../base/ip.ts'
import { run } from '../../host/run.ts'
import counters from './counters.sh'
import program from './probe.py'
import { movedBetween, readCounters } from './read-counters.ts'
import { readAsked, readWatched } from './read-output.ts'

const LAB = `
mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs none /run/netns; }
cd /run/netns
cat > p.py <<'END_OF_P'
${program}
END_OF_P
cat > c.sh <<'END_OF_C'
${counters}
END_OF_C
for n in c r s; do ip netns add $n; ip -n $n link set lo up; done
ip -n r link add rc type veth peer name eth0 netns c
ip -n r link add rs type veth peer name eth0 netns s
ip -n r addr add 10.9.1.1/24 dev rc; ip -n r link set rc up; ip -n c addr add 10.9.1.2/24 dev eth0; ip -n c link set eth0 up
ip -n r addr add 10.9.2.1/24 dev rs; ip -n r link set rs up; ip -n s addr add 10.9.2.2/24 dev eth0; ip -n s link set eth0 up
ip -n c route add default via 10.9.1.1; ip -n s route add default via 10.9.2.1
ip netns exec r sysctl -qw net.ipv4.ip_forward=1
ask() { ip netns exec c python3 p.py "$@"; }
count() { ip netns exec r sh c.sh iptables-save -- ''; }
`

async function inside(script: string): Promise<string[]> {
  const result = await run('unshare', ['-m', '-n', '--propagation', 'private', 'sh', '-s'], {
    stdin: `${LAB}\n${script}`,
    timeout: 30_000,
    maxOutput: 1e7,
  })
  expect(result.stderr).toBe('')
  return result.stdout.toString('utf8').split('-----\n')
}

const CONNECT = 'connect,10.9.2.2,80,3,1,0,'

test('the TTL of a RST tells the closed port of the server from the REJECT of the router, and its counter moves', async () => {
  const [closed = '', before = '', rejected = '', after = '', icmp = ''] = await inside(`
    ask ${CONNECT}; echo -----
    ip netns exec r iptables -A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset
    count; echo -----
    ask ${CONNECT}; echo -----
    count; echo -----
    ip netns exec r iptables -R FORWARD 1 -p tcp --dport 80 -j REJECT --reject-with icmp-host-prohibited
    ask ${CONNECT}`)
  const senders = (text: string) =>
    readAsked(text, 1).jobs[0]?.senders.map((s) => ({ kind: s.kind, from: formatIp(s.from), ttl: s.ttl, code: s.code }))
  expect(senders(closed)).toEqual([{ kind: 'rst', from: '10.9.2.2', ttl: 63, code: undefined }])
  expect(senders(rejected)).toEqual([{ kind: 'rst', from: '10.9.2.2', ttl: 64, code: undefined }])
  expect(senders(icmp)).toEqual([{ kind: 'icmp', from: '10.9.1.1', ttl: 64, code: 10 }])
  expect(readAsked(icmp, 1).jobs[0]).toMatchObject({ sent: 3, answered: 0, error: 'EHOSTUNREACH' })
  expect(movedBetween(readCounters(before), readCounters(after))).toContainEqual({
    kind: 'rule',
    table: 'filter',
    name: '-A FORWARD -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset',
    by: 3,
  })
}, 40_000)

test('the largest packet that passes is found to the byte', async () => {
  const [silent = '', told = ''] = await inside(`
    ip -n r link set rs mtu 1337; ip -n s link set eth0 mtu 1337
    ip netns exec r iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
    ask mtu,10.9.2.2,0,1,1,0,576-1500; echo -----
    ip netns exec r iptables -F OUTPUT
    ask mtu,10.9.2.2,0,1,1,0,576-1500`)
  expect(readAsked(silent, 1).jobs[0]).toMatchObject({ mtu: { largest: 1337, lost: 1338 }, senders: [] })
  expect(readAsked(told, 1).jobs[0]?.senders[0]).toMatchObject({ kind: 'icmp', type: 3, code: 4, mtu: 1337 })
}, 40_000)

test('a watcher sees the same packet at every link, and nothing else; killing its parent ends it', async () => {
  const [seen = '', gone = ''] = await inside(`
    sh -c 'ip netns exec r python3 p.py watch,20,6,10.9.2.2/80, > out & echo $! > pid; wait' & P=$!
    i=0; until grep -q ready out 2>/dev/null || [ $i -ge 200 ]; do sleep 0.05; i=$((i + 1)); done
    ask ${CONNECT} connect,10.9.2.2,81,2,1,0, connect,10.9.1.1,80,2,1,0, > /dev/null
    i=0; until [ $(grep -c 'rc out reply' out) -ge 3 ] || [ $i -ge 100 ]; do sleep 0.05; i=$((i + 1)); done
    cat out; echo -----
    kill -9 $P
    i=0; while kill -0 $(cat pid) 2>/dev/null && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
    kill -0 $(cat pid) 2>/dev/null && echo left || echo gone
    ls /run/netns | tr '\\n' ' '`)
  const at = new Map<string, Set<string>>()
  for (const s of readWatched(seen).seen) {
    const key = `${s.link} ${s.way} ${s.direction}`
    at.set(key, (at.get(key) ?? new Set()).add(s.id))
  }
  expect([...at.keys()].sort()).toEqual(['rc in forward', 'rc out reply', 'rs in reply', 'rs out forward'])
  const [first, ...rest] = [...at.values()]
  expect(first?.size).toBe(3)
  for (const ids of rest) expect(ids).toEqual(first)
  expect(gone).toBe('gone\nc c.sh out p.py pid r s ')
}, 40_000)
