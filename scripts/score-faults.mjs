// Scores netwhy on the fault catalogue's lab cases, on the real kernel: the reference lab is built for each case, once healthy
// and once with the fault; `why` must name the root cause with the fault and be silent without it. With --remedies the commands
// netwhy proposes are then carried out and the catalogue's own check says whether the real fault is cured.
// usage: npm run score:faults [-- --only F024,F025] [--no-prove] [--no-healthy] [--remedies] [--text] [--snapshots DIR]
//        [--json FILE] [--keep DIR] [--netwhy PROGRAM]
// Needs root; $NETWHY_SHARED names the folder of the shared material (default ../shared).
// Exit code 0 when at least 95 % of the faults are named right and every healthy question is answered in silence.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DOCTOR, NO_HEALTHY_FORM, readCatalogue, readQuestions, UNSEEN } from './faults/catalogue.mjs'
import { askBroken, askDoctor, askHealthy } from './faults/session.mjs'

const NEED = 0.95
/** Exit code of the lab's kubectl for what only a CNI, a controller or a policy engine could do. */
const NOT_IN_LAB = 90
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const shared = resolve(process.env.NETWHY_SHARED ?? join(root, '..', 'shared'))
const flag = (name) => process.argv.includes(name)
const value = (name) => (flag(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined)

const reflab = join(shared, 'faults', 'reflab.sh')
if (!existsSync(reflab)) {
  process.stderr.write(`score-faults: no fault catalogue in ${shared} (set NETWHY_SHARED)\n`)
  process.exit(2)
}
const program = value('--netwhy')
if (program === undefined) {
  const built = spawnSync('node', [join(root, 'scripts', 'build.mjs')], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (built.status !== 0) process.exit(4)
}
const kept = value('--keep')
const dir = kept === undefined ? mkdtempSync(join(tmpdir(), 'netwhy-score-')) : resolve(kept)
mkdirSync(dir, { recursive: true })
const snapshots = value('--snapshots')
if (snapshots !== undefined) mkdirSync(resolve(snapshots), { recursive: true })
const o = {
  dir,
  reflab,
  netwhy: resolve(program ?? join(root, 'netwhy')),
  prove: !flag('--no-prove'),
  remedies: flag('--remedies'),
  text: flag('--text'),
  snapshots: snapshots === undefined ? undefined : resolve(snapshots),
}

const loud = (answer) => (answer?.findings ?? []).filter((f) => f.severity !== 'info').map((f) => f.code)

/** Right, near (named, but not first) or wrong. */
function judge(c, broken) {
  const a = broken.answer
  if (!a) return { mark: 'MISS', got: `no answer: ${broken.error.slice(0, 100)}` }
  if (c.codes[0] === 'reachable') {
    const quiet = a.verdict === 'reachable' && loud(a).length === 0
    return { mark: quiet ? 'ok' : 'MISS', got: [a.verdict, ...loud(a)].join(' ') }
  }
  const got = `${a.verdict} ${a.rootCause}`
  if (c.codes.includes(a.rootCause) || c.codes.includes(a.verdict)) return { mark: 'ok', got }
  return { mark: a.findings.some((f) => c.codes.includes(f.code)) ? 'near' : 'MISS', got }
}

function remedyWord(broken) {
  const remedy = broken.answer?.findings.find((f) => f.code === broken.answer.rootCause)?.remedy
  const said = remedy?.verified ? 'verified' : 'not verified'
  if (!broken.commands) return `${said}, no commands`
  if (broken.exit === NOT_IN_LAB) return `${said}, the lab lacks what would carry it out`
  if (broken.exit !== 0) return `${said}, COMMANDS FAIL (exit ${broken.exit})`
  const real = broken.stillBroken === null ? 'untested' : broken.stillBroken ? 'NOT CURED' : 'cured'
  const asked = broken.after ? [broken.after.verdict, ...loud(broken.after)].join(' ') : 'no answer'
  return `${said}, ${real}, then ${asked}`
}

const rows = []
const catalogue = readCatalogue(join(shared, 'faults', 'catalogue.md'))
const only = value('--only')?.split(',')
for (const c of readQuestions(join(root, 'test', 'expect.tsv'))) {
  const fault = catalogue.get(c.id)
  if (!fault || (only && !only.includes(c.id))) continue
  const broken = askBroken(o, c, fault)
  const { mark, got } = judge(c, broken)
  const negative = c.codes[0] === 'reachable'
  const healthy = negative || flag('--no-healthy') || NO_HEALTHY_FORM.has(c.id) ? null : askHealthy(o, c, fault)
  const fine = UNSEEN.has(c.id) ? ['reachable', 'unknown'] : ['reachable']
  const silent = healthy === null ? null : fine.includes(healthy.answer?.verdict) && loud(healthy.answer).length === 0
  const without =
    silent === null
      ? ''
      : silent
        ? 'silent'
        : `LOUD: ${[healthy.answer?.verdict ?? 'no answer', ...loud(healthy.answer)].join(' ')}`
  const remedy = o.remedies && !negative ? remedyWord(broken) : ''
  rows.push({
    id: c.id,
    title: fault.title,
    want: c.codes,
    got,
    mark,
    ms: broken.ms,
    silent,
    without,
    remedy,
    reallyBroken: broken.reallyBroken,
  })
  const cells = [mark.padEnd(4), c.id, `${broken.ms} ms`.padStart(8), got.padEnd(44), without.padEnd(8), remedy]
  console.log(cells.join('  ').trimEnd())
  if (mark !== 'ok') console.log(`      wanted ${c.codes.join(',')}`)
  if (broken.reallyBroken === false && !negative) console.log('      the real connection was not broken')
}
for (const [id, want] of Object.entries(DOCTOR)) {
  const fault = catalogue.get(id)
  if (!fault || (only && !only.includes(id))) continue
  const { codes, ms } = askDoctor(o, id, fault)
  const mark = want.includes(codes[0]) ? 'ok' : codes.some((c) => want.includes(c)) ? 'near' : 'MISS'
  const got = `doctor: ${codes.join(' ') || 'no error'}`
  rows.push({ id, title: fault.title, want, got, mark, ms, silent: null, without: '', remedy: '', reallyBroken: null })
  console.log(`${mark.padEnd(4)}  ${id}  ${`${ms} ms`.padStart(8)}  ${got}`)
}
const count = (test) => rows.filter(test).length
const faults = rows.filter((r) => r.want[0] !== 'reachable')
const odd = rows.filter((r) => r.want[0] === 'reachable')
const right = faults.filter((r) => r.mark === 'ok').length
const quiet = odd.every((r) => r.mark === 'ok') && rows.every((r) => r.silent !== false)
const times = rows.map((r) => r.ms).sort((x, y) => x - y)
console.log(
  `${right} of ${faults.length} root causes right (${((100 * right) / Math.max(1, faults.length)).toFixed(1)} %), ${count((r) => r.mark === 'near')} near`,
)
console.log(
  `silent on ${odd.filter((r) => r.mark === 'ok').length} of ${odd.length} odd but healthy labs, and on ${count((r) => r.silent === true)} of ${count((r) => r.silent !== null)} labs without the fault`,
)
if (o.remedies)
  console.log(
    `remedies: ${count((r) => r.remedy.startsWith('verified'))} verified, ${count((r) => / cured,/.test(r.remedy))} cured the real fault, ${count((r) => /NOT CURED|FAIL/.test(r.remedy))} did not`,
  )
console.log(`time of one answer: median ${times[Math.floor(times.length / 2)]} ms, longest ${times.at(-1)} ms`)
const report = value('--json')
if (report !== undefined) writeFileSync(report, `${JSON.stringify(rows, null, 1)}\n`)
if (kept === undefined) rmSync(dir, { recursive: true, force: true })
process.exit(right >= NEED * faults.length && quiet ? 0 : 1)
