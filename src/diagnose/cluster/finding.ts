import type { Evidence } from '../../model/evidence.ts'
import type { Finding, Remedy, Severity } from '../../model/finding.ts'
import type { Network } from '../../model/network.ts'
import type { Code } from '../codes.ts'
import { placed } from '../remedy/place.ts'
import type { ClusterFinding, Concern } from './check.ts'

/** Evidence is a proof, not an archive: more lines than this say no more. */
const MOST_EVIDENCE = 12

export interface ClusterWords {
  readonly severity: Severity
  /** True: connections that touch the concerns fail or suffer although each hop's state lets them pass. */
  readonly hurts?: boolean
  readonly title: string
  readonly text: string
  readonly where: Finding['where']
  readonly concerns: readonly Concern[]
  readonly evidence: readonly (Evidence | undefined)[]
  readonly remedy?: Omit<Remedy, 'verified'>
  readonly edit?: (network: Network) => Network
}

/** A finding of a cluster check, in the shape the reports print. */
export function clusterFinding(code: Code, words: ClusterWords): ClusterFinding {
  return {
    hurts: words.hurts === true,
    concerns: words.concerns,
    finding: placed({
      code,
      severity: words.severity,
      title: words.title,
      text: words.text,
      where: words.where,
      evidence: words.evidence.filter((e) => e !== undefined).slice(0, MOST_EVIDENCE),
      ...(words.remedy ? { remedy: { ...words.remedy, verified: false } } : {}),
    }),
    ...(words.edit ? { edit: words.edit } : {}),
  }
}
