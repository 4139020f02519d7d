/** Forwarding that is off where pods of the node need it. */
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import type { Code } from '../../codes.ts'
import { withSysctls } from '../../remedy/edit.ts'
import { concernsNode, type Host, hostsOf, kernelLines, sysctl, sysctlProof } from '../links/hosts.ts'
import { confKey } from './forwarding.ts'
import { forwardingLinks } from './forwarding-need.ts'

/**
 * What resets forwarding behind everybody's back: memory runs out, systemd restarts networkd, and networkd writes its own idea of
 * `forwarding` to the links it manages ("Blackholes and Wormholes", Xia and Ramkumar 2018).
 */
function resetTraces(host: Host): Evidence[] {
  return [
    ...kernelLines(
      host,
      /Out of memory: Kill|oom-kill:.*systemd-network|oom_reaper: reaped process .*systemd-network/i,
      2,
    ),
    ...kernelLines(host, /systemd-networkd|NetworkManager\[|wickedd?\[/i, 2),
  ]
}

function off(
  host: Host,
  code: Code,
  words: { readonly title: string; readonly text: string; readonly set: readonly string[]; readonly link?: string },
): ClusterFinding {
  const reset = resetTraces(host)
  const family = code === 'ipv6-forwarding-off' ? 6 : 4
  const overridden = words.link === undefined ? host.netns.links.map((l) => confKey(family, l.name, 'forwarding')) : []
  return clusterFinding(code, {
    severity: 'error',
    title: `${words.title} on ${host.node}`,
    text: `${words.text}${reset.length > 0 ? ' The kernel log shows a process killed for memory or the network service starting again: such a restart is what resets this value.' : ''}`,
    where: { node: host.node, netns: 'host', ...(words.link === undefined ? {} : { link: words.link }) },
    concerns: concernsNode(host),
    evidence: [...sysctlProof(host.netns, ...words.set.slice(0, 1), 'net.ipv4.ip_forward'), ...reset],
    remedy: {
      text: 'Set it to 1, also in /etc/sysctl.d, and find out what resets it (hardening job, network manager, cloud-init).',
      commands: words.set.map((k) => `sysctl -w ${k}=1`),
    },
    edit: (n) => withSysctls(n, host.netns.id, Object.fromEntries([...words.set, ...overridden].map((k) => [k, '1']))),
  })
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const { netns } = host
  if (!netns.known.has('sysctls') || !netns.known.has('links')) return []
  const out: ClusterFinding[] = []
  const links = forwardingLinks(state, host, 4)
  if (links.length > 0 && sysctl(netns, 'net.ipv4.ip_forward') === '0')
    out.push(
      off(host, 'ip-forward-off', {
        title: 'IPv4 forwarding is off',
        text: `net.ipv4.ip_forward is 0: ${host.node} drops every packet from or to its pods that is not for another pod of the same bridge or for the node itself, before any FORWARD rule sees it.`,
        set: ['net.ipv4.ip_forward'],
      }),
    )
  else
    for (const link of links) {
      const key = confKey(4, link.name, 'forwarding')
      if (sysctl(netns, key) !== '0') continue
      out.push(
        off(host, 'link-forwarding-off', {
          title: `forwarding is off for packets that come in by ${link.name}`,
          text: `${key} is 0 (net.ipv4.ip_forward is 1, this one link overrides it): what arrives by ${link.name} and should go on to another link is dropped before any FORWARD rule sees it. The other direction works.`,
          set: [key],
          link: link.name,
        }),
      )
    }
  if (forwardingLinks(state, host, 6).length > 0 && sysctl(netns, 'net.ipv6.conf.all.forwarding') === '0')
    out.push(
      off(host, 'ipv6-forwarding-off', {
        title: 'IPv6 forwarding is off',
        text: `Pods of ${host.node} have IPv6 addresses, but net.ipv6.conf.all.forwarding is 0: over IPv6 they reach nothing beyond their own bridge and the node.`,
        set: ['net.ipv6.conf.all.forwarding', 'net.ipv6.conf.default.forwarding'],
      }),
    )
  return out
}

/** `ip-forward-off`, `link-forwarding-off`, `ipv6-forwarding-off`, on nodes whose pods need forwarding. */
export const forwardingState: ClusterCheck = {
  name: 'forwarding-state',
  find: (state) => hostsOf(state).flatMap((host) => ofHost(state, host)),
}
