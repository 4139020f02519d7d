import type { Evidence } from '../model/evidence.ts'
import type { Finding, Remedy, Severity } from '../model/finding.ts'
import type { Network } from '../model/network.ts'
import type { Step } from '../model/trace.ts'
import type { Code } from './codes.ts'
import type { Diagnosis, Failure } from './inquiry.ts'
import { placed } from './remedy/place.ts'

/** Evidence is a proof, not an archive: more lines than this say no more. */
const MOST_EVIDENCE = 12

/** Steps whose evidence only tells where a packet went last. */
const AT_THE_END: ReadonlySet<Step['kind']> = new Set(['wire', 'neighbour', 'send'])

export interface Words {
  readonly severity?: Severity
  readonly title: string
  readonly text: string
  readonly evidence?: readonly (Evidence | undefined)[]
  readonly remedy?: Omit<Remedy, 'verified'>
  readonly where?: Partial<Finding['where']>
  readonly edit?: (network: Network) => Network
}

/** The part of a netns id after its node: `host`, `pod/shop/web-1`. */
export function localName(netnsId: string, node: string): string {
  return netnsId.startsWith(`${node}/`) ? netnsId.slice(node.length + 1) : netnsId
}

/** A diagnosis of `failure`, placed where the packet died unless `words.where` says otherwise. */
export function diagnosis(failure: Failure, code: Code, words: Words): Diagnosis {
  const { hop, step } = failure
  const own = (words.evidence ?? []).filter((e) => e !== undefined)
  // A neighbour that answers or not is where it ended; what the check found is why.
  const evidence = dedupe(AT_THE_END.has(step.kind) ? [...own, ...decisive(step)] : [...decisive(step), ...own])
  const finding = placed({
    code,
    severity: words.severity ?? 'error',
    title: words.title,
    text: words.text,
    where: {
      node: hop.node,
      netns: localName(hop.netns, hop.node),
      ...(step.link === undefined ? {} : { link: step.link }),
      ...(failure.direction === 'reply' ? { direction: 'reply' as const } : {}),
      ...words.where,
    },
    evidence,
    ...(words.remedy ? { remedy: { ...words.remedy, verified: false } } : {}),
  })
  return words.edit ? { finding, edit: words.edit } : { finding }
}

/** The proof of a step: of a netfilter hook the rule that decided, not all that were passed. */
export function decisive(step: Step): readonly Evidence[] {
  if (step.kind !== 'netfilter' || step.rule === undefined) return step.evidence
  const deciding = step.evidence.findLast((e) => e.text === step.rule)
  return deciding ? [deciding] : step.evidence.slice(-1)
}

function dedupe(evidence: readonly Evidence[]): Evidence[] {
  const seen = new Set<string>()
  return evidence
    .filter((e) => {
      const key = `${e.artefact}:${e.line ?? ''}:${e.text}`
      if (seen.has(key)) return false
      seen.add(key)
      return true
    })
    .slice(0, MOST_EVIDENCE)
}
