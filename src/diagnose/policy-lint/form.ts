/** What the text of a policy says of itself, whatever pods there are: nonsense, replaced documents, forgotten policyTypes. */

import { formatPrefix, networkOf, type Prefix, prefixContains } from '../../base/ip.ts'
import { isObject } from '../../intent/policy/selector.ts'
import type { Finding } from '../../model/finding.ts'
import { correct } from './correct.ts'
import { lintFinding, objectOf, pathText, placeOf } from './finding.ts'
import { DIRECTIONS, type LintPolicy, type LintWorld, type Path, peersPath, rulesOf } from './input.ts'

/** `policy-invalid`: one finding for each sentence of the decoder. */
export function invalid(p: LintPolicy, world: LintWorld): Finding[] {
  return p.issues.map((issue) => {
    const said = issue.message.replace(/^NetworkPolicy \S+: /, '')
    const place = /^rule (\d+):/.exec(said)
    return lintFinding('policy-invalid', 'error', objectOf(p), {
      title: `NetworkPolicy ${p.name}: ${said}`,
      text: `The API server refuses this. Read from a file it has no meaning that can be relied on, so whatever depends on it is unknown.`,
      evidence: [placeOf(world, p.object, place ? ruleAt(p, Number(place[1])) : ['spec'])],
      remedy: {
        text: 'Correct the field; `kubectl apply --dry-run=server` tells whether the API server takes it.',
        verified: false,
      },
    })
  })
}

/** The decoder counts rules and does not say of which direction; where only one has that many it is clear. */
function ruleAt(p: LintPolicy, index: number): Path {
  const spec = isObject(p.object.raw.spec) ? p.object.raw.spec : {}
  const has = DIRECTIONS.filter((d) => {
    const rules = spec[d]
    return Array.isArray(rules) && rules.length > index
  })
  return has.length === 1 ? ['spec', has[0] ?? '', index] : ['spec']
}

/** `policy-replaced`: same kind and name twice. */
export function replaced(world: LintWorld): Finding[] {
  return (world.input.replaced ?? [])
    .filter((r) => /Policy$/.test(r.kind))
    .map((r) =>
      lintFinding('policy-replaced', 'warning', `${r.kind} ${r.name}`, {
        title: `${r.kind} ${r.name} is there twice, and only the later one counts`,
        text: 'Applying both leaves the one that is applied last; the rules of the other are lost. Here the later in the order of reading was taken.',
        evidence: [r.evidence, r.by],
        remedy: { text: 'Give one of them another name, or remove it.', verified: false },
      }),
    )
}

/** `policy-types-forget-rules`. */
export function typesForgetRules(p: LintPolicy, world: LintWorld): Finding[] {
  const spec = isObject(p.object.raw.spec) ? p.object.raw.spec : {}
  const given = Array.isArray(spec.policyTypes) ? (spec.policyTypes as unknown[]) : []
  const out: Finding[] = []
  for (const [field, type] of [
    ['egress', 'Egress'],
    ['ingress', 'Ingress'],
  ] as const) {
    const rules = spec[field]
    if (!Array.isArray(rules) || p.policy[field] !== undefined) continue
    const left = given.length === 0
    if (rules.length === 0 && !left) continue
    const remedy =
      rules.length === 0
        ? `To deny all ${field}, write policyTypes with ${type}.`
        : `Add ${type} to policyTypes; the pods are then isolated for ${field}, and only the rules admit.`
    out.push(
      lintFinding('policy-types-forget-rules', 'warning', objectOf(p), {
        title:
          rules.length === 0
            ? `NetworkPolicy ${p.name}: \`${field}: []\` denies nothing, because policyTypes does not say ${type}`
            : `NetworkPolicy ${p.name} has ${field} rules that are ignored: policyTypes does not say ${type}`,
        text: left
          ? `Without policyTypes a policy is about ingress, and about egress only when it has an egress rule. An empty list is none, so egress of its pods stays open.`
          : `policyTypes is ${JSON.stringify(given)}: this policy says nothing about ${field}, and its pods are open there unless another policy isolates them.`,
        evidence: [
          placeOf(world, p.object, ['spec', field]),
          ...(left ? [] : [placeOf(world, p.object, ['spec', 'policyTypes'])]),
        ],
        remedy: correct(world, p, remedy, {
          edits: [
            left
              ? { path: ['spec', 'policyTypes'], set: ['Ingress', 'Egress'] }
              : { path: ['spec', 'policyTypes'], append: type },
          ],
          // Isolating takes away all that the rules do not admit: that is what was meant.
          intended: (c) => c.change === 'lost' && c.denies === field,
          mayChangeNothing: true,
        }),
      }),
    )
  }
  return out
}

/** `policy-rule-never-matches`: except blocks that leave nothing of the ipBlock. Only exact halves are put together. */
export function neverMatches(p: LintPolicy, world: LintWorld): Finding[] {
  const out: Finding[] = []
  for (const at of rulesOf(p.policy))
    for (const [i, peer] of (at.rule.peers ?? []).entries()) {
      if (peer.kind !== 'ipBlock' || !covered(peer.cidr, peer.except)) continue
      const path = [...peersPath(at, i), 'ipBlock']
      out.push(
        lintFinding('policy-rule-never-matches', 'warning', objectOf(p), {
          title: `NetworkPolicy ${p.name}: ${pathText(path)} is empty, its except blocks cover all of ${formatPrefix(peer.cidr)}`,
          text: 'No address is left in the block, so this peer admits nobody.',
          evidence: [placeOf(world, p.object, path)],
          remedy: { text: 'Make the except blocks smaller, or remove the peer.', verified: false },
        }),
      )
    }
  return out
}

/** Whether the blocks cover the whole prefix, by halving it down to the longest of them. */
function covered(prefix: Prefix, blocks: readonly Prefix[]): boolean {
  if (blocks.some((b) => b.length <= prefix.length && prefixContains(b, prefix.ip))) return true
  const inside = blocks.filter((b) => b.length > prefix.length && prefixContains(prefix, b.ip))
  // A half needs a block of its own.
  if (inside.length < 2) return false
  return halves(prefix).every((half) => covered(half, inside))
}

function halves({ ip, length }: Prefix): Prefix[] {
  const at = length
  const word = Math.floor((ip.family === 4 ? at + 96 : at) / 32)
  const bit = 2 ** (31 - (at % 32))
  const high = { ...ip, ...[{ a: ip.a + bit }, { b: ip.b + bit }, { c: ip.c + bit }, { d: ip.d + bit }][word] }
  return [networkOf({ ip, length: length + 1 }), { ip: high, length: length + 1 }]
}
