import { describe, expect, it } from 'vitest'
import { topology } from '../../datapath/testing/topology.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { OBJECTS, STATE } from '../testing/cluster.ts'
import { examine } from './doctor.ts'
import { sampleQuestions } from './sample.ts'

const whole = (text = STATE, objects: KubeObjects = OBJECTS) => ({ network: topology(text), objects })
/** No Services: the little cluster has no kube-proxy rules. */
const PODS_ONLY: KubeObjects = { ...OBJECTS, services: [], endpointSlices: [] }

const edited = (from: string, to: string) => {
  const text = STATE.replace(from, to)
  if (text === STATE) throw new Error(`no match: ${from}`)
  return text
}
const ROUTE = '  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink\n'

describe('the connections that are tried', () => {
  it('make every pod a destination, from its own node and from another', () => {
    const asked = sampleQuestions(whole())
    for (const pod of ['client1', 'web1', 'web2']) {
      const to = asked.filter((q) => q.to.replace(/:\d+$/, '') === `pod/default/${pod}`)
      expect(new Set(to.map((q) => q.traffic))).toEqual(new Set(['node-pod', 'pod-pod']))
    }
  })

  it('use a port somebody listens on, an echo otherwise', () => {
    const asked = sampleQuestions(whole())
    expect(asked.find((q) => q.to === 'pod/default/web2:8080')?.protocol).toBe('tcp')
    expect(asked.find((q) => q.to === 'pod/default/client1')?.protocol).toBe('icmp')
  })

  it('leave out pods that were not collected, run no more, or are being deleted', () => {
    const gone = { ...OBJECTS.pods[2]!, phase: 'Succeeded' }
    const asked = sampleQuestions(whole(STATE, { ...OBJECTS, pods: [OBJECTS.pods[0]!, OBJECTS.pods[1]!, gone] }))
    expect(asked.some((q) => q.to.includes('web2'))).toBe(false)
  })
})

describe('the report', () => {
  it('is silent on a healthy cluster', () => {
    const r = examine(whole(STATE, PODS_ONLY))
    expect(r.findings.filter((f) => f.severity !== 'info')).toEqual([])
    expect(r.verdicts).toMatchObject({ hostNetwork: 'ok', containerNetwork: 'ok' })
    expect(r.tried.delivered).toBe(r.tried.connections)
  })

  it('tells a missing route once, with what it breaks and a verified remedy where there is one', () => {
    const r = examine(whole(edited(ROUTE, ''), PODS_ONLY))
    const errors = r.findings.filter((f) => f.severity === 'error')
    expect(errors.map((f) => f.code)).toContain('route-missing')
    expect(errors[0]?.breaks?.connections).toBeGreaterThan(1)
    expect(errors[0]?.breaks?.examples[0]).toMatch(/^pod\/default\/\w+ → pod\/default\/\w+/)
    expect(r.verdicts.containerNetwork).toBe('failing')
    expect(r.verdicts.hostNetwork).toBe('ok')
  })

  it('of a node asks only what its pods and it send or get', () => {
    const r = examine(whole(STATE, PODS_ONLY), { node: 'node2' })
    expect(r.tried.connections).toBeGreaterThan(0)
    expect(r.tried.connections).toBeLessThan(examine(whole(STATE, PODS_ONLY)).tried.connections)
  })

  it('without any node state is not sure, and says so', () => {
    const r = examine({ network: topology(''), objects: PODS_ONLY })
    expect(r.tried.connections).toBe(0)
    expect(r.verdicts.containerNetwork).toBe('unknown')
    expect(r.missing.map((m) => m.artefact)).toContain('state of the nodes')
  })
})
