/** Broken and undecided expectations as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change. */
import type { GuardPlace, GuardReport, GuardResult } from '../model/guard.ts'
import { clean } from './clean.ts'
import { connectionText, connectionWhy, whyPromised } from './guard-text.ts'

const LIMIT = 2000

const RULES = [
  {
    id: 'expectation-broken',
    name: 'ExpectationBroken',
    shortDescription: { text: 'A declared connection does not work, or a forbidden one does' },
    help: { text: 'Correct the policy that is named, or the expectation if it is no longer meant.' },
    defaultConfiguration: { level: 'error' },
  },
  {
    id: 'expectation-unknown',
    name: 'ExpectationUnknown',
    shortDescription: { text: 'The evidence does not decide whether a declared expectation holds' },
    help: { text: 'Give what the message says is missing.' },
    defaultConfiguration: { level: 'warning' },
  },
] as const

/** One run with a result for each expectation that does not hold. */
export function guardSarif(report: GuardReport): Record<string, unknown> {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'netwhy', rules: RULES } },
        results: report.results.filter((r) => r.state !== 'holds').map(result),
      },
    ],
  }
}

function result(r: GuardResult): Record<string, unknown> {
  const ruleIndex = r.state === 'broken' ? 0 : 1
  const related = r.examples.flatMap((c) =>
    c.place ? [location(c.place, `${connectionText(c)} ${connectionWhy(c)}`)] : [],
  )
  return {
    ruleId: RULES[ruleIndex].id,
    ruleIndex,
    level: r.state === 'broken' ? r.severity : 'warning',
    message: { text: message(r) },
    locations: [location(r.place, r.name)],
    ...(related.length > 0 ? { relatedLocations: related.map((l, id) => ({ id: id + 1, ...l })) } : {}),
    // The same expectation is the same result, wherever its line has moved to.
    partialFingerprints: { 'expectation/v1': clean(r.name, LIMIT) },
  }
}

function message(r: GuardResult): string {
  const why = whyPromised(r)
  return [
    `${clean(r.name)}: ${clean(r.reason)}.`,
    ...r.examples.map((c) => `${connectionText(c)} ${connectionWhy(c)}`),
    ...r.notes.map((n) => `Note: ${clean(n)}`),
    ...(why === '' ? [] : [`Promised because: ${why}`]),
  ].join('\n')
}

/** A relative URI: what has a meaning in one is no part of a file's name. */
function location({ file, line }: GuardPlace, text: string): Record<string, unknown> {
  return {
    physicalLocation: {
      artifactLocation: { uri: file.split('/').map(segment).join('/') },
      ...(line === undefined ? {} : { region: { startLine: line } }),
    },
    message: { text: clean(text, LIMIT) },
  }
}

/** encodeURIComponent throws on half a surrogate pair. */
const segment = (part: string) => encodeURIComponent(part.replace(/\p{Cs}/gu, '\ufffd'))
