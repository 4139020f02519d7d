import { formatIp } from '../../../base/ip.ts'
import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { hasNoLink, isDefault, routesTo } from '../../view/route-view.ts'
import { directionWord, packetWords, placeOf } from '../../view/words.ts'

/** `pod-route-missing`: the pod itself has no way to the address, usually no default route. */
export const podRouteMissing: Check = {
  name: 'pod-route-missing',
  explain(f) {
    const { packet } = f.step
    if (f.cause !== 'no-route' || f.netns?.kind !== 'pod' || routesTo(f.netns, packet.dst).length > 0) return null
    if (hasNoLink(f.netns)) return null
    const family = packet.dst.family
    const own = f.netns.routes.filter((r) => r.family === family && r.table === 254)
    const artefact = own[0]?.evidence.artefact ?? `${f.netns.id} ${family === 4 ? 'ip-route' : 'ip6-route'}.json`
    const default_ = own.some(isDefault)
    return diagnosis(f, 'pod-route-missing', {
      title: `${placeOf(f)} has no ${default_ ? `route to ${formatIp(packet.dst)}` : 'default route'}`,
      text: `The ${directionWord(f)} ${packetWords(packet)} does not leave ${placeOf(f)}: its own routing table has ${own.length === 0 ? `no IPv${family} route at all` : `${own.length} route${own.length > 1 ? 's' : ''}, none of which covers ${formatIp(packet.dst)}`}. The CNI gives every pod a default route; something in the pod (VPN, a script with NET_ADMIN) removed it, or its set-up was not finished.`,
      evidence: [
        { artefact, text: `no ${default_ ? `route to ${formatIp(packet.dst)}` : 'default route'}` },
        ...own.slice(0, 3).map((r) => r.evidence),
      ],
      remedy: { text: 'Create the pod anew; look for a container that changes routes.' },
    })
  },
}
