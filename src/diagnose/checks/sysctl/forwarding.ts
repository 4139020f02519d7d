import type { Code } from '../../codes.ts'
import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { withSysctls } from '../../remedy/edit.ts'
import { directionWord, packetWords } from '../../view/words.ts'

/** sysctl(8) writes dots inside link names as slashes. */
export function confKey(family: 4 | 6, link: string, name: string): string {
  return `net.ipv${family}.conf.${link.replaceAll('.', '/')}.${name}`
}

/** `ip-forward-off`, `link-forwarding-off`, `ipv6-forwarding-off`. */
export const forwardingOff: Check = {
  name: 'forwarding-off',
  explain(f) {
    if (f.cause !== 'forwarding-off' || !f.netns) return null
    const { packet, link } = f.step
    const family = packet.src.family
    const { sysctls } = f.netns
    const at = link ?? 'the link'
    if (family === 6)
      return off('ipv6-forwarding-off', 'net.ipv6.conf.all.forwarding', 'IPv6 forwarding is off', [
        'net.ipv6.conf.all.forwarding',
        'net.ipv6.conf.default.forwarding',
      ])
    const whole = sysctls.get('net.ipv4.ip_forward')?.value.trim()
    if (whole === '0' || link === undefined)
      return off('ip-forward-off', 'net.ipv4.ip_forward', 'IPv4 forwarding is off', ['net.ipv4.ip_forward'])
    const key = confKey(4, link, 'forwarding')
    return off('link-forwarding-off', key, `forwarding is off for packets that come in by ${at}`, [key])

    function off(code: Code, key: string, title: string, set: readonly string[]) {
      const links = code === 'link-forwarding-off' ? [] : (f.netns?.links ?? [])
      return diagnosis(f, code, {
        title: `${title} on ${f.hop.node}`,
        text: `The ${directionWord(f)} ${packetWords(packet)} comes in by ${at} and should go on to another link, but ${key} is 0${code === 'link-forwarding-off' ? ' (net.ipv4.ip_forward is 1, this one link overrides it)' : ''}: the kernel drops it before any FORWARD rule sees it.`,
        evidence: [sysctls.get(key)?.evidence, sysctls.get('net.ipv4.ip_forward')?.evidence],
        where: { link: at },
        remedy: {
          text: 'Set it to 1, also in /etc/sysctl.d, and find out what resets it (hardening job, network manager, cloud-init).',
          commands: set.map((k) => `sysctl -w ${k}=1`),
        },
        edit: (n) =>
          withSysctls(n, f.hop.netns, {
            ...Object.fromEntries(set.map((k) => [k, '1'])),
            ...Object.fromEntries(links.map((l) => [confKey(family, l.name, 'forwarding'), '1'])),
          }),
      })
    }
  },
}

/** `rp-filter-drop`: the strict reverse path test of the link the packet came in by. */
export const rpFilterDrop: Check = {
  name: 'rp-filter-drop',
  explain(f) {
    if (f.cause !== 'rp-filter' || !f.netns) return null
    const { packet, link = '' } = f.step
    const keys = [confKey(4, 'all', 'rp_filter'), confKey(4, link, 'rp_filter')]
    const key = keys[1] ?? ''
    return diagnosis(f, 'rp-filter-drop', {
      title: `${f.hop.node} drops the ${directionWord(f)} because its source is reached by another link (rp_filter)`,
      text: `${packetWords(packet)} comes in by ${link}, but the way back to its source does not leave by ${link}. With rp_filter 1 (the larger of conf.all and conf.${link}) the kernel drops it, with no rule and no log; TcpExtIPReversePathFilter counts it.`,
      evidence: keys.map((k) => f.netns?.sysctls.get(k)?.evidence),
      remedy: {
        text: `Make the routing symmetric (the route back to the source should leave by ${link}), or use the loose test on this link.`,
        commands: [`sysctl -w ${key}=2`],
      },
      edit: (n) => withSysctls(n, f.hop.netns, { [key]: '2' }),
    })
  },
}

/** `bridge-netfilter-off`: the reply crosses the bridge without passing netfilter, so DNAT is not undone. */
export const bridgeNetfilterOff: Check = {
  name: 'bridge-netfilter-off',
  explain(f, q) {
    if (f.cause !== 'not-translated-back') return null
    const hosts = new Set(f.branch.trace.forward.hops.map((h) => h.node))
    for (const node of hosts) {
      const host = [...q.network.netns.values()].find((n) => n.kind === 'host' && n.node === node)
      const family = f.step.packet.src.family
      const key = family === 6 ? 'net.bridge.bridge-nf-call-ip6tables' : 'net.bridge.bridge-nf-call-iptables'
      const value = host?.sysctls.get(key)
      if (!host?.known.has('sysctls') || value?.value.trim() === '1') continue
      const any = [...host.sysctls.values()][0]?.evidence.artefact ?? `nodes/${node}/host/sysctl.txt`
      return diagnosis(f, 'bridge-netfilter-off', {
        title: `replies between pods of ${node} cross the bridge past netfilter, so they are not translated back`,
        text: `Client and endpoint are ports of one bridge. The request was translated to the endpoint's address while it was routed; the reply is bridged straight back, and with ${key} ${value ? '= 0' : 'absent (br_netfilter is not loaded)'} it never meets conntrack. The client gets an answer from ${packetWords(f.step.packet).split(' → ')[0]}, which it did not ask, and drops it.`,
        evidence: [value?.evidence ?? { artefact: any, text: `${key} is absent` }],
        where: { node, netns: 'host' },
        remedy: {
          text: value
            ? 'Switch it on, also in /etc/sysctl.d.'
            : 'Load br_netfilter and switch it on, also in /etc/modules-load.d and /etc/sysctl.d.',
          commands: [...(value ? [] : ['modprobe br_netfilter']), `sysctl -w ${key}=1`],
        },
        edit: (n) => withSysctls(n, host.id, { [key]: '1' }),
      })
    }
    return null
  },
}
