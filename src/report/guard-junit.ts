/** Expectations as JUnit XML (the form of Apache Ant's junitreport that CI systems read): each is a test case. */
import type { GuardReport, GuardResult } from '../model/guard.ts'
import { clean } from './clean.ts'
import { connectionText, connectionWhy, placeText, summaryText, whyPromised } from './guard-text.ts'

const LIMIT = 2000

/** Text that may stand in an attribute or an element (XML 1.0, 2.2 Char): what is not printable was made visible by `clean`. */
function xml(text: string): string {
  return clean(text, LIMIT)
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

const lines = (parts: readonly string[]) => parts.map(xml).join('\n')

function body(r: GuardResult): string {
  const why = whyPromised(r)
  return lines([
    ...r.examples.flatMap((c) => [
      connectionText(c),
      `  ${connectionWhy(c)}${c.place ? ` — ${placeText(c.place)}` : ''}`,
    ]),
    ...(why === '' ? [] : [`promised because: ${why}`]),
    placeText(r.place),
  ])
}

function testcase(r: GuardResult): string {
  const head = `    <testcase name="${xml(r.name)}" classname="netwhy.guard" file="${xml(r.place.file)}" line="${r.place.line}"`
  const notes = r.notes.length === 0 ? '' : `\n      <system-out>${lines(r.notes)}</system-out>`
  switch (r.state) {
    case 'holds':
      return notes === '' ? `${head}/>` : `${head}>${notes}\n    </testcase>`
    case 'broken':
      return `${head}>\n      <failure message="${xml(r.reason)}" type="${r.severity}">${body(r)}</failure>${notes}\n    </testcase>`
    case 'unknown':
      return `${head}>\n      <error message="${xml(r.reason)}" type="unknown">${body(r)}</error>${notes}\n    </testcase>`
  }
}

/** The whole document. Broken expectations are failures, whatever their severity; what is not known is an error. */
export function guardJunit(report: GuardReport): string {
  const { results, file } = report
  const count = (state: GuardResult['state']) => results.filter((r) => r.state === state).length
  const counts = `tests="${results.length}" failures="${count('broken')}" errors="${count('unknown')}"`
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="netwhy guard" ${counts}>`,
    `  <testsuite name="${xml(file)}" ${counts} skipped="0">`,
    ...results.map(testcase),
    `    <system-out>${xml(summaryText(report))}</system-out>`,
    '  </testsuite>',
    '</testsuites>',
  ].join('\n')}\n`
}
