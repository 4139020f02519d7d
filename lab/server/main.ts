/**
 * The one program every process of the lab runs.
 * `lab-server.js SPEC.json` serves what the file says and writes `ready` to descriptor 3 when every socket listens;
 * `lab-server.js probe tcp|udp HOST PORT [MILLISECONDS [PATH]]` makes one connection and prints `{"outcome","text"}`.
 */
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { serveDns } from './dns.ts'
import { serveTcp, serveUdp } from './echo.ts'
import { probe } from './probe.ts'
import type { ServerSpec } from './spec.ts'

const READY = 3

async function serve(path: string): Promise<void> {
  const spec = JSON.parse(readFileSync(path, 'utf8')) as ServerSpec
  await Promise.all([
    ...spec.tcp.map((at) => serveTcp(spec.name, at)),
    ...spec.udp.map((at) => serveUdp(spec.name, at)),
    ...spec.dns.map((at) => serveDns(spec, at)),
  ])
  writeSync(READY, 'ready\n')
  closeSync(READY)
}

const [first, ...rest] = process.argv.slice(2)
if (first === 'probe') process.stdout.write(`${JSON.stringify(await probe(rest))}\n`)
else if (first !== undefined) await serve(first)
else {
  process.stderr.write('usage: lab-server SPEC.json | probe tcp|udp HOST PORT [MILLISECONDS [PATH]]\n')
  process.exitCode = 2
}
