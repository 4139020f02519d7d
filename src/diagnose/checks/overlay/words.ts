/** What is said of a broken tunnel, whether a packet died of it or the two nodes' states disagree. */
import { formatIp, type Ip } from '../../../base/ip.ts'
import type { FdbEntry, Link, LinkAddress, Neighbour, NetnsId } from '../../../model/network.ts'
import type { Words } from '../../finding.ts'
import { withFdb, withMac, withNeighbour } from '../../remedy/edit.ts'

/** Two ends that differ in `what`; `theirs` is the one that differs from the rest, on node `at`. */
export function mismatchWords(
  what: 'UDP port' | 'VNI',
  mine: { readonly node: string; readonly link: Link | undefined },
  theirs: { readonly node: string; readonly link: Link | undefined },
  subject: string,
): Words {
  const value = (l: Link | undefined) => (what === 'UDP port' ? l?.vxlan?.port : l?.vxlan?.vni)
  const a = value(mine.link) ?? '?'
  const b = value(theirs.link) ?? '?'
  return {
    title: `${mine.node} and ${theirs.node} disagree about the VXLAN ${what} (${a} and ${b})`,
    text: `${mine.node} wraps ${subject} with ${what} ${a}; ${theirs.node} listens for ${what} ${b} (${theirs.link?.name ?? 'no VXLAN link'}). The packet arrives and nobody unwraps it; no firewall is involved.`,
    evidence: [mine.link?.evidence, theirs.link?.evidence],
    remedy: {
      text: `Use one ${what} on all nodes (the CNI's configuration), delete ${theirs.link?.name ?? 'the VXLAN link'} on the node that differs (${theirs.node}, if the others agree with ${mine.node}) and restart the CNI agent there, which makes the link anew. What the agent makes cannot be tried on the model.`,
      ...(theirs.link ? { commands: [`ip link del ${theirs.link.name}`] } : {}),
    },
  }
}

/** The tunnel end `end` of `remote` has another MAC than `entry` of `holder` says. */
export function vtepMacWords(
  remote: string,
  end: Link,
  own: LinkAddress | undefined,
  holder: { readonly node: string; readonly netns: NetnsId; readonly link: string; readonly end?: Link },
  entry: Neighbour,
  remoteNetns: NetnsId,
): Words {
  const back = holder.end?.addresses.find((a) => a.ip.family === entry.ip.family)?.ip
  const backMac = holder.end?.mac
  const again = back && backMac ? { ip: back, mac: backMac } : null
  const former = entry.mac
  return {
    title: `${remote} changed the MAC of ${end.name} to ${end.mac}; ${holder.node} still sends to ${entry.mac ?? '?'}`,
    text: `${holder.node} holds a permanent neighbour entry ${formatIp(entry.ip)} → ${entry.mac ?? '?'} for the tunnel end of ${remote}. Its ${end.name} now has ${end.mac}, so the frame is unwrapped and dropped as not meant for it. (systemd-udevd's MACAddressPolicy=persistent rewrites it after boot.)`,
    evidence: [entry.evidence, end.evidence, own?.evidence],
    where: { node: remote, netns: 'host', link: end.name },
    remedy: {
      text: `Restart the CNI agent on ${remote} so that it publishes the new MAC, and keep udev off the link (a .link file with MACAddressPolicy=none). Until then give it its former MAC${again ? ` and its entry for ${holder.node}, which the kernel dropped when the MAC changed` : ''}.`,
      ...(former === undefined
        ? {}
        : {
            commands: [
              `ip link set ${end.name} address ${former}`,
              ...(again
                ? [`ip neigh replace ${formatIp(again.ip)} lladdr ${again.mac} dev ${end.name} nud permanent`]
                : []),
            ],
          }),
    },
    ...(former === undefined
      ? {}
      : {
          edit: (n) => {
            const changed = withMac(n, remoteNetns, end.name, former)
            return again ? withNeighbour(changed, remoteNetns, end.name, again.ip, again.mac) : changed
          },
        }),
  }
}

/** `link` of `holder` has no forwarding entry for the tunnel end of `meant`. */
export function fdbMissingWords(
  holder: { readonly node: string; readonly netns: NetnsId; readonly link: string },
  meant: string,
  end: Link | undefined,
  subject: string,
): Words {
  const vtep = end?.vxlan?.local
  const { link } = holder
  return {
    title: `${link} on ${holder.node} does not know where ${meant} is (no FDB entry)`,
    text: `To wrap ${subject}, ${link} needs a forwarding entry that maps the peer's MAC${end ? ` ${end.mac}` : ''} to its node address; there is none, so the packet is dropped without a trace.`,
    evidence: [end?.evidence],
    where: { node: holder.node, netns: 'host', link },
    remedy: {
      text: `Restart the CNI agent on ${holder.node}; it writes the entry from the Node's annotations.`,
      ...(end && vtep
        ? { commands: [`bridge fdb replace ${end.mac} dev ${link} dst ${formatIp(vtep)} self permanent`] }
        : {}),
    },
    ...(end && vtep ? { edit: (n) => withFdb(n, holder.netns, link, end.mac, vtep) } : {}),
  }
}

/** `entry` of `holder` sends packets for `meant` to an address that is not that node's. */
export function fdbWrongWords(
  holder: { readonly node: string; readonly netns: NetnsId },
  meant: string,
  entry: FdbEntry & { readonly dst: Ip },
  now: string,
  end: Link | undefined,
): Words {
  const right = end?.vxlan?.local
  return {
    title: `${holder.node} sends tunnel packets for ${meant} to ${formatIp(entry.dst)}, where ${meant} is not`,
    text: `The FDB of ${entry.link} on ${holder.node} maps ${entry.mac}, the tunnel end of ${meant}, to ${formatIp(entry.dst)} (${now}); ${meant} is at ${right ? formatIp(right) : 'another address'}. The entry is from before ${meant} changed its address.`,
    evidence: [entry.evidence, end?.evidence],
    where: { node: holder.node, netns: 'host', link: entry.link },
    remedy: {
      text: `Restart the CNI agent on ${meant} (it publishes its address) and on ${holder.node}.`,
      ...(right
        ? { commands: [`bridge fdb replace ${entry.mac} dev ${entry.link} dst ${formatIp(right)} self permanent`] }
        : {}),
    },
    ...(right ? { edit: (n) => withFdb(n, holder.netns, entry.link, entry.mac, right) } : {}),
  }
}
