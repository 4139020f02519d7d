/** Expectations to begin with: what the policies allow and forbid at every Service they restrict. */

import { policyCluster } from '../../intent/policy/cluster.ts'
import { evaluator } from '../../intent/policy/evaluate.ts'
import { policyMatrix, workloadNames } from '../../intent/policy/matrix/index.ts'
import type { KubeObjects, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import { policyJudge } from './by-policy.ts'
import { type LookUp, selecting } from './ends.ts'
import type { Expectation } from './expectation.ts'
import { type Party, partyBook } from './parties.ts'
import { wantsOf } from './wanted.ts'

const ENOUGH = 200

/** The text of a file, commented. Services that no policy restricts are only named. */
export function propose(objects: KubeObjects, lookUp: LookUp): string {
  const cluster = policyCluster(objects)
  const { select } = selecting(cluster, lookUp, new Set())
  const workload = workloadNames(objects)
  const nameOf = (p: PodObject) => workload(p) ?? `pod/${p.meta.namespace || 'default'}/${p.meta.name}`
  const matrix = policyMatrix(cluster, { by: 'pod', workloadOf: () => null })
  const book = partyBook(matrix, nameOf)
  const judge = policyJudge(matrix, evaluator(cluster))
  const everyone = book.partiesOf(select({ kind: 'everyone' }), null)
  const lines = [
    '# What the policies allow and forbid now, proposed by netwhy guard init.',
    '# Keep what is meant, correct what is not, say why with because.',
    'apiVersion: netwhy/v1',
    'kind: Expectations',
    'expect:',
    '  - { from: everyone, to: dns, because: nothing works without names }',
  ]
  const open: string[] = []
  let told = 0
  for (const service of objects.services) {
    if (service.selector === null || service.type === 'ExternalName') continue
    const { namespace, name } = service.meta
    const ref = `svc/${namespace}/${name}`
    const wants = wantsOf(expectationOf(service), service)
    const set = select({ kind: 'reference', text: ref })
    if (typeof wants === 'string' || set.pods.size === 0) continue
    const targets = book.partiesOf(set, wants)
    const fine = everyone.filter((p) => {
      const { broken, unknown, connections } = judge.judge([p], targets, true)
      return broken === 0 && unknown === 0 && connections > 0
    })
    const shut = everyone.filter((p) => {
      const { broken, unknown, connections } = judge.judge([p], targets, false)
      return broken === 0 && unknown === 0 && connections > 0
    })
    if (shut.length === 0) {
      open.push(ref)
      continue
    }
    if (++told > ENOUGH) continue
    const allowed = namesOf(fine)
    lines.push('', `  # ${ref}: ${count(fine)} of ${count(everyone)} pods may reach it`)
    if (allowed.length > 0) lines.push(`  - { from: ${listOf(allowed)}, to: ${ref} }`)
    // The rest must be shut out for the promise to be true now.
    const clear = namesOf(everyone.filter((p) => !shut.includes(p)))
    const from = clear.length === 0 ? 'everyone' : `{ of: everyone, not: ${listOf(clear)} }`
    lines.push(`  - { from: ${from}, to: ${ref}, reaches: false }`)
  }
  if (told > ENOUGH) lines.push('', `  # and ${told - ENOUGH} Services more`)
  if (open.length > 0)
    lines.push('', '  # No policy keeps any pod from these; promise what must stay so:', ...open.map(commented))
  return `${lines.join('\n')}\n`

  function namesOf(parties: readonly Party[]): string[] {
    return [...new Set(parties.flatMap((p) => p.pods.map(nameOf)))].sort()
  }
}

const commented = (ref: string) => `  # - { from: everyone, to: ${ref} }`
const count = (parties: readonly Party[]) => parties.reduce((n, p) => n + p.pods.length, 0)
const listOf = (names: readonly string[]) =>
  names.length === 1 ? quoted(names[0]!) : `[${names.map(quoted).join(', ')}]`
/** Names are a cluster's own. */
const quoted = (name: string) => (/^[a-z0-9./-]+$/.test(name) ? name : JSON.stringify(name))

/** About all ports of a Service. */
function expectationOf({ meta }: ServiceObject): Expectation {
  const text = `svc/${meta.namespace}/${meta.name}`
  return {
    ...{ name: text, line: 1, fromText: 'everyone', toText: text, ports: [], protocol: null, reaches: true },
    from: { kind: 'everyone' },
    to: { kind: 'reference', text },
    ...{ severity: 'error', because: null, owner: null, allowEmpty: false },
  }
}
