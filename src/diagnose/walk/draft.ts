import type { Evidence } from '../../model/evidence.ts'
import type { Answer, Finding } from '../../model/finding.ts'
import type { WalkState, WalkStep, WalkStepId } from '../../model/walk.ts'

/** A step before it has its number. */
export type Draft = Omit<WalkStep, 'number'>

/** A step proves itself by a few lines. */
const MOST_EVIDENCE = 4

export function draft(
  id: WalkStepId,
  title: string,
  state: WalkState,
  text: string,
  evidence: readonly (Evidence | undefined)[] = [],
  finding?: string,
): Draft {
  return {
    id,
    title,
    state,
    text,
    evidence: evidence.filter((e) => e !== undefined).slice(0, MOST_EVIDENCE),
    ...(finding === undefined ? {} : { finding }),
  }
}

/** The first finding of the answer with one of these codes that is worse than an observation. */
export function findingOf(answer: Answer, codes: readonly string[]): Finding | undefined {
  return answer.findings.find((f) => f.severity !== 'info' && codes.includes(f.code))
}

/** A step that a finding decides. */
export function failedBy(id: WalkStepId, title: string, f: Finding): Draft {
  return draft(id, title, 'failed', f.title, f.evidence, f.code)
}

/** `1 pod`, `2 pods`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

/** The first few of a list, and how many more there are. */
export function some(list: readonly string[], most = 3): string {
  return list.length > most ? `${list.slice(0, most).join(', ')} and ${list.length - most} more` : list.join(', ')
}

/** What a step says that lies behind the one the packet ended at; the number is put in when all steps have theirs. */
export function notReached(id: WalkStepId): string {
  return `not reached, see step {${id}}`
}

/** The steps with their numbers, and the numbers in the texts that refer to others. */
export function numbered(steps: readonly Draft[]): WalkStep[] {
  const numbers = new Map<string, number>(steps.map((s, i) => [s.id, i + 1]))
  return steps.map((s, i) => ({
    number: i + 1,
    ...s,
    ...(s.state === 'skipped'
      ? { text: s.text.replace(/\{([a-z.-]+)\}/, (all, id: string) => String(numbers.get(id) ?? all)) }
      : {}),
  }))
}
