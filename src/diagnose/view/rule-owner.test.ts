import { describe, expect, it } from 'vitest'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { chainMaker, ruleMaker, ruleOwner } from './rule-owner.ts'

describe('chain owners', () => {
  const table: readonly (readonly [table: string, chain: string, owner: string | null])[] = [
    ['mangle', 'KUBE-IPTABLES-HINT', 'kubelet'],
    ['nat', 'KUBE-KUBELET-CANARY', 'kubelet'],
    ['filter', 'KUBE-FIREWALL', 'kubelet'],
    ['filter', 'KUBE-PROXY-FIREWALL', 'kube-proxy'],
    ['nat', 'KUBE-SVC-TCOU7JCQXEZGVUNU', 'kube-proxy'],
    ['nat', 'KUBE-LOAD-BALANCER', 'kube-proxy'],
    ['kube-proxy', 'services', 'kube-proxy'],
    ['filter', 'KUBE-POD-FW-ABCDEFGH', 'kube-router'],
    ['filter', 'KUBE-ROUTER-FORWARD', 'kube-router'],
    ['nat', 'FLANNEL-POSTRTG', 'flannel'],
    ['flannel-ipv4', 'postrtg', 'flannel'],
    ['filter', 'cali-FORWARD', 'Calico'],
    ['calico', 'filter-FORWARD', 'Calico'],
    ['filter', 'WEAVE-NPC-EGRESS', 'Weave'],
    ['nat', 'WEAVE', 'Weave'],
    ['nat', 'CILIUM_POST_nat', 'Cilium'],
    ['nat', 'ANTREA-POSTROUTING', 'Antrea'],
    ['nat', 'OVN-KUBE-NODEPORT', 'OVN-Kubernetes'],
    ['nat', 'AWS-SNAT-CHAIN-0', 'AWS VPC CNI'],
    ['nat', 'CNI-HOSTPORT-DNAT', 'CNI portmap'],
    ['nat', 'CNI-DN-2a5c', 'CNI portmap'],
    ['cni_hostport', 'hostports', 'CNI portmap'],
    ['nat', 'CNI-4f1d2a', 'CNI bridge masquerade'],
    ['filter', 'CNI-FORWARD', 'CNI firewall'],
    ['nat', 'IP-MASQ-AGENT', 'ip-masq-agent'],
    ['nat', 'ISTIO_OUTPUT', 'Istio'],
    ['nat', 'PROXY_INIT_REDIRECT', 'Linkerd'],
    ['filter', 'DOCKER-ISOLATION-STAGE-1', 'docker'],
    ['filter', 'ufw-user-input', 'ufw'],
    ['filter', 'IN_public_allow', 'firewalld'],
    ['firewalld', 'filter_INPUT', 'firewalld'],
    ['filter', 'MY-OWN', null],
    ['filter', 'FORWARD', null],
  ]
  it.each(table)('%s %s is of %s', (t, chain, owner) => {
    expect(chainMaker(t, chain)?.name ?? null).toBe(owner)
  })
  it('the part of an unknown chain is the administrator', () => {
    expect(ruleOwner('filter', 'MY-OWN')).toBe('admin')
    expect(ruleOwner('filter', 'cali-FORWARD')).toBe('policy')
  })
})

describe('rules in chains of everybody', () => {
  const rules: readonly (readonly [rule: string, owner: string])[] = [
    ['-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING', 'kube-proxy'],
    ['-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD', 'flannel'],
    ['-A FORWARD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT', 'flannel'],
    ['-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE', 'docker'],
    [
      '-A POSTROUTING -s 10.88.0.5/32 -m comment --comment "name: \\"cbr0\\" id: \\"x\\"" -j CNI-4f1d',
      'CNI bridge masquerade',
    ],
    ['-A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 -j ACCEPT', 'node-local-dns'],
    ['-A FORWARD -m mark --mark 0x10000/0x10000 -m comment --comment "cali:S93hcgKJrXEqnTfs" -j ACCEPT', 'Calico'],
    ['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT', 'unknown (admin)'],
    ['-A FORWARD -j MY-OWN', 'unknown (admin)'],
  ]
  it.each(rules)('%s', (text, owner) => {
    const chains = [...new Set([...text.matchAll(/-j ([A-Z0-9-]+[a-z0-9]*)/g)].map((m) => m[1]))]
    const own = chains.filter((c) => !['ACCEPT', 'MASQUERADE'].includes(c!))
    const save = `*filter\n:${text.split(' ')[1]} ACCEPT [0:0]\n${own.map((c) => `:${c} - [0:0]\n`).join('')}${text}\nCOMMIT\n`
    const ruleset = parseIptablesSave(save, { artefact: 'x', family: 'ip', backend: 'iptables-nft' })
    const chain = ruleset.tables[0]!.chains.get(text.split(' ')[1]!)!
    expect(ruleMaker('filter', chain.name, chain.rules()[0]!).name).toBe(owner)
  })
})
