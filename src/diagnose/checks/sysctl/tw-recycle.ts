import type { ClusterCheck } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { withSysctls } from '../../remedy/edit.ts'
import { concernsNode, counterProof, hostsOf, sysctl, sysctlProof } from '../links/hosts.ts'

const KEY = 'net.ipv4.tcp_tw_recycle'

/**
 * `tcp-tw-recycle`: the kernel remembers one timestamp per client address and drops SYNs that seem older (tcp_conn_request of
 * Linux before 4.12, which removed the sysctl); clients behind one NAT address have clocks of their own.
 */
export const twRecycle: ClusterCheck = {
  name: 'tcp-tw-recycle',
  find: (state) =>
    hostsOf(state).flatMap((host) => {
      if (sysctl(host.netns, KEY) !== '1' || sysctl(host.netns, 'net.ipv4.tcp_timestamps') === '0') return []
      const dropped = host.netns.counters.get('TcpExtPAWSPassive') ?? 0
      return [
        clusterFinding('tcp-tw-recycle', {
          severity: dropped > 0 ? 'error' : 'warning',
          hurts: dropped > 0,
          title: `${host.node} drops SYNs of clients that share an address (tcp_tw_recycle)`,
          text: `${KEY} is 1: of several clients behind one address (masqueraded pods, users behind a NAT) only the one with the latest clock gets new connections; the others time out by chance.${dropped > 0 ? ` ${dropped} SYNs were dropped so far (TcpExtPAWSPassive).` : ''}`,
          where: { node: host.node, netns: 'host' },
          concerns: concernsNode(host),
          evidence: [...sysctlProof(host.netns, KEY), counterProof(host.netns, 'TcpExtPAWSPassive')],
          remedy: {
            text: 'Set it to 0, also in /etc/sysctl.d; Linux 4.12 removed it.',
            commands: [`sysctl -w ${KEY}=0`],
          },
          edit: (n) => withSysctls(n, host.netns.id, { [KEY]: '0' }),
        }),
      ]
    }),
}
