/** Generated policies as YAML that people read and keep: one comment for each rule, stable order, quoted as YAML 1.1 needs it. */
import { Document, isMap, isSeq, type YAMLMap } from 'yaml'
import { type GeneratedPolicy, MANAGED_BY } from './generate.ts'
import type { RuleDraft } from './rules.ts'

/** The policy as the API server takes it. */
export function policyObject(p: GeneratedPolicy): Record<string, unknown> {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: p.name, namespace: p.namespace, labels: { ...MANAGED_BY } },
    spec: {
      podSelector: p.podSelector,
      policyTypes: ['Ingress', 'Egress'],
      ingress: p.ingress.map((r) => ruleObject(r, 'from')),
      egress: p.egress.map((r) => ruleObject(r, 'to')),
    },
  }
}

function ruleObject(r: RuleDraft, side: 'from' | 'to'): Record<string, unknown> {
  return { ...(r.peers.length > 0 ? { [side]: r.peers } : {}), ports: r.ports }
}

/** One document for each policy, ending in a newline. */
export function writePolicies(policies: readonly GeneratedPolicy[]): string {
  return policies.map(document).join('---\n')
}

function document(p: GeneratedPolicy): string {
  const doc = new Document(policyObject(p), { version: '1.1', aliasDuplicateObjects: false })
  if (doc.contents) doc.contents.commentBefore = ` ${oneLine(p.comment)}`
  comment(doc, 'ingress', p.ingress, 'nothing is wanted to come in: all is refused')
  comment(doc, 'egress', p.egress, 'nothing is wanted to go out: all is refused')
  return doc.toString({ lineWidth: 0, flowCollectionPadding: true })
}

function comment(doc: Document, direction: string, rules: readonly RuleDraft[], none: string): void {
  const list: unknown = doc.getIn(['spec', direction], true)
  if (!isSeq(list)) return
  if (rules.length === 0) {
    const spec: unknown = doc.get('spec', true)
    const pair = isMap(spec)
      ? (spec as YAMLMap<{ commentBefore?: string }>).items.find((i) => String(i.key) === direction)
      : undefined
    if (pair) pair.key.commentBefore = ` ${none}`
    return
  }
  for (const [i, item] of list.items.entries())
    (item as { commentBefore?: string }).commentBefore = ` ${oneLine(rules[i]!.comment)}`
}

/** A comment ends with its line: names of a cluster must not. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e→]/g, '?').slice(0, 400)
}
