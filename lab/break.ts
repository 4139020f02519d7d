/** Gives a running lab one of its faults. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { admit, mergePatch } from './admit.ts'
import { sync } from './apply.ts'
import { LabError } from './errors.ts'
import type { Fault, FaultHands } from './faults/fault.ts'
import { FAULTS } from './faults/index.ts'
import { describe, type KubeJson, kindOf, nameOf, namespaceOf } from './kubejson.ts'
import { keptObjects } from './lifecycle.ts'
import { families, hostVeth, type LabPlace, nodeNetns, podNetns } from './plan.ts'
import { script } from './run.ts'
import type { ServerSpec } from './server/spec.ts'
import { serverProgram, startServer, stopServer } from './servers.ts'
import { objectsPath, readObjects, requireUp, withLock, writeState } from './state.ts'

/** Injects the fault of that name. A LabError when there is none, or when it does not fit the lab that is up. */
export function breakIt(place: LabPlace, name: string): Promise<Fault> {
  const fault = FAULTS.find((f) => f.name === name)
  if (!fault) throw new LabError(2, `there is no fault '${name}'; \`netwhy lab list faults\` names them`)
  return withLock(place, async () => {
    const state = requireUp(place)
    const { topology, proxy } = state.options
    if (fault.topologies && !fault.topologies.includes(topology))
      throw new LabError(2, `fault '${name}' needs topology ${fault.topologies.join(' or ')}; this lab is ${topology}`)
    if (fault.proxies && !fault.proxies.includes(proxy))
      throw new LabError(2, `fault '${name}' needs proxy ${fault.proxies.join(' or ')}; this lab has ${proxy}`)
    if (fault.family && !families(state.options.stack).includes(fault.family))
      throw new LabError(2, `fault '${name}' needs IPv${fault.family}; this lab is ${state.options.stack}`)
    if (state.faults.includes(name)) throw new LabError(2, `'${name}' is broken already; \`netwhy lab heal\` undoes it`)
    if (!existsSync(keptObjects(place))) copyFileSync(objectsPath(place), keptObjects(place))
    // Noted first: a fault that was half made must be healed as well.
    writeState(place, { ...state, faults: [...state.faults, name] })
    await fault.inject(hands(place))
    return fault
  })
}

function hands(place: LabPlace): FaultHands {
  const { options } = requireUp(place)
  const split = (name: string) => name.split('/') as [string, string]
  const machine = async (name: string, text: string) => void (await script(nodeNetns(place, name), text))
  const apply = async (objects: readonly KubeJson[]) => {
    let all = readObjects(place)
    for (const object of objects) {
      const before = all.find((o) => describe(o) === describe(object))
      const stored = admit(object, before, all, options)
      all = before ? all.map((o) => (o === before ? stored : o)) : [...all, stored]
    }
    await sync(place, requireUp(place), all)
  }
  return {
    options,
    families: families(options.stack),
    machine,
    pod: (name, text) => script(podNetns(place, ...split(name)), text).then(() => {}),
    veth: (name) => hostVeth(options.topology, ...split(name)),
    apply,
    patch: async (kind, name, patch) => {
      const [namespace, own] = split(name)
      const before = readObjects(place).find(
        (o) => kindOf(o) === kind && namespaceOf(o) === namespace && nameOf(o) === own,
      )
      if (!before) throw new LabError(4, `${kind} ${name} is not in the lab, so it cannot be broken`)
      await apply([mergePatch(before, patch) as KubeJson])
    },
    relisten: async (name, host) => {
      const netns = podNetns(place, ...split(name))
      stopServer(place, netns)
      if (host === null) return
      const spec = JSON.parse(readFileSync(join(place.dir, 'servers', `${netns}.json`), 'utf8')) as ServerSpec
      const move = (list: ServerSpec['tcp']) => list.map((l) => ({ ...l, host }))
      const moved = { ...spec, tcp: move(spec.tcp), udp: move(spec.udp), dns: move(spec.dns) }
      await startServer(place, { netns, spec: moved }, serverProgram(process.env))
    },
  }
}
