/**
 * How far the set-up of the cluster has come, by API objects alone: Step 1 (no network plugin yet), Step 2 (all reported well),
 * Case A (containers cannot be created), Case B (created, but not reached). A Ready node says nothing of a working container
 * network, so objects alone never make it `ok`.
 */
import type { EventObject, KubeObjects, NodeObject, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { NetworkState } from '../../model/finding.ts'
import type { ClusterState } from '../cluster/check.ts'
import { agentsOf } from './agents.ts'
import { dnsPods } from './dns-pods.ts'
import { outcomeWords, probeOutcome } from './probe-text.ts'
import { conditionProof, eventProof, readyOf, told, waitingProof } from './proof.ts'
import { sandboxTroubles } from './stuck.ts'

export interface SetupState {
  readonly state: 'step1' | 'step2-ok' | 'case-a' | 'case-b' | 'other' | 'unknown'
  readonly hostNetwork: NetworkState
  readonly containerNetwork: NetworkState
  /** Why, in a sentence. */
  readonly because: string
  readonly evidence: readonly Evidence[]
}

type Judged = Omit<SetupState, 'hostNetwork'>

/** kubelet's words for a runtime without a usable CNI configuration, of dockershim, containerd and CRI-O. */
const NO_PLUGIN =
  /NetworkPluginNotReady|NetworkReady=false|cni (plugin|config) (not initialized|uninitialized)|network plugin is not ready/i

/** True when kubelet says that the runtime has no network plugin. */
export function lacksPlugin(node: NodeObject): boolean {
  const ready = readyOf(node)
  return ready?.status === 'False' && NO_PLUGIN.test(`${ready.reason ?? ''} ${ready.message ?? ''}`)
}

/** What the objects say of the set-up. */
export function setupState(state: ClusterState): SetupState {
  const { objects } = state
  if (objects.nodes.length === 0)
    return {
      state: 'unknown',
      hostNetwork: 'unknown',
      containerNetwork: 'unknown',
      because: 'there are no Node objects to tell it from',
      evidence: [],
    }
  return { ...containers(state), hostNetwork: hostNetwork(objects) }
}

/** Kubelets that report reach the API server over their hosts' network; pods on it run. More than that objects cannot tell. */
function hostNetwork({ nodes, pods }: KubeObjects): NetworkState {
  const reporting = nodes.every((n) => ['True', 'False'].includes(readyOf(n)?.status ?? ''))
  const system = pods.filter((p) => p.hostNetwork && p.phase !== 'Succeeded' && p.phase !== 'Failed')
  return reporting && system.some((p) => p.phase === 'Running') ? 'ok' : 'unknown'
}

function containers(state: ClusterState): Judged {
  return noPlugin(state.objects) ?? notCreated(state) ?? notReached(state.objects) ?? asReported(state.objects)
}

const names = (list: readonly { readonly meta: { readonly name: string } }[]) =>
  list.length > 3 ? `${list.length} nodes` : list.map((n) => n.meta.name).join(', ')

function noPlugin(objects: KubeObjects): Judged | null {
  const lacking = objects.nodes.filter(lacksPlugin)
  if (lacking.length === 0) return null
  const evidence = [
    ...lacking.slice(0, 4).map((n) => conditionProof(n, readyOf(n))),
    ...dnsPods(objects)
      .filter((p) => p.phase === 'Pending')
      .slice(0, 2)
      .map(waitingProof),
  ]
  const agents = agentsOf(objects).map((a) => a.pod)
  const broken = agents.filter(isFailing)
  if (broken.length > 0)
    return {
      state: 'other',
      containerNetwork: 'failing',
      because: `the network plugin is installed, but its agent ${broken[0]!.meta.namespace}/${broken[0]!.meta.name} does not run, so ${names(lacking)} ${lacking.length === 1 ? 'has' : 'have'} no CNI configuration`,
      evidence: [...broken.slice(0, 3).map(waitingProof), ...evidence],
    }
  if (lacking.length < objects.nodes.length)
    return {
      state: 'other',
      containerNetwork: 'not-ready',
      because: `the container runtime of ${names(lacking)} has no CNI configuration; the other nodes have`,
      evidence,
    }
  return {
    state: 'step1',
    containerNetwork: 'not-ready',
    because:
      agents.length > 0
        ? 'the network plugin is being installed: no node has its configuration yet'
        : 'the nodes have joined and no network plugin is installed yet; DNS pods wait for it, as they should',
    evidence,
  }
}

function notCreated(state: ClusterState): Judged | null {
  const stuck = sandboxTroubles(state)
  const first = stuck[0]
  if (!first) return null
  const where = [...new Set(stuck.flatMap((t) => t.node ?? []))]
  return {
    state: 'case-a',
    containerNetwork: 'failing',
    because: `${stuck.length === 1 ? `pod ${first.namespace}/${first.name} gets` : `${stuck.length} pods get`} no network${where.length === 0 ? '' : ` on ${where.slice(0, 3).join(', ')}${where.length > 3 ? '…' : ''}`} and cannot start: ${told(first.message).slice(0, 160)}`,
    evidence: stuck.slice(0, 3).flatMap((t) => t.evidence),
  }
}

function isReady(p: PodObject): boolean {
  return readyOf(p)?.status === 'True'
}

function isFailing(p: PodObject): boolean {
  return p.containerStatuses.some((s) =>
    /CrashLoopBackOff|ImagePull|ErrImage|CreateContainer/.test(s.waitingReason ?? ''),
  )
}

/** The last failed readiness probe of the pod. */
function lastProbe(events: readonly EventObject[], p: PodObject): EventObject | undefined {
  return events
    .filter(
      (e) =>
        e.reason === 'Unhealthy' &&
        e.about.name === p.meta.name &&
        e.about.namespace === p.meta.namespace &&
        /probe (failed|errored)/i.test(e.message),
    )
    .sort((x, y) => (x.lastSeen ?? '').localeCompare(y.lastSeen ?? ''))
    .at(-1)
}

function notReached(objects: KubeObjects): Judged | null {
  const own = objects.pods.filter(
    (p) => !p.hostNetwork && p.phase === 'Running' && p.meta.deletionTimestamp === undefined,
  )
  const waiting = own.filter((p) => !isReady(p)).map((pod) => ({ pod, probe: lastProbe(objects.events, pod) }))
  const dns = dnsPods(objects)
  const dnsDown = dns.length > 0 && !dns.some((p) => p.phase === 'Running' && isReady(p))
  const probed = waiting.filter((w) => w.probe !== undefined)
  const silent = probed.filter((w) => ['timeout', 'no-route'].includes(probeOutcome(w.probe!.message)))
  // A process that says no is the network's matter only where DNS as a whole is not up: it waits for the API server.
  const told = dnsDown ? probed.filter((w) => dns.includes(w.pod)) : []
  const chosen = silent.find((w) => dns.includes(w.pod)) ?? told[0] ?? (silent.length > 1 ? silent[0] : undefined)
  if (!chosen?.probe) return null
  const others = new Set([...silent, ...told, chosen]).size - 1
  return {
    state: 'case-b',
    containerNetwork: 'failing',
    because: `pod ${chosen.pod.meta.namespace}/${chosen.pod.meta.name}${others > 0 ? ` and ${others} more` : ''} runs but is not ready: ${outcomeWords(probeOutcome(chosen.probe.message))}`,
    evidence: [...new Set([chosen, ...told, ...silent])]
      .slice(0, 4)
      .flatMap((w) => [eventProof(w.probe!), waitingProof(w.pod)]),
  }
}

function asReported(objects: KubeObjects): Judged {
  const { nodes, pods } = objects
  const down = nodes.filter((n) => readyOf(n)?.status !== 'True')
  const proofs = (list: readonly NodeObject[]) => list.slice(0, 4).map((n) => conditionProof(n, readyOf(n)))
  if (down.length > 0)
    return {
      state: 'other',
      containerNetwork: 'unknown',
      because: `${names(down)} ${down.length === 1 ? 'is' : 'are'} not Ready, for another reason than the network plugin`,
      evidence: proofs(down),
    }
  const dns = dnsPods(objects)
  const bad = dns.filter((p) => p.phase === 'Pending' || (p.phase === 'Running' && !isReady(p)))
  if (bad.length > 0 && bad.length === dns.length)
    return {
      state: 'other',
      containerNetwork: 'unknown',
      because: `every node is Ready, but no DNS pod is (${bad[0]!.meta.namespace}/${bad[0]!.meta.name}: ${bad[0]!.phase}); nothing says that the network is the reason`,
      evidence: bad.slice(0, 4).map(waitingProof),
    }
  const running = pods.filter((p) => !p.hostNetwork && p.phase === 'Running' && p.podIPs.length > 0)
  if (running.length === 0)
    return {
      state: 'unknown',
      containerNetwork: 'unknown',
      because: 'every node is Ready, and no pod with a network of its own runs that could tell more',
      evidence: proofs(nodes),
    }
  return {
    state: 'step2-ok',
    containerNetwork: 'unknown',
    because: `every node is Ready and ${dns.length > 0 ? 'DNS pods run' : 'pods run'}, which does not prove that pods reach each other`,
    evidence: [...proofs(nodes), ...dns.slice(0, 2).map(waitingProof)],
  }
}
