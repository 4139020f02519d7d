/** The chains of policy engines against what the policies say, in both directions. */
import { describe, expect, it } from 'vitest'
import type { OtherObject } from '../../../kubeobj/objects.ts'
import type { Ruleset } from '../../../model/ruleset.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import { parseNftText } from '../../../parse/nft/index.ts'
import { answer, type Case } from '../../testing/ask.ts'
import { OBJECTS } from '../../testing/cluster.ts'

const save = (text: string): Ruleset =>
  parseIptablesSave(text, { artefact: 'nodes/node2/host/iptables-save.txt', family: 'ip', backend: 'iptables-nft' })
const nft = (text: string): Ruleset => parseNftText(text, 'nodes/node2/host/nft.txt')

const policy = (spec: object, kind = 'NetworkPolicy', apiVersion = 'networking.k8s.io/v1'): OtherObject => ({
  apiVersion,
  kind,
  meta: { ...OBJECTS.services[0]!.meta, namespace: kind === 'NetworkPolicy' ? 'default' : '', name: 'closed' },
  evidence: { artefact: 'objects/all.json', text: `${kind} closed` },
  raw: { apiVersion, kind, spec },
})
const CLOSED = policy({ podSelector: { matchLabels: { name: 'web2' } }, policyTypes: ['Ingress'] })
const CLOSED_OUT = policy({ podSelector: { matchLabels: { name: 'client1' } }, policyTypes: ['Egress'] })
const OPEN = policy({ podSelector: {}, ingress: [{}] })
const TIER = policy(
  {
    tier: 'Admin',
    priority: 1,
    subject: { namespaces: {} },
    ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
  },
  'ClusterNetworkPolicy',
  'policy.networking.k8s.io/v1alpha2',
)
const CALICO_KIND = policy(
  { selector: 'all()', types: ['Ingress'], ingress: [{ action: 'Deny' }] },
  'GlobalNetworkPolicy',
  'projectcalico.org/v3',
)

const told = (c: Case, ...others: OtherObject[]) => {
  const { verdict, findings } = answer({ ...c, objects: { ...(c.objects ?? OBJECTS), others } })
  return [verdict, ...findings.filter((f) => f.severity !== 'info').map((f) => `${f.severity} ${f.code}`)]
}

describe('a drop that the policy asks for, whichever chains it was compiled to', () => {
  const engines: Record<string, Ruleset> = {
    'kube-router': save(`*filter
:FORWARD ACCEPT [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:KUBE-POD-FW-ABC - [0:0]
-A FORWARD -m comment --comment "kube-router netpol" -j KUBE-ROUTER-FORWARD
-A KUBE-ROUTER-FORWARD -d 10.244.2.20/32 -j KUBE-POD-FW-ABC
-A KUBE-POD-FW-ABC -m mark ! --mark 0x10000/0x10000 -j DROP
COMMIT
`),
    Calico: save(`*filter
:FORWARD ACCEPT [0:0]
:cali-FORWARD - [0:0]
:cali-tw-cali123 - [0:0]
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A cali-FORWARD -d 10.244.2.20/32 -g cali-tw-cali123
-A cali-tw-cali123 -m comment --comment "cali:Qe4hGk2z8kAz4Nqd" -m comment --comment "Drop if no profiles matched" -j DROP
COMMIT
`),
    'rules of an engine nobody knows': nft(`table inet guard {
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip daddr 10.244.2.20 tcp dport 8080 drop
	}
}
`),
  }
  it.each(Object.entries(engines))('%s', (who, rules) => {
    const c: Case = { rulesets: { 'node2/host': [rules] } }
    expect(told(c, CLOSED).slice(0, 2)).toEqual(['unreachable', 'error policy-denies-ingress'])
    const { findings } = answer({ ...c, objects: { ...OBJECTS, others: [CLOSED] } })
    expect(findings[0]?.title).toContain('NetworkPolicy default/closed')
    expect(findings[0]?.text).toMatch(/drop/i)
    expect(findings[0]?.remedy?.manifest).toContain('name: closed-allow-default')
    // Nobody asked for it: an engine's rule is out of date, any other is somebody's.
    expect(told(c, OPEN)[1]).toBe(who.startsWith('rules') ? 'error forward-drop' : 'error policy-enforcer-disagrees')
  })
})

describe('a connection that the policies deny and that gets through', () => {
  const CALICO = save(`*filter
:FORWARD ACCEPT [0:0]
:cali-FORWARD - [0:0]
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
COMMIT
`)
  const ANTREA = save('*filter\n:FORWARD ACCEPT [0:0]\n:ANTREA-POL-X - [0:0]\nCOMMIT\n')
  const both = (rules: Ruleset): Case => ({ rulesets: { 'node1/host': [rules], 'node2/host': [rules] } })
  const WARNED = ['reachable', 'warning policy-enforcer-disagrees']
  const QUIET = ['reachable']
  const withPod = (name: string) => ({
    ...OBJECTS,
    pods: [...OBJECTS.pods, { ...OBJECTS.pods[0]!, hostNetwork: true, meta: { ...OBJECTS.pods[0]!.meta, name } }],
  })
  const cases: Record<string, [Case, OtherObject, readonly string[]]> = {
    'ingress, at the node of the destination': [both(CALICO), CLOSED, WARNED],
    'egress, at the node of the source': [both(CALICO), CLOSED_OUT, WARNED],
    'by way of a Service': [{ ...both(CALICO), to: 'ip:10.244.2.20:8080' }, CLOSED, WARNED],
    'an Admin tier the engine does not know': [both(CALICO), TIER, WARNED],
    'the policies allow it': [both(CALICO), OPEN, QUIET],
    'policies of the plugin itself, which it reads in its own way': [both(CALICO), CALICO_KIND, QUIET],
    'no chain of an engine was seen': [{}, CLOSED, QUIET],
    'an engine that works in Open vSwitch': [both(ANTREA), CLOSED, QUIET],
    'chains of before, and pods of Cilium': [{ ...both(CALICO), objects: withPod('cilium-x7k2p') }, CLOSED, QUIET],
    'a link of Calico in eBPF': [
      { ...both(CALICO), edits: [['  cni0 bridge 10.244.2.1/24', '  bpfout.cali wire\n  cni0 bridge 10.244.2.1/24']] },
      CLOSED,
      QUIET,
    ],
    'the own node may always': [{ ...both(CALICO), from: 'node/node2' }, CLOSED, QUIET],
    'from another node, whose address is not sure': [{ ...both(CALICO), from: 'node/node1' }, CLOSED, QUIET],
    'a pod to itself': [{ ...both(CALICO), from: 'pod/web2' }, CLOSED, QUIET],
  }
  it.each(Object.entries(cases))('%s', (_name, [c, object, expected]) => {
    expect(told(c, object)).toEqual(expected)
  })
})
