/** Peers that find nobody: `policy-peer-matches-nothing`, `policy-label-missing`, `policy-peer-and-or`, `policy-host-network`, ended pods. */
import { hasEnded } from '../../intent/policy/cluster.ts'
import { NAME_LABEL } from '../../intent/policy/end.ts'
import type { PolicyPeer, Selector } from '../../intent/policy/policy.ts'
import { formatRequirement, matchLabels } from '../../intent/policy/selector.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Finding } from '../../model/finding.ts'
import { type Correction, correct } from './correct.ts'
import { lintFinding, listed, objectOf, pathText, placeOf } from './finding.ts'
import {
  type LintPolicy,
  type LintWorld,
  labelsOfNamespace,
  namespaceOf,
  type Path,
  peersPath,
  podsOfPeer,
  rulesOf,
} from './input.ts'
import { nearestLabel } from './nearest.ts'
import type { Change } from './sample.ts'
import { podText, selectorEdits, selectorText, slipIn } from './subjects.ts'

type PodsPeer = Extract<PolicyPeer, { kind: 'pods' }>

interface PeerAt {
  readonly p: LintPolicy
  readonly world: LintWorld
  readonly peer: PodsPeer
  readonly path: Path
  readonly index: number
  /** All of the rule, to see whether two items were meant as one. */
  readonly all: readonly PolicyPeer[]
  readonly place: Evidence
}

/** One finding at most for each peer that selects pods. */
export function peers(p: LintPolicy, world: LintWorld): Finding[] {
  return rulesOf(p.policy).flatMap((at) =>
    (at.rule.peers ?? []).flatMap((peer, i): Finding[] => {
      if (peer.kind !== 'pods') return []
      if ([...(peer.pods ?? []), ...(peer.namespaces ?? [])].some((r) => r.operator === 'opaque')) return []
      const path = peersPath(at, i)
      return onePeer({
        p,
        world,
        peer,
        path,
        index: i,
        all: at.rule.peers ?? [],
        place: placeOf(world, p.object, path),
      })
    }),
  )
}

function onePeer(a: PeerAt): Finding[] {
  const found = podsOfPeer(a.world, a.p.policy, a.peer)
  if (found.pods.length > 0) return useless(a, found.pods)
  if (!found.sure) return []
  return noNamespace(a) ?? noPod(a)
}

/** Found, and yet nobody a selector admits. */
function useless(a: PeerAt, pods: readonly PodObject[]): Finding[] {
  const { peer, p } = a
  // Selectors for everything are about the pods to come as well.
  if ((peer.pods ?? []).length === 0) return []
  const [first] = pods
  if (!first) return []
  if (pods.every((x) => x.hostNetwork))
    return [
      lintFinding('policy-host-network', 'warning', objectOf(p), {
        title: `NetworkPolicy ${p.name}: ${pathText(a.path)} selects only pods on the host network, whom no selector admits`,
        text: `${listed(pods.map(podText))} use${pods.length === 1 ? 's' : ''} the node's network: policies see a node's address, not a pod.`,
        evidence: [a.place, first.evidence],
        remedy: {
          text: 'Admit the addresses of the nodes with an ipBlock. Traffic from the own node is always admitted.',
          verified: false,
        },
      }),
    ]
  if (pods.every(hasEnded))
    return [
      lintFinding('policy-selects-ended-pods', 'info', objectOf(p), {
        title: `NetworkPolicy ${p.name}: ${pathText(a.path)} selects only pods that have ended`,
        text: `${listed(pods.map(podText))}: the rule waits for others with these labels.`,
        evidence: [a.place, first.evidence],
      }),
    ]
  return []
}

/** Namespaces every cluster or common add-on has, which a folder of manifests seldom holds. */
const ELSEWHERE =
  /^(default|kube-.*|openshift.*|.*(ingress|gateway|istio|linkerd|cert-manager|monitoring|prometheus|observability|logging|flux|argo).*)$/

/** `policy-label-missing`: no namespace that is known has the label. Null when one has, or nothing can be said. */
function noNamespace(a: PeerAt): Finding[] | null {
  const { world, peer, p } = a
  if (peer.namespaces === null || peer.namespaces.length === 0) return null
  const { namespaces } = peer
  const known = [...world.namespaceNames].map((n) => labelsOfNamespace(world, n))
  if (known.some((labels) => matchLabels(namespaces, labels).matches === 'yes')) return null
  const judged = namespaces.find(
    (r) => r.operator === 'In' && !known.some((l) => matchLabels([r], l).matches === 'yes'),
  )
  if (!judged) return []
  const nearest = nearestLabel(judged, known)
  const complete = world.input.complete && world.objects.known.has('Namespace')
  const common = judged.values.some((v) => ELSEWHERE.test(v))
  const path: Path = [...a.path, 'namespaceSelector']
  const wanted = formatRequirement(judged)
  const isName = judged.key === NAME_LABEL
  // `name: x` for a namespace x: a label people put there by hand and clusters do not.
  const byName = !isName && nearest?.key === NAME_LABEL && nearest.kind === 'key'
  const named = nearest && nearest.kind !== 'key'
  if (!complete && !byName && (!named || common)) {
    if (isName || (known.every((l) => Object.keys(l).length <= 1) && !common)) return []
    if (judged.key !== 'name' && world.namespaceLabels.size === 0) return []
    return [
      lintFinding('policy-label-missing', 'info', objectOf(p), {
        title: `NetworkPolicy ${p.name} asks for namespaces labelled ${wanted}, and no namespace in these files has that label`,
        text: `The namespace may be elsewhere. ${judged.key === 'name' ? `Clusters do not label namespaces with \`name\` by themselves; ${NAME_LABEL} is always there.` : 'Look whether it has the label.'}`,
        evidence: [placeOf(world, p.object, path)],
        remedy: { text: `Use ${NAME_LABEL}, which every namespace has, or label the namespace.`, verified: false },
      }),
    ]
  }
  const one = namespaces.length === 1
  const target = byName || named ? nearest : null
  return [
    lintFinding(
      'policy-label-missing',
      byName && !complete && world.namespaceLabels.size === 0 ? 'info' : 'warning',
      objectOf(p),
      {
        title: `NetworkPolicy ${p.name} admits namespaces labelled ${wanted}, and no namespace has that label`,
        text: target
          ? `The nearest is ${target.key}=${target.value}${byName ? ', which every namespace has as its name' : ''}. As it stands the peer is nobody.`
          : 'As it stands the peer is nobody.',
        evidence: [placeOf(world, p.object, path), ...namespaceProof(world, target?.value)],
        remedy:
          target && one
            ? correct(world, p, `Ask for ${target.key}=${target.value}, or label the namespace.`, {
                edits: selectorEdits(p, path, { requirement: judged, nearest: target }),
                intended: (c) =>
                  c.change === 'gained' &&
                  [c.from, c.to].some(
                    (e) =>
                      e.pod !== undefined && labelsOfNamespace(world, namespaceOf(e.pod))[target.key] === target.value,
                  ),
              })
            : { text: `Use ${NAME_LABEL}, which every namespace has, or label the namespace.`, verified: false },
      },
    ),
  ]
}

function namespaceProof(world: LintWorld, name: string | undefined): Evidence[] {
  return world.objects.namespaces.filter((n) => n.meta.name === name).map((n) => n.evidence)
}

/** The namespaces are there, and no pod in them has the labels. */
function noPod(a: PeerAt): Finding[] {
  const { world, peer, p } = a
  const selector = peer.pods ?? []
  const inside = [...world.podsByNamespace].flatMap(([namespace, pods]) => (isInside(a, namespace) ? pods : []))
  const podPath: Path = [...a.path, 'podSelector']
  if (selector.length === 0 || inside.length === 0) return []
  const outside = world.objects.pods.filter((x) => !inside.includes(x))
  const there = outside.find((x) => matchLabels(selector, x.meta.labels).matches === 'yes')
  const typo = slipIn(selector, inside)
  if (typo && (!there || peer.namespaces !== null)) {
    const { key, value } = typo.nearest
    return [
      lintFinding('policy-peer-matches-nothing', 'warning', objectOf(p), {
        title: `NetworkPolicy ${p.name}: ${pathText(podPath)} finds no pod labelled ${selectorText(selector)}`,
        text: `The nearest label is ${key}=${value} of ${podText(typo.pod)}. As it stands the peer is nobody.`,
        evidence: [placeOf(world, p.object, podPath), typo.pod.evidence],
        remedy: correct(world, p, `If ${key}=${value} was meant, write it so.`, {
          edits: selectorEdits(p, podPath, typo),
          intended: (c) => c.change === 'gained' && [c.from, c.to].some((e) => e.pod?.meta.labels[key] === value),
        }),
      }),
    ]
  }
  if (there) return [wrongJoin(a, there)]
  // Any namespace, of which a folder holds some.
  if (!world.input.complete && peer.namespaces !== null) return []
  return [
    lintFinding('policy-peer-matches-nothing', 'info', objectOf(p), {
      title: `NetworkPolicy ${p.name}: ${pathText(podPath)} finds no pod labelled ${selectorText(selector)}${world.input.complete ? '' : ' in these files'}`,
      text: 'The peer is nobody until such pods come.',
      evidence: [placeOf(world, p.object, podPath)],
    }),
  ]
}

function isInside(a: PeerAt, namespace: string): boolean {
  const { namespaces } = a.peer
  return namespaces === null
    ? namespace === a.p.policy.namespace
    : matchLabels(namespaces, labelsOfNamespace(a.world, namespace)).matches === 'yes'
}

/** Pods with these labels are in another namespace than the peer looks in. */
function wrongJoin(a: PeerAt, there: PodObject): Finding {
  const { world, peer, p } = a
  const namespace = namespaceOf(there)
  const alone = peer.namespaces === null
  const wanted = selectorText(peer.pods as Selector)
  const everyone = world.objects.pods.filter((x) => matchLabels(peer.pods as Selector, x.meta.labels).matches === 'yes')
  const oneNamespace = new Set(everyone.map(namespaceOf)).size === 1
  const twoItems = a.all.findIndex(
    (q) =>
      q.kind === 'pods' &&
      q.pods === null &&
      q.namespaces !== null &&
      q.namespaces.length > 0 &&
      matchLabels(q.namespaces, labelsOfNamespace(world, namespace)).matches === 'yes',
  )
  return lintFinding('policy-peer-and-or', 'warning', objectOf(p), {
    title: alone
      ? `NetworkPolicy ${p.name}: a podSelector alone looks in namespace ${p.policy.namespace} only, where no pod is labelled ${wanted}`
      : `NetworkPolicy ${p.name}: no pod matches both selectors of ${pathText(a.path)}`,
    text: alone
      ? `${podText(there)} has these labels. Pods of other namespaces need a namespaceSelector in the same list item. As it stands the peer is nobody.`
      : `In one list item both must match: pods labelled ${wanted} (${podText(there)}) in namespaces labelled ${selectorText(peer.namespaces)}. As two items either would do. As it stands the peer is nobody.`,
    evidence: [a.place, there.evidence],
    remedy:
      alone && oneNamespace
        ? correct(
            world,
            p,
            twoItems >= 0 ? TWO_ITEMS : 'If those pods were meant, name their namespace in the same item.',
            ...corrections(),
          )
        : {
            text: alone
              ? 'Add the namespaceSelector that was meant to the same list item.'
              : 'If either was meant, write two list items.',
            verified: false,
          },
  })

  function corrections(): Correction[] {
    const selected = (c: Change) => [c.from, c.to].some((e) => e.pod !== undefined && everyone.includes(e.pod))
    const sibling = twoItems < 0 ? null : a.all[twoItems]
    if (sibling?.kind === 'pods')
      return [
        {
          edits: [
            { path: [...a.path, 'namespaceSelector'], set: rawSelector(a, twoItems) },
            { path: [...a.path.slice(0, -1), twoItems], remove: true },
          ],
          // The other item alone admitted all pods of those namespaces; that it does no more is meant.
          intended: (c) => c.change === 'lost' && !selected(c),
          mayChangeNothing: true,
          others: everyone.slice(0, 2),
        },
      ]
    return [
      {
        edits: [{ path: [...a.path, 'namespaceSelector'], set: { matchLabels: { [NAME_LABEL]: namespace } } }],
        intended: (c) => c.change === 'gained' && selected(c),
        others: everyone.slice(0, 2),
      },
    ]
  }
}

const TWO_ITEMS =
  'Two list items admit either: every pod of those namespaces, and these pods of the own namespace. If both were to match, make them one item.'

/** The namespaceSelector of another item of the same rule, as it is written. */
function rawSelector(a: PeerAt, index: number): unknown {
  const path: Path = [...a.path.slice(0, -1), index, 'namespaceSelector']
  return path.reduce<unknown>(
    (v, key) => (typeof v === 'object' && v !== null ? (v as Record<string | number, unknown>)[key] : undefined),
    a.p.object.raw,
  )
}
