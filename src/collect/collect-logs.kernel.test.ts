/** Logs of system pods, read by collect.sh from a made-up /var/log/pods in a mount namespace of our own. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readTar } from '../snapshot/tar-read.ts'

const script = fileURLToPath(new URL('./collect.sh', import.meta.url))
const SETUP = `
set -e
mount -t tmpfs none /var/log
mount -t tmpfs none /var/lib
mkdir -p /var/lib/docker/containers/id /var/log/pods/kube-system_docker_u5/c
echo 2026-11-21T00:00:00Z of docker >/var/lib/docker/containers/id/id-json.log
ln -s /var/lib/docker/containers/id/id-json.log /var/log/pods/kube-system_docker_u5/c/0.log
put() { mkdir -p "/var/log/pods/$1"; cat >"/var/log/pods/$1/$2"; }
seq 1 500 | sed 's/^/2026-11-21T00:00:00Z stdout F line /' | put kube-system_coredns-1_u1/coredns 11.log
echo '2026-11-21T00:00:00Z stderr F the run before' | put kube-system_young_u2/c 9.log
echo '2026-11-21T00:00:01Z stderr F this run: Authorization: Bearer abcdefgh12345 password=hunter2' | put kube-system_young_u2/c 10.log
echo secret | put shop_web-1_u3/web 0.log
mkdir -p /var/log/pods/kube-system_evil_u4/c
ln -s /etc/hostname /var/log/pods/kube-system_evil_u4/c/0.log
ln -s /var/lib/docker/containers/../../../../etc/hostname /var/log/pods/kube-system_evil_u4/c/1.log
exec sh -s -- --node n1 --no-pods --timeout 30 <"$1"
`

test('the last lines of system pods, of the run before too, without credentials; other pods, and links but those to the own folder of docker, are left alone', () => {
  const run = spawnSync('unshare', ['-m', '-n', 'sh', '-c', SETUP, 'sh', script], { maxBuffer: 1 << 26 })
  expect(run.status, run.stderr.toString()).toBe(0)
  const files = new Map(readTar(run.stdout).map((e) => [e.path, e]))
  const logs = [...files.keys()].filter((p) => p.startsWith('n1/node/logs/')).sort()
  expect(logs).toEqual(['coredns-1_coredns', 'docker_c', 'young_c'].map((n) => `n1/node/logs/kube-system_${n}.txt`))
  const text = (path: string) => new TextDecoder().decode(files.get(path)!.data()).trim().split('\n')
  const long = text(logs[0]!)
  expect([long.length, long.at(-1)]).toEqual([300, '2026-11-21T00:00:00Z stdout F line 500'])
  expect(text(logs[2]!)).toEqual([
    '2026-11-21T00:00:00Z stderr F the run before',
    '2026-11-21T00:00:01Z stderr F this run: Authorization: Bearer REMOVED password=REMOVED',
  ])
})
