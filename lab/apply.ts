/** Changes the objects of a running lab and makes the nodes follow. */

import { admit } from './admit.ts'
import { nodeRules } from './build.ts'
import { LabError } from './errors.ts'
import { writeInventory } from './inventory.ts'
import { describe, type KubeJson, kindOf, nameOf, namespaceOf, ofKind } from './kubejson.ts'
import { claimNetns, disclaimNetns } from './ownership.ts'
import { type LabPlace, NODES, nodeNetns } from './plan.ts'
import { type PodPlan, plugScript, podPlan, removeResolvConf, resolvConfOf, writeResolvConf } from './pods.ts'
import { kill, pidsInside } from './processes.ts'
import { run, script } from './run.ts'
import { podServer, serverProgram, startServer, stopServer } from './servers.ts'
import { withSlices } from './slices.ts'
import { type LabState, readObjects, requireUp, withLock, writeObjects, writeState } from './state.ts'

/** Stores the objects and syncs. Answers one line per object, as kubectl says it. */
export function applyObjects(place: LabPlace, objects: readonly KubeJson[]): Promise<string[]> {
  return withLock(place, async () => {
    const state = requireUp(place)
    let all = readObjects(place)
    const said: string[] = []
    // All are admitted before anything changes, so that a bad one leaves the lab as it was.
    for (const object of objects) {
      const before = all.find((o) => describe(o) === describe(object))
      const stored = admit(object, before, all, state.options)
      all = before ? all.map((o) => (o === before ? stored : o)) : [...all, stored]
      said.push(`${told(stored)} ${before ? 'configured' : 'created'}`)
    }
    await sync(place, state, all)
    return said
  })
}

const told = (o: KubeJson) => `${kindOf(o).toLowerCase()}/${nameOf(o)}`

const KINDS: Record<string, string> = {
  svc: 'service',
  po: 'pod',
  netpol: 'networkpolicy',
  ns: 'namespace',
  no: 'node',
  cm: 'configmap',
  networkpolicies: 'networkpolicy',
}

/** Deletes one object and syncs. `ref` is NAMESPACE/NAME, or NAME. */
export function deleteObject(place: LabPlace, kind: string, ref: string): Promise<string> {
  const wanted = KINDS[kind.toLowerCase()] ?? kind.toLowerCase()
  const slash = ref.indexOf('/')
  const [namespace, name] = slash < 0 ? ['', ref] : [ref.slice(0, slash), ref.slice(slash + 1)]
  return withLock(place, async () => {
    const state = requireUp(place)
    const all = readObjects(place)
    const found = all.find(
      (o) =>
        [wanted, wanted.replace(/s$/, '')].includes(kindOf(o).toLowerCase()) &&
        nameOf(o) === name &&
        (namespaceOf(o) === namespace || (namespace === '' && namespaceOf(o) === 'default')),
    )
    if (!found) throw new LabError(2, `there is no ${kind} '${ref}' in the lab`)
    if (kindOf(found) === 'Node') throw new LabError(2, 'the lab does not delete its nodes')
    const inside = kindOf(found) === 'Namespace' ? all.filter((o) => namespaceOf(o) === name) : []
    await sync(
      place,
      state,
      all.filter((o) => o !== found && !inside.includes(o)),
    )
    return `${told(found)} deleted`
  })
}

/** Makes pods, kube-proxy, policies and the stored objects agree with `objects`. The caller holds the lock. */
export async function sync(place: LabPlace, state: LabState, objects: readonly KubeJson[]): Promise<void> {
  const { options } = state
  const plans = (list: readonly KubeJson[]) =>
    ofKind(list, 'Pod').flatMap((pod) => {
      const plan = podPlan(place, pod, options)
      return plan ? [{ pod, plan }] : []
    })
  const before = plans(readObjects(place))
  const after = plans(objects)
  const has = (list: readonly { plan: PodPlan }[], p: PodPlan) => list.some((x) => x.plan.netns === p.netns)

  const all = withSlices(objects)
  writeObjects(place, all)
  writeInventory(
    place,
    after.map((p) => p.plan),
  )
  for (const { plan } of before) if (!has(after, plan)) await removePod(place, plan)
  for (const { pod, plan } of after) {
    if (has(before, plan)) continue
    claimNetns(place, [plan.netns])
    await run(['ip', 'netns', 'add', plan.netns])
    writeResolvConf(plan.netns, resolvConfOf(pod, options))
    await script(nodeNetns(place, plan.node.name), plugScript(plan, options))
    const server = podServer(place, pod, options)
    if (server) await startServer(place, server, serverProgram(process.env))
  }
  const chains: Record<string, readonly string[]> = {}
  await Promise.all(
    NODES.map(async (node) => {
      const mine = after.map((p) => p.plan).filter((p) => p.node.index === node.index)
      const rules = nodeRules(all, node, options, mine, state.chains)
      Object.assign(chains, rules.chains)
      await script(nodeNetns(place, node.name), rules.script)
    }),
  )
  writeState(place, { ...state, chains })
}

async function removePod(place: LabPlace, plan: PodPlan): Promise<void> {
  stopServer(place, plan.netns)
  kill(pidsInside([plan.netns]))
  await run(['ip', 'netns', 'del', plan.netns])
  removeResolvConf(plan.netns)
  disclaimNetns(place, plan.netns)
}
