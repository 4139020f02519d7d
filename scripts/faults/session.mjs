// One case in the reference lab: healthy, broken, and after the remedy. Everything happens inside the private namespaces of
// `reflab.sh run`; the commands of a remedy are run where the finding says (a node, a pod, or the cluster's API).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokenCheck, HEALTHY_QUESTION, healthyLab } from './catalogue.mjs'

const REMEDY = fileURLToPath(new URL('./remedy-script.mjs', import.meta.url))
const KUBECTL = fileURLToPath(new URL('./kubectl.sh', import.meta.url))

const word = (s) => `'${s.replaceAll("'", "'\\''")}'`

/** Shell lines that ask netwhy and keep its answer in DIR/NAME.json. */
function ask(netwhy, question, prove, dir, name) {
  const out = join(dir, name)
  const q = `${word(question.from)} ${word(question.to)} --protocol ${question.protocol}`
  return `inventory > $LAB/inv.yaml; t0=$(date +%s%N)
timeout 60 ${netwhy} why ${q} --inventory $LAB/inv.yaml ${prove ? '--prove' : ''} -o json > ${out}.json 2> ${out}.err < /dev/null
echo $(( ($(date +%s%N) - t0) / 1000000 )) > ${out}.ms`
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

const readText = (file) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '')

/** Runs `lines` in a fresh reference lab. */
function inLab(reflab, dir, name, lines) {
  const script = join(dir, `${name}.sh`)
  writeFileSync(script, `${lines.join('\n')}\n`)
  spawnSync('bash', [reflab, 'run', script], { timeout: 240_000, stdio: 'ignore' })
}

/** The same question on the lab without the fault. */
export function askHealthy(o, c, fault) {
  const dir = join(o.dir, c.id)
  mkdirSync(dir, { recursive: true })
  const question = { ...c, ...HEALTHY_QUESTION[c.id] }
  inLab(o.reflab, dir, 'healthy-lab', [healthyLab(c.id, fault), ask(o.netwhy, question, o.prove, dir, 'healthy')])
  return { answer: readJson(join(dir, 'healthy.json')), ms: Number(readText(join(dir, 'healthy.ms'))) }
}

/** The fault: the catalogue's own check, the answer, the remedy if it names commands, and both once more. */
export function askBroken(o, c, fault) {
  const dir = join(o.dir, c.id)
  mkdirSync(dir, { recursive: true })
  const check = brokenCheck(c.id, fault)
  const real = (name) => (check ? `( ${check.command} ) > ${join(dir, name)}.real 2>&1 < /dev/null` : 'true')
  const file = (n) => join(dir, n)
  const lines = [
    fault.inject,
    ask(o.netwhy, c, o.prove, dir, 'broken'),
    ...(o.text
      ? [
          `timeout 60 ${o.netwhy} why ${word(c.from)} ${word(c.to)} --protocol ${c.protocol} --inventory $LAB/inv.yaml ${o.prove ? '--prove' : ''} > ${file('broken.txt')} 2>&1 < /dev/null`,
        ]
      : []),
    ...(o.snapshots
      ? [
          `${o.netwhy} snapshot --inventory $LAB/inv.yaml -o ${join(o.snapshots, `${c.id}.tar.gz`)} > ${file('snapshot.log')} 2>&1 < /dev/null`,
        ]
      : []),
  ]
  if (o.remedies)
    lines.push(
      real('broken'),
      `node ${REMEDY} ${file('broken.json')} > ${file('remedy.sh')}`,
      `if [ -s ${file('remedy.sh')} ]; then`,
      `mkdir -p $LAB/bin; cp ${KUBECTL} $LAB/bin/kubectl; chmod +x $LAB/bin/kubectl; export REFLAB=${o.reflab}`,
      `PATH=$LAB/bin:$PATH bash -x ${file('remedy.sh')} > ${file('remedy.log')} 2>&1 < /dev/null; echo $? > ${file('remedy.rc')}`,
      real('cured'),
      ask(o.netwhy, c, o.prove, dir, 'cured'),
      'fi',
    )
  inLab(o.reflab, dir, 'broken-lab', lines)
  const shows = (name) => {
    const at = file(`${name}.real`)
    if (!check || !existsSync(at)) return null
    // Where the catalogue says what the same command prints on the healthy lab, that decides: NOERROR contains ERR.
    const { before } = fault
    return before?.command === check.command
      ? /timed out/.test(readText(at)) || !new RegExp(`^(?:${before.expect.source})`).test(readText(at))
      : check.expect.test(readText(at))
  }
  return {
    answer: readJson(file('broken.json')),
    error: readText(file('broken.err')).split('\n').at(-1) ?? '',
    ms: Number(readText(file('broken.ms'))),
    reallyBroken: shows('broken'),
    commands: readText(file('remedy.sh')) !== '',
    exit: existsSync(file('remedy.rc')) ? Number(readText(file('remedy.rc'))) : null,
    stillBroken: shows('cured'),
    after: readJson(file('cured.json')),
  }
}

/** Codes of the errors doctor reports on the lab with the fault, and the time it took in ms. */
export function askDoctor(o, id, fault) {
  const dir = join(o.dir, id)
  mkdirSync(dir, { recursive: true })
  const out = join(dir, 'doctor')
  inLab(o.reflab, dir, 'doctor-lab', [
    fault.inject,
    'inventory > $LAB/inv.yaml; t0=$(date +%s%N)',
    `timeout 60 ${o.netwhy} doctor --inventory $LAB/inv.yaml -o json > ${out}.json 2> ${out}.err < /dev/null`,
    `echo $(( ($(date +%s%N) - t0) / 1000000 )) > ${out}.ms`,
  ])
  const errors = readJson(`${out}.json`)?.findings.filter((f) => f.severity === 'error') ?? []
  return { codes: errors.map((f) => f.code), ms: Number(readText(`${out}.ms`)) }
}
