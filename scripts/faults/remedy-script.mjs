// Prints the shell script that carries out the commands of an answer's first finding, each where `remedy.on` says.
// usage: remedy-script.mjs ANSWER.json     for the reference lab, where nodes and pods are network namespaces
import { readFileSync } from 'node:fs'

const word = (s) => `'${s.replaceAll("'", "'\\''")}'`

let answer = null
try {
  answer = JSON.parse(readFileSync(process.argv[2], 'utf8'))
} catch {
  process.exit(0)
}
const finding = answer.findings.find((f) => f.code === answer.rootCause)
const { commands = [], on = {} } = finding?.remedy ?? {}
const name = on.pod?.split('/').at(-1) ?? on.node
const lines = commands.map((c) => (on.kubectl ? c : `ip netns exec ${word(name ?? '')} bash -c ${word(c)}`))
if (lines.length > 0) process.stdout.write(`set -e\n${lines.join('\n')}\n`)
